"""The end table, "upstream cut": after content, before it, without an end, silent after the finish."""

import json

import pytest

from tests.faults.stage import COMPATIBLE, MAIN, PAIR, price
from tollbridge.demo.fake_books import AccountScript

ENVIRON = {"FIRST_BYTE_TIMEOUT_S": "1.5", "IDLE_TIMEOUT_S": "1.5", "FINISH_SILENCE_S": "0.8"}
pytestmark = pytest.mark.asyncio(loop_scope="session")

# All count the role event. The greeting is "Hello! I am gpt-test, or rather …", a word a token.
BREAKS = {
    "cut": {"cut_after": 4},
    "error": {"error_event_after": 4},
    "ends": {"tokens": 3, "no_finish": True, "no_done": True, "usage": "none"},
    "empty end": {"tokens": 3, "no_finish": True, "finish_without_usage": True},
}


def broken_off(answer):
    """Return the error that ended a stream, whose shape is checked."""
    assert answer.status == 200 and b"[DONE]" not in answer.body
    last = json.loads(answer.events[-1])
    assert last["choices"] == [{"index": 0, "delta": {}, "finish_reason": "error"}]
    assert last["object"] == "chat.completion.chunk" and last["model"] == "gpt-test"
    assert last["error"]["tid"] == answer.tid and last["error"]["code"]
    assert b"finish_reason" not in b"".join(answer.events[:-1]).replace(
        b'"finish_reason":null', b""
    )
    return last["error"]


@pytest.mark.parametrize("key", [MAIN, COMPATIBLE], ids=["main", "compatible"])
@pytest.mark.parametrize("name", BREAKS)
async def test_cut_after_content_pays_for_what_was_streamed(scene, name, key):
    answer = await scene.post(key, stream=True, fake=BREAKS[name])
    broken_off(answer)
    assert b"Hello!" in answer.body and b"am" in answer.body and b"gpt-test," not in answer.body
    [row] = await scene.settled()
    # "Hello! I am" are eleven bytes: three tokens.
    flags = ["partial", "estimated"]
    await scene.bill(
        end_state="partial", status=200, flags=flags, output=3, charge=price(row["input"], 3),
        key=key,
    )  # fmt: skip
    await scene.seen(("vendor-main" if key == MAIN else "vendor-comp", "done"))


async def test_an_end_without_a_finish_is_a_cut_and_its_usage_counts(scene):
    fake = {"tokens": 3, "prompt_tokens": 8, "no_finish": True, "no_done": True}
    answer = await scene.post(stream=True, fake=fake)
    broken_off(answer)
    await scene.bill(end_state="partial", flags=["partial"], input=8, output=3, charge=price(8, 3))


async def test_silence_after_content_is_a_cut(scene):
    fake = {"tokens": 3, "event_delay_ms": 5000}
    scene.fake.books.accounts["vendor-main"] = AccountScript({"coalesce": 3})
    answer = await scene.post(stream=True, fake=fake)
    broken_off(answer)
    assert b"Hello!" in answer.body
    [row] = await scene.settled()
    await scene.bill(
        end_state="partial", flags=["partial", "estimated"],
        charge=price(row["input"], row["output"]),
    )  # fmt: skip
    await scene.seen(("vendor-main", "aborted"))


async def test_after_content_no_other_account_is_tried(scene):
    scene.fake.books.accounts["vendor-first"] = AccountScript({"cut_after": 4})
    answer = await scene.post(PAIR, stream=True)
    broken_off(answer)
    [row] = await scene.settled()
    await scene.bill(
        end_state="partial", flags=["partial", "estimated"], output=3,
        charge=price(row["input"], 3), key=PAIR,
    )  # fmt: skip
    await scene.seen(("vendor-first", "done"))


@pytest.mark.parametrize("events", [0, 1])
async def test_before_content_another_account_answers_unseen(scene, events):
    scene.fake.books.accounts["vendor-first"] = AccountScript({"cut_after": events})
    answer = await scene.post(PAIR, stream=True, fake={"tokens": 3, "prompt_tokens": 8})
    assert answer.done and answer.body.count(b'"role"') == 1
    await scene.bill(end_state="complete", input=8, output=3, charge=price(8, 3), key=PAIR)
    await scene.seen(("vendor-first", "done"), ("vendor-second", "done"))


@pytest.mark.parametrize("key", [MAIN, COMPATIBLE], ids=["main", "compatible"])
async def test_a_finish_without_done_is_complete(scene, key):
    fake = {"tokens": 3, "prompt_tokens": 8, "no_done": True}
    answer = await scene.post(key, stream=True, fake=fake)
    assert answer.body.count(b'"finish_reason":"stop"') == 1
    await scene.bill(end_state="complete", input=8, output=3, charge=price(8, 3), key=key)


@pytest.mark.parametrize("key", [MAIN, COMPATIBLE], ids=["main", "compatible"])
async def test_a_finish_and_an_end_without_usage_is_complete_by_estimate(scene, key):
    answer = await scene.post(key, stream=True, fake={"tokens": 3, "finish_without_usage": True})
    assert answer.body.count(b'"finish_reason":"stop"') == 1
    [row] = await scene.settled()
    await scene.bill(
        end_state="complete", flags=["estimated"], output=3, charge=price(row["input"], 3), key=key
    )


@pytest.mark.parametrize("key", [MAIN, COMPATIBLE], ids=["main", "compatible"])
async def test_silence_after_the_finish_is_settled_by_estimate_and_ended_properly(scene, key):
    fake = {"tokens": 3, "prompt_tokens": 8, "silent_after_finish_ms": 60_000}
    answer = await scene.post(key, stream=True, fake=fake)
    assert answer.done and answer.body.count(b'"finish_reason":"stop"') == 1
    [row] = await scene.settled()
    await scene.bill(
        end_state="complete", flags=["estimated"], output=3, charge=price(row["input"], 3), key=key
    )
    await scene.seen(("vendor-main" if key == MAIN else "vendor-comp", "aborted"))


async def test_usage_that_comes_soon_after_the_finish_is_waited_for(scene):
    fake = {"tokens": 3, "prompt_tokens": 8, "silent_after_finish_ms": 150}
    answer = await scene.post(stream=True, fake=fake)
    assert answer.done
    await scene.bill(end_state="complete", input=8, output=3, charge=price(8, 3))
    await scene.seen(("vendor-main", "done"))


async def test_a_cut_between_the_finish_and_the_end_is_a_cut(scene):
    # Role, three words, finish; then neither usage nor [DONE]: nobody knows that it was all.
    answer = await scene.post(stream=True, fake={"tokens": 3, "cut_after": 5})
    broken_off(answer)
    [row] = await scene.settled()
    await scene.bill(
        end_state="partial",
        flags=["partial", "estimated"],
        output=3,
        charge=price(row["input"], 3),
    )
    await scene.seen(("vendor-main", "done"))
