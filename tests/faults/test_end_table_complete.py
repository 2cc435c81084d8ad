"""The end table, "complete": an answer that ended, with usage given, odd, absent; unary and streamed."""

import json

import pytest

from tests.faults.stage import CHEAP, COMPATIBLE, MAIN, price
from tests.services.gateway import frames
from tollbridge.core.money import format_usd
from tollbridge.demo.fake_reply import recording

ENVIRON = {"FIRST_BYTE_TIMEOUT_S": "1.5", "IDLE_TIMEOUT_S": "1.5", "FINISH_SILENCE_S": "0.8"}
pytestmark = pytest.mark.asyncio(loop_scope="session")
both = pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
SSE = {"content-type": "text/event-stream"}
JSON = {"content-type": "application/json"}


def text_of(body: bytes) -> str:
    """Return the text that a client reads in an answer of either kind."""
    if not body.startswith(b"data:"):
        return str(json.loads(body)["choices"][0]["message"]["content"])
    chunks = [json.loads(data) for data in frames(body) if data != b"[DONE]"]
    choices = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


@both
async def test_usage_given_is_charged_exactly(scene, stream):
    answer = await scene.post(stream=stream, fake={"tokens": 5, "prompt_tokens": 100})
    assert answer.status == 200 and text_of(answer.body) == "Hello! I am gpt-test, or"
    assert answer.done is stream
    row = await scene.bill(
        end_state="complete", input=100, output=5, cache_read=0, charge=price(100, 5)
    )
    assert row["tid"] == answer.tid and row["stream"] == stream
    assert row["model_answered"] == "gpt-test" and row["attempts"] is None
    await scene.seen(("vendor-main", "done"))


@both
async def test_a_multiplier_rounds_the_whole_sum_up_once(scene, stream):
    fake = {"tokens": 1, "prompt_tokens": 3, "cached_tokens": 1}
    await scene.post(CHEAP, stream=stream, fake=fake)
    # (2 x 2500 + 250 + 10000) x 0.15 = 2287.5
    row = await scene.bill(
        end_state="complete", input=2, cache_read=1, output=1, charge=2_288, key=CHEAP
    )
    assert row["list_cost"] == 15_250


@both
async def test_cached_and_reasoning_tokens_are_priced_as_what_they_are(scene, stream):
    fake = {"tokens": 4, "prompt_tokens": 1000, "cached_tokens": 900, "reasoning": 6}
    await scene.post(stream=stream, fake=fake)
    counts = {"input": 100, "cache_read": 900, "output": 10}
    await scene.bill(end_state="complete", reasoning=6, charge=price(**counts), **counts)


@both
async def test_an_explicit_zero_is_zero(scene, stream):
    answer = await scene.post(stream=stream, fake={"tokens": 5, "usage": "zero"})
    assert answer.status == 200 and answer.done is stream
    await scene.bill(end_state="complete", input=0, output=0, charge=0)


@both
async def test_usage_that_does_not_add_up_is_clamped_flagged_and_charged(scene, stream):
    answer = await scene.post(stream=stream, fake={"tokens": 5, "usage": "nonsense"})
    assert answer.status == 200 and answer.done is stream
    await scene.bill(
        end_state="complete", flags=["clamped"], input=0, output=5000, charge=price(0, 5000)
    )


