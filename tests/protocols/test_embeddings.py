"""Embeddings: inputs are counted, vectors are never built, usage is what the upstream says."""

import json

import pytest

from tests.protocols import recordings
from tollbridge.protocols.embeddings import INPUTS_MAX, estimate, read_ask, read_reply
from tollbridge.protocols.json_peek import FieldError, RangeError, peek
from tollbridge.protocols.usage import Usage


def ask_of(**fields):
    return read_ask(peek(json.dumps({"model": "m", "input": "a", **fields}).encode()))


@pytest.mark.parametrize(
    ("given", "inputs", "tokens"),
    [
        ("hello", 1, None),
        (["a", "b", "c"], 3, None),
        ([1, 2, 3], 1, 3),
        ([[1, 2], [3]], 2, 3),
        ([{"type": "text", "text": "a"}], 1, None),
    ],
)
def test_inputs_are_counted(given, inputs, tokens):
    ask = ask_of(input=given)
    assert (ask.inputs, ask.tokens) == (inputs, tokens)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"model": ""}, "model"),
        ({"input": None}, "input"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": 5}, "input"),
        ({"input": {}}, "input"),
        ({"input": [1, "a"]}, "input"),
        ({"input": [1.5]}, "input"),
        ({"input": [[1], "a"]}, "input"),
        ({"encoding_format": 5}, "encoding_format"),
        ({"dimensions": "5"}, "dimensions"),
    ],
)
def test_wrong_fields_are_named(fields, name):
    with pytest.raises(FieldError) as caught:
        ask_of(**fields)
    assert caught.value.name == name


def test_too_many_inputs():
    assert ask_of(input=["a"] * INPUTS_MAX).inputs == INPUTS_MAX
    assert ask_of(input=[1] * (INPUTS_MAX + 1)).tokens == INPUTS_MAX + 1
    with pytest.raises(RangeError):
        ask_of(input=["a"] * (INPUTS_MAX + 1))


def test_the_estimate_knows_tokens():
    assert estimate(ask_of(input=[1] * 99)) == Usage(input=99)
    assert estimate(ask_of(input="four" * 10)) == Usage(input=11)


def reply(body):
    return read_reply(body if isinstance(body, bytes) else json.dumps(body).encode(), b"", ASK)


ASK = ask_of()


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b"5", b'{"data": ' + b"[" * 100_000])
def test_what_is_no_answer_has_no_facts(body):
    facts = reply(body)
    assert (facts.usage, facts.finished, facts.empty) == (None, False, True)


def test_odd_answers():
    assert reply({"data": []}).empty and reply({"data": []}).finished
    assert not reply({"data": "x"}).finished
    assert reply({"data": [[0.5]], "model": 5}).usage is None
    assert reply({"error": {"message": "no", "code": 429}}).error.status == 429
    assert reply({"data": [1], "usage": {"total_tokens": 4}}).usage == Usage(input=4)
    assert reply({"data": [1], "usage": {"prompt_tokens": 0}}).usage == Usage()


def recorded(corpus):
    """Return the recordings of this endpoint: two of the folder are of other ones."""
    every = recordings.load(corpus, "openai_embeddings")
    return [recording for recording in every if recording.body.get("object") == "list"]


def test_recorded_answers(corpus):
    seen = 0
    for recording in recorded(corpus):
        facts = reply(recording.body)
        assert facts.usage == Usage(input=recording.body["usage"]["prompt_tokens"])
        assert facts.usage_seen
        assert facts.finished and not facts.empty
        assert facts.model == recording.body.get("model")
        seen += 1
    assert seen > 15


def test_recorded_requests(corpus):
    kinds = set()
    for recording in recorded(corpus):
        if recording.request is not None:
            ask = read_ask(peek(json.dumps(recording.request).encode()))
            assert ask.inputs == len(recording.body["data"])
            kinds.add(recording.request.get("encoding_format"))
            if ask.tokens is not None:
                assert recording.body["usage"]["prompt_tokens"] == ask.tokens
    assert {"float", "base64", None} <= kinds
