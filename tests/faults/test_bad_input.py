"""Proof that a body nobody can use is refused clearly, free of charge, and by the gateway itself."""

import json
from typing import Any

import pytest

from tests.faults.till import BEARER, CHAT, Till, answered_while, called, refused, request
from tests.services.gateway import chat

pytestmark = pytest.mark.asyncio(loop_scope="session")

COMPLETIONS = "/v1/completions"
MODEL = b'"model":"gpt-test"'
MESSAGES = b'"messages":[{"role":"user","content":"hi"}]'
DEEP = 10_000
MIB = 1 << 20


def body_of(*members: bytes) -> bytes:
    return b"{" + b",".join(members) + b"}"


NOT_JSON = {
    "nothing": (b"", "no body"),
    "blanks": (b" \r\n\t", "no body"),
    "a brace": (b"{", "not valid JSON"),
    "words": (b"hello", "not valid JSON"),
    "a form": (b"model=gpt-test&messages=hi", "not valid JSON"),
    "single quotes": (b"{'model':'gpt-test'}", "not valid JSON"),
    "a trailing comma": (body_of(MODEL, MESSAGES)[:-1] + b",}", "not valid JSON"),
    "a comment": (b"/* */" + body_of(MODEL, MESSAGES), "not valid JSON"),
    "NaN": (body_of(MODEL, MESSAGES, b'"n":NaN'), "not valid JSON"),
    "two documents": (body_of(MODEL, MESSAGES) * 2, "not valid JSON"),
    "a line break in a string": (body_of(MODEL, b'"messages":["a\nb"]'), "not valid JSON"),
    "half a body": (body_of(MODEL, MESSAGES)[:-9], "not valid JSON"),
    "a byte order mark": (b"\xef\xbb\xbf" + body_of(MODEL, MESSAGES), "not valid JSON"),
    "UTF-16": (body_of(MODEL, MESSAGES).decode().encode("utf-16"), "not valid"),
    "Latin-1": (body_of(MODEL, b'"messages":["caf\xe9"]'), "not valid UTF-8"),
    "an overlong slash": (body_of(MODEL, b'"messages":["\xc0\xaf"]'), "not valid UTF-8"),
    "a raw surrogate": (body_of(MODEL, b'"messages":["\xed\xa0\x80"]'), "not valid UTF-8"),
    "bytes in a name": (body_of(MODEL, MESSAGES, b'"\xff":1'), "not valid UTF-8"),
    "an array": (b"[" + body_of(MODEL, MESSAGES) + b"]", "must be a JSON object"),
    "a string": (b'"hello"', "must be a JSON object"),
    "a number": (b"5", "must be a JSON object"),
    "null": (b"null", "must be a JSON object"),
    "deep messages": (
        body_of(MODEL, b'"messages":' + b"[" * DEEP + b"]" * DEEP),
        "nested too deeply",
    ),
    "deep objects": (
        body_of(MODEL, MESSAGES, b'"x":' + b'{"a":' * DEEP + b"1" + b"}" * DEEP),
        "nested too deeply",
    ),
    "only depth": (b"[" * DEEP, "must be a JSON object"),
    "a deep unfinished object": (b'{"a":' * DEEP, "nested too deeply"),
    "one level too many": (
        body_of(MODEL, MESSAGES, b'"x":' + b"[" * 128 + b"]" * 128),
        "nested too deeply",
    ),
}


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
@pytest.mark.parametrize("name", NOT_JSON)
async def test_what_is_no_usable_json_is_told_so(till: Till, name: str, path: str):
    body, words = NOT_JSON[name]
    error = refused(await till.ask(called(body, path)), 400)
    assert error["type"] == "invalid_request_error"
    assert error["code"] == "invalid_json"
    assert words in error["message"]


@pytest.mark.parametrize(
    "twice",
    [
        body_of(MODEL, MESSAGES, MODEL),
        body_of(MODEL, MESSAGES, b'"model":"dearer"'),
        body_of(MODEL, MESSAGES, b'"mod\\u0065l":"dearer"'),
        body_of(b'"\\u006dodel":"dearer"', MESSAGES, MODEL),
        body_of(MODEL, MESSAGES, b'"max_tokens":1', b'"max_toke\\u006es":99'),
        body_of(MODEL, MESSAGES, MESSAGES),
        body_of(MODEL, MESSAGES, b'"seed":1', b'"seed":1'),
        body_of(MODEL, MESSAGES, b'"":1', b'"":2'),
    ],
)
async def test_a_name_that_stands_twice_could_be_read_in_two_ways(till: Till, twice: bytes):
    error = refused(await till.ask(called(twice)), 400)
    assert error["code"] == "duplicate_field"
    assert "twice" in error["message"]


