"""Legacy text completions pass as they are, both ways, on every kind of channel, and are charged."""

import json

import pytest
from openai import APIStatusError, BadRequestError, NotFoundError

from tests.conformance import oracle
from tests.conformance.till import (
    BROKE,
    MODEST,
    MULTIPLIERS,
    PRICES,
    TEXT,
    TOKENS,
    fake,
    make,
    make_async,
)
from tollbridge.demo.fake_reply import recording

PATH = "/v1/completions"
ASK = {"model": "gpt-test", "prompt": "Say something nice."}
USAGE = (
    '{"prompt_tokens": 12, "completion_tokens" :3,"total_tokens":15,'
    '"prompt_tokens_details":{"cached_tokens":4}, "odd": {"a": 1.50}}'
)
COUNTS = {"input": 8, "cache_read": 4, "output": 3}
# Odd spaces, escapes, numbers and members: whatever is read and written anew looks different.
ANSWER = (
    '{ "id":"cmpl-1" ,"object":"text_completion","created":1,"model":"gpt-else","choices":[\n'
    '{"text":"Gr\\u00fc\u00dfe \\ud83c\\udf89","index":0,"logprobs":null,"finish_reason":"stop",'
    '"odd":[1.0]}],  "usage":' + USAGE + ',"unknown":1e3}\n'
).encode()
PIECE = (
    'data:  {"id":"cmpl-1","object":"text_completion","created":1,"model":"gpt-else","choices":'
    '[{"index":0,"text":"Gr\\u00fc\u00dfe","logprobs":null,"finish_reason":null}],"odd":1.0%s}\n\n'
)
LAST = PIECE.replace('"finish_reason":null', '"finish_reason":"stop"')
NULL = ',"usage":null'
END = 'data: {"id":"cmpl-1","choices":[],"usage":' + USAGE + "}\n\n"


def stream_of(null, end):
    pieces = (": hello\n\n", PIECE % null, PIECE % null, LAST % null, end, "data: [DONE]\n\n")
    return "".join(pieces).encode()


def replayed(till, key, members, answer, kind="application/json"):
    """Let the vendor give this answer in small pieces; return the reply, what was sent and got."""
    pieces = [answer[at : at + 7] for at in range(0, len(answer), 7)]
    till.books.recordings["this"] = recording(200, {"content-type": kind}, pieces)
    sent = ("{" + members + ',\n "fake" :{"replay":"this"}}').encode()
    reply = till.call(key, PATH, sent)
    assert reply.status_code == 200, reply.text
    call = till.books.calls[-1]
    assert call.path == PATH
    return reply, sent, call.body


def check_charge(till, key, tid, counts):
    receipt = till.receipt(key, tid)
    nano = oracle.charge(counts, PRICES, *MULTIPLIERS[key])
    assert {name: n for name, n in receipt["counts"].items() if name != "reasoning"} == counts
    assert receipt["charge"] == f"{nano // 10**9}.{nano % 10**9:09d}".rstrip("0")
    assert receipt["end_state"] == "complete"


@pytest.mark.parametrize(
    "prompt", ['"Hello \\u4f60"', '["one", "two"]', "[1, 2 ,3]", "[[1],[2, 3]]"]
)
def test_a_whole_answer_passes_to_the_byte(till, key, prompt):
    body = f'"suffix": "\\u00e9",  "prompt" : {prompt} ,"model":"gpt-test","unknown":1.50'
    reply, sent, received = replayed(till, key, body, ANSWER)
    assert reply.content == ANSWER
    assert received == sent
    check_charge(till, key, reply.headers["x-request-id"], COUNTS)


def test_a_stream_passes_to_the_byte(till, key):
    options = '"stream_options":{ "odd":1.0 , "include_usage" :true }'
    body = f'"model": "gpt-test", "prompt":"Hello",  "stream":true , {options}'
    recorded = stream_of(NULL, END)
    reply, sent, received = replayed(till, key, body, recorded, "text/event-stream")
    assert reply.content == recorded
    assert received == sent
    check_charge(till, key, reply.headers["x-request-id"], COUNTS)


