"""Proof of what the gate reads of requests for vectors, and the meter of the answers."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.facts import ReplyFacts
from tollbridge.protocols.gemini_vectors import VectorAsk, read_ask, read_reply
from tollbridge.protocols.json_peek import FieldError, peek
from tollbridge.protocols.usage import Usage

CONTENT = {"parts": [{"text": "hello"}]}


def asked(body, *, batch):
    return read_ask(peek(msgspec.json.encode(body)), model="m", batch=batch)


@pytest.mark.parametrize("named", [{}, {"model": "m"}, {"model": "models/m"}, {"model": None}])
def test_one_content_and_many(named):
    assert asked({"content": CONTENT, **named}, batch=False) == VectorAsk("m", batch=False)
    requests = [{"content": CONTENT, **named}] * 3
    assert asked({"requests": requests}, batch=True) == VectorAsk("m", batch=True)


@pytest.mark.parametrize(
    ("body", "batch", "name"),
    [
        ({}, False, "content"),
        ({"content": "hello"}, False, "content"),
        ({"content": CONTENT, "model": "models/dearer"}, False, "model"),
        ({"content": CONTENT, "model": 7}, False, "model"),
        ({}, True, "requests"),
        ({"requests": []}, True, "requests"),
        ({"requests": [1]}, True, "requests"),
        ({"requests": [{"model": "m"}, {"model": "models/dearer"}]}, True, "requests[1].model"),
        ({"requests": [{"model": ["m"]}]}, True, "requests[0].model"),
    ],
)
def test_what_is_refused(body, batch, name):
    with pytest.raises(FieldError) as info:
        asked(body, batch=batch)
    assert info.value.name == name


@pytest.mark.parametrize(
    "body", [b'{"embedding":{"values":[1]}}', b'{ "embeddings" : [{"values":[1]}]}']
)
def test_an_answer_with_vectors(body):
    facts = read_reply(body)
    assert (facts.finished, facts.empty, facts.usage) == (True, False, None)
    told = read_reply(body[:-1] + b',"usageMetadata":{"promptTokenCount":7}}')
    assert (told.usage, told.usage_seen) == (Usage(input=7), True)


def test_an_error_is_none():
    facts = read_reply(b'{"error":{"code":429,"message":"no"}}')
    assert facts.error is not None and facts.error.status == 429
    assert facts.empty and not facts.finished


@given(st.binary(max_size=80))
def test_no_answer_raises(body):
    assert isinstance(read_reply(body), ReplyFacts)