async def test_an_option_that_stands_twice_is_refused_too(till: Till):
    twice = b'"stream_options":{"include_usage":true,"include_us\\u0061ge":false}'
    error = refused(await till.ask(called(body_of(MODEL, MESSAGES, twice))), 400)
    assert (error["code"], error["param"]) == ("invalid_value", "stream_options")


VALUES: dict[str, list[Any]] = {
    "an integer": [5.0, 5.5, "5", True, False, [], [1], {}, ""],
    "a string": [5, 0, 5.0, True, [], ["gpt-test"], {}, {"name": "gpt-test"}],
    "true or false": [0, 1, "true", "", [], {}, 1.0],
    "an array": [5, 5.0, "hi", "", True, {}, {"role": "user"}],
    "an object": [5, "x", True, [], [{"include_usage": True}]],
}
FIELDS = [
    (CHAT, "model", "a string"),
    (CHAT, "messages", "an array"),
    (CHAT, "max_tokens", "an integer"),
    (CHAT, "max_completion_tokens", "an integer"),
    (CHAT, "n", "an integer"),
    (CHAT, "stream", "true or false"),
    (CHAT, "stream_options", "an object"),
    (COMPLETIONS, "model", "a string"),
    (COMPLETIONS, "max_tokens", "an integer"),
    (COMPLETIONS, "n", "an integer"),
    (COMPLETIONS, "best_of", "an integer"),
    (COMPLETIONS, "stream", "true or false"),
    (COMPLETIONS, "echo", "true or false"),
    (COMPLETIONS, "stream_options", "an object"),
]


@pytest.mark.parametrize(("path", "name", "kind"), FIELDS)
async def test_a_field_of_a_wrong_type_is_named(till: Till, path: str, name: str, kind: str):
    for value in VALUES[kind]:
        error = refused(await till.ask(called({**chat(prompt="hi"), name: value}, path)), 400)
        assert (error["code"], error["param"]) == ("invalid_value", name), value
        assert f"Invalid '{name}': expected {kind}." == error["message"], value


@pytest.mark.parametrize(
    ("path", "name", "value", "param"),
    [
        (CHAT, "stream_options", {"include_usage": "yes"}, "stream_options.include_usage"),
        (CHAT, "stream_options", {"include_usage": 1}, "stream_options.include_usage"),
        (CHAT, "modalities", "text", "modalities"),
        (CHAT, "modalities", {"text": True}, "modalities"),
        (CHAT, "modalities", [1], "modalities"),
        (CHAT, "modalities", [["text"]], "modalities"),
        (CHAT, "messages", [], "messages"),
        (COMPLETIONS, "prompt", 5, "prompt"),
        (COMPLETIONS, "prompt", {"text": "hi"}, "prompt"),
        (COMPLETIONS, "prompt", ["hi"] * 2049, "prompt"),
    ],
)
async def test_what_is_wrong_inside_a_field_is_named(
    till: Till, path: str, name: str, value: Any, param: str
):
    error = refused(await till.ask(called({**chat(prompt="hi"), name: value}, path)), 400)
    assert (error["code"], error["param"]) == ("invalid_value", param)
    assert param in error["message"]


@pytest.mark.parametrize("blank", [b"[]", b"[ \r\n\t ]"])
async def test_messages_must_not_be_empty(till: Till, blank: bytes):
    error = refused(await till.ask(called(body_of(MODEL, b'"messages":' + blank))), 400)
    assert error["param"] == "messages"