@both
@pytest.mark.parametrize("usage", ["none", "null"])
async def test_without_usage_the_text_is_counted(scene, stream, usage):
    answer = await scene.post(stream=stream, fake={"tokens": 40, "usage": usage})
    assert answer.status == 200 and answer.done is stream
    text = text_of(answer.body)
    [row] = await scene.settled()
    assert row["output"] == -(-len(text) // 4)
    # About four bytes of the request are a token; all of its body counts.
    assert 10 < row["input"] < 60
    counts = {"input": row["input"], "output": row["output"]}
    await scene.bill(end_state="complete", flags=["estimated"], charge=price(**counts), **counts)
    assert row["charge"] <= row["held"]


@both
async def test_an_estimate_never_costs_more_than_the_hold(scene, stream):
    choice = {"index": 0, "finish_reason": "stop"}
    said = {"role": "assistant", "content": "word " * 4000}
    if stream:
        parts = [{"choices": [{"index": 0, "delta": said}]}, {"choices": [{**choice, "delta": {}}]}]
        chunks = [b"data: " + json.dumps(part).encode() + b"\n\n" for part in parts]
        chunks.append(b"data: [DONE]\n\n")
    else:
        chunks = [json.dumps({"choices": [{**choice, "message": said}]}).encode()]
    scene.fake.books.recordings["long"] = recording(200, SSE if stream else JSON, chunks)
    answer = await scene.post(stream=stream, max_tokens=1, fake={"replay": "long"})
    assert answer.body == b"".join(chunks)
    [row] = await scene.settled()
    assert row["output"] == 5000
    await scene.bill(end_state="complete", flags=["estimated"], charge=row["held"])
    assert row["charge"] < price(output=5000)


@both
async def test_more_than_the_hold_is_paid_from_the_wallet(scene, stream):
    usage = {"prompt_tokens": 10, "completion_tokens": 9000, "total_tokens": 9010}
    choice = {"index": 0, "finish_reason": "stop"}
    said = {"role": "assistant", "content": "hi"}
    if stream:
        parts = [
            {"choices": [{**choice, "finish_reason": None, "delta": said}]},
            {"choices": [{**choice, "delta": {}}], "usage": usage},
        ]
        chunks = [b"data: " + json.dumps(part).encode() + b"\n\n" for part in parts]
        chunks.append(b"data: [DONE]\n\n")
    else:
        chunks = [json.dumps({"choices": [{**choice, "message": said}], "usage": usage}).encode()]
    scene.fake.books.recordings["dear"] = recording(200, SSE if stream else JSON, chunks)
    await scene.post(stream=stream, max_tokens=1, fake={"replay": "dear"})
    row = await scene.bill(end_state="complete", charge=price(10, 9000), input=10, output=9000)
    assert row["held"] < row["charge"]


@both
async def test_another_model_than_asked_for_is_flagged(scene, stream):
    choice = {"index": 0, "finish_reason": "stop"}
    said = {"role": "assistant", "content": "hi"}
    usage = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
    kind = "delta" if stream else "message"
    whole = {"model": "gpt-other", "choices": [{**choice, kind: said}], "usage": usage}
    body = json.dumps(whole).encode()
    if stream:
        body = b"data: " + body + b"\n\ndata: [DONE]\n\n"
    scene.fake.books.recordings["other"] = recording(200, SSE if stream else JSON, [body])
    answer = await scene.post(
        stream=stream, stream_options={"include_usage": True}, fake={"replay": "other"}
    )
    assert answer.body == body
    row = await scene.bill(
        end_state="complete", flags=["model_mismatch"], input=7, output=2, charge=price(7, 2)
    )
    assert (row["model_sent"], row["model_answered"]) == ("gpt-test", "gpt-other")


async def test_a_usage_frame_that_was_not_asked_for_is_hidden(scene):
    answer = await scene.post(stream=True, fake={"tokens": 3, "prompt_tokens": 9})
    assert b'"usage"' not in answer.body and answer.done
    sent = json.loads(scene.fake.books.calls[-1].body)
    assert sent["stream_options"] == {"include_usage": True}
    await scene.bill(end_state="complete", input=9, output=3, charge=price(9, 3))


async def test_a_usage_frame_that_was_asked_for_is_passed(scene):
    options = {"include_usage": True}
    fake = {"tokens": 3, "prompt_tokens": 9}
    answer = await scene.post(stream=True, stream_options=options, fake=fake)
    told = [json.loads(data).get("usage") for data in answer.events[:-1]]
    assert told[:-1] == [None] * (len(told) - 1)
    assert told[-1]["prompt_tokens"] == 9 and told[-1]["completion_tokens"] == 3
    assert answer.done
    await scene.bill(end_state="complete", input=9, output=3, charge=price(9, 3))


async def test_the_headers_of_a_whole_answer_tell_its_cost_and_the_balance(scene):
    answer = await scene.post(CHEAP, fake={"tokens": 3, "prompt_tokens": 9})
    row = await scene.bill(end_state="complete", charge=7_875, input=9, output=3, key=CHEAP)
    [wallet] = scene.rows("SELECT available FROM purse WHERE id = ?", row["wallet_id"])
    assert answer.headers["x-tollbridge-cost"] == "0.000007875"
    assert answer.headers["x-tollbridge-balance"] == format_usd(wallet["available"])


@both
async def test_a_compatible_account_answers_by_the_book(scene, stream):
    fake = {"tokens": 3, "prompt_tokens": 9, "role_in_every_delta": True}
    answer = await scene.post(COMPATIBLE, stream=stream, fake=fake)
    assert text_of(answer.body) == "Hello! I am" and answer.done is stream
    if stream:
        assert answer.body.count(b'"role"') == 1
        assert answer.body.count(b'"finish_reason":"stop"') == 1
    await scene.bill(end_state="complete", input=9, output=3, charge=price(9, 3), key=COMPATIBLE)
    await scene.seen(("vendor-comp", "done"))


async def test_two_choices_end_with_the_last_finish(scene):
    answer = await scene.post(MAIN, stream=True, n=2, fake={"tokens": 3, "prompt_tokens": 9})
    assert answer.body.count(b'"finish_reason":"stop"') == 2 and answer.done
    await scene.bill(end_state="complete", input=9, output=6, charge=price(9, 6))