@pytest.mark.parametrize("options", ["", ', "stream_options":{ "odd":1.0}'])
def test_usage_that_was_not_asked_for_is_hidden(till, key, options):
    body = f'"model": "gpt-test", "prompt":"Hello",  "stream":true{options}'
    recorded = stream_of(NULL, END)
    reply, sent, received = replayed(till, key, body, recorded, "text/event-stream")
    assert reply.content == stream_of("", "")
    asked = json.loads(received)
    assert asked.pop("stream_options").pop("include_usage") is True
    plain = json.loads(sent)
    plain.pop("stream_options", None)
    assert asked == plain
    check_charge(till, key, reply.headers["x-request-id"], COUNTS)


def test_without_usage_the_charge_is_an_estimate(till, key):
    body = '"model": "gpt-test", "prompt":"Hello",  "stream":true'
    reply, _, _ = replayed(till, key, body, stream_of("", ""), "text/event-stream")
    assert reply.content == stream_of("", "")
    receipt = till.receipt(key, reply.headers["x-request-id"])
    assert "estimated" in receipt["flags"]
    # Three pieces of seven bytes in UTF-8, at a token for four bytes.
    assert receipt["counts"]["output"] == 6
    assert receipt["charge"] != "0.00"


@pytest.mark.parametrize("limit", [None, 16, 30_000])
def test_a_limit_is_written_only_where_the_money_asks_for_it(till, limit):
    """The hold pays for so many tokens, so the vendor may write no more (money.md, "Bound")."""
    fields = "" if limit is None else f', "max_tokens": {limit}'
    body = f'"model":  "gpt-test", "prompt":"Hello"{fields}'
    reply, sent, received = replayed(till, MODEST, body, ANSWER)
    written = reply.headers.get("x-tollbridge-max-output")
    if limit != 30_000:
        assert (written, received) == (None, sent)
        return
    assert 16 < int(written) < limit
    assert received == sent.replace(b"30000", written.encode())


def test_the_sdk_reads_completions(till, key, client):
    raw = client.completions.with_raw_response.create(**ASK, n=2, best_of=2, **fake())
    completion = raw.parse()
    assert [choice.text for choice in completion.choices] == [TEXT, TEXT]
    assert completion.usage.completion_tokens == 2 * (TOKENS + 5)
    counts = {"input": 221, "cache_read": 100, "output": 2 * (TOKENS + 5)}
    check_charge(till, key, raw.request_id, counts)


async def test_the_sdk_reads_streams_of_completions(till, key):
    # The SDK's own model of a text chunk demands an end of each, which no vendor's has.
    with make(till, key, _strict_response_validation=False) as client:
        raw = client.completions.with_raw_response.create(**ASK, stream=True, **fake())
        with raw.parse() as stream:
            chunks = list(stream)
    assert "".join(chunk.choices[0].text for chunk in chunks) == TEXT
    assert chunks[-1].choices[0].finish_reason == "stop"
    counts = {"input": 221, "cache_read": 100, "output": TOKENS + 5}
    check_charge(till, key, raw.request_id, counts)
    async with make_async(till, key, _strict_response_validation=False) as client:
        stream = await client.completions.create(
            **ASK, stream=True, stream_options={"include_usage": True}, **fake()
        )
        async with stream:
            chunks = [chunk async for chunk in stream]
    said = [choice.text for chunk in chunks for choice in chunk.choices]
    assert "".join(said) == TEXT
    assert chunks[-1].usage.prompt_tokens == 321


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"prompt": {"text": "no"}}, "invalid_value", "prompt"),
        ({"max_tokens": 1_000_000}, "max_tokens_too_large", "max_tokens"),
        ({"best_of": 0}, "invalid_value", "best_of"),
    ],
)
def test_wrong_completions(client, fields, code, param):
    with pytest.raises(BadRequestError) as caught:
        client.completions.create(**ASK, extra_body=fields)
    assert (caught.value.code, caught.value.param) == (code, param)


def test_refused_completions(till, client):
    with pytest.raises(NotFoundError) as missing:
        client.completions.create(model="gpt-tset", prompt="Hello")
    assert missing.value.code == "model_not_found"
    with make(till, BROKE) as broke, pytest.raises(APIStatusError) as empty:
        broke.completions.create(**ASK)
    assert (empty.value.status_code, empty.value.code) == (402, "insufficient_quota")