@pytest.mark.parametrize("name", ["model", "messages"])
async def test_a_required_field_may_neither_miss_nor_be_null(till: Till, name: str):
    missing = {key: value for key, value in chat().items() if key != name}
    for body in (missing, {**missing, name: None}):
        error = refused(await till.ask(called(body)), 400)
        assert (error["code"], error["param"]) == ("invalid_value", name)


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_an_output_limit_must_be_one_that_can_be_met(till: Till, name: str):
    for value in (-5, 0, -(10**20)):
        error = refused(await till.ask(called(chat(**{name: value}))), 400)
        assert (error["code"], error["param"]) == ("invalid_value", name)
        assert "at least 1" in error["message"]
    for value in (32_769, 2**63, 10**20, 10**999):
        error = refused(await till.ask(called(chat(**{name: value}))), 400)
        assert error["code"] == "max_tokens_too_large"
        assert "32768" in error["message"]
    digits = body_of(MODEL, MESSAGES, b'"%b":' % name.encode() + b"9" * 5000)
    assert refused(await till.ask(called(digits)), 400)["param"] == name
    for text in (b"1e3", b"1E400", b"-0.0", b"5."):
        error = refused(
            await till.ask(called(body_of(MODEL, MESSAGES, b'"%b":' % name.encode() + text))), 400
        )
        assert error["code"] in {"invalid_value", "invalid_json"}


@pytest.mark.parametrize(
    ("path", "name"), [(CHAT, "n"), (COMPLETIONS, "n"), (COMPLETIONS, "best_of")]
)
async def test_copies_must_be_within_their_range(till: Till, path: str, name: str):
    for value in (0, -1, 129, 2**63, 10**20):
        error = refused(await till.ask(called({**chat(prompt="hi"), name: value}, path)), 400)
        assert (error["code"], error["param"]) == ("invalid_value", name)
        assert "between 1 and 128" in error["message"]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("GPT-TEST", True),
        ("gpt-Test", True),
        ("gpt-test ", True),
        ("gpt_test", True),
        ("gpt-tset", True),
        ("gpt-test\x00", True),
        ("gpt-*", False),
        ("*", False),
        ("../gpt-test", True),
        ("no-such-thing-at-all", False),
        ("\u2028", False),
        ("x" * MIB, False),
    ],
)
async def test_an_unknown_model_names_the_nearest(till: Till, name: str, nearest: bool):
    error = refused(await till.ask(called({**chat(), "model": name})), 404)
    assert error["code"] == "model_not_found"
    assert "exact and case-sensitive" in error["message"]
    if nearest:
        assert "did you mean gpt-test?" in error["message"]


async def test_a_model_that_is_no_text_is_refused(till: Till):
    for name in (b'""', b'"\\ud800"', b'"\\u12"'):
        error = refused(await till.ask(called(body_of(b'"model":' + name, MESSAGES))), 400)
        assert error["code"] in {"invalid_value", "invalid_json"}


async def test_a_hundred_megabytes_are_refused_before_they_are_sent(till: Till):
    client = await till.connect()
    lines = (BEARER, f"content-length: {100 * MIB}", "expect: 100-continue")
    head = "\r\n".join((f"POST {CHAT} HTTP/1.1", "host: a", *lines, "", ""))
    client.send(head.encode())
    error = refused(await client.answer(), 413)
    assert error["code"] == "request_too_large"
    assert str(32 * MIB) in error["message"]


async def test_a_hundred_megabytes_are_refused_while_they_are_sent(till: Till):
    client = await till.connect()
    client.send(request(CHAT, b"", BEARER)[:-5] + b"%d\r\n\r\n" % (100 * MIB))
    answer = await answered_while(client, (b"x" * MIB for _ in range(100)))
    refused(answer, 413)


async def test_a_hundred_megabytes_in_chunks_are_refused_at_the_limit(till: Till):
    client = await till.connect()
    head = (f"POST {CHAT} HTTP/1.1", "host: a", BEARER, "transfer-encoding: chunked", "", "")
    client.send("\r\n".join(head).encode())
    chunk = b"%x\r\n" % MIB + b" " * MIB + b"\r\n"
    sent = 0

    def pieces():
        nonlocal sent
        for _ in range(100):
            sent += 1
            yield chunk

    answer = await answered_while(client, pieces())
    assert refused(answer, 413)["code"] == "request_too_large"
    assert sent > 31, "refused before the limit was reached"


async def test_the_same_requests_without_their_fault_are_served(shared_till: Till):
    """A counter-proof: the refusals above are not due to anything else in these requests."""
    body = chat(max_tokens=32_768, n=1, seed=[], fake={"text": "hi"}, stream_options=None)
    raw = json.dumps(body)[:-1] + ', "x": ' + "[" * 127 + "]" * 127 + "}"
    assert (await shared_till.ask(called(raw.encode()))).status == 200
    legacy = {**chat(prompt=["hi"] * 128), "best_of": 1, "max_tokens": 0, "echo": False}
    assert (await shared_till.ask(called(legacy, COMPLETIONS))).status == 200
