"""Moderations: free unless the upstream names tokens."""

import json

import pytest

from tests.protocols import recordings
from tollbridge.protocols.json_peek import FieldError, peek
from tollbridge.protocols.moderations import (
    MODEL_DEFAULT,
    ModerationAsk,
    estimate,
    read_ask,
    read_reply,
)
from tollbridge.protocols.usage import Usage

ASK = ModerationAsk("m")


def reply(body):
    return read_reply(json.dumps(body).encode(), b"application/json", ASK)


def test_the_model_has_a_default():
    assert read_ask(peek(b'{"input": "a"}')).model == MODEL_DEFAULT
    assert read_ask(peek(b'{"input": ["a"], "model": "m"}')) == ASK


@pytest.mark.parametrize(
    ("body", "name"),
    [(b"{}", "input"), (b'{"input": 5}', "input"), (b'{"input":"a","model":5}', "model")],
)
def test_wrong_fields_are_named(body, name):
    with pytest.raises(FieldError) as caught:
        read_ask(peek(body))
    assert caught.value.name == name


def test_it_costs_nothing_unless_tokens_are_named():
    facts = reply({"results": [{}]})
    assert (facts.usage, facts.usage_seen, facts.finished, facts.empty) == (
        Usage(),
        False,
        True,
        False,
    )
    assert estimate(ASK) == Usage()
    assert reply({"results": [{}], "usage": {"prompt_tokens": 7}}).usage == Usage(input=7)


def test_what_is_no_answer_has_no_facts():
    assert read_reply(b"<html>", b"text/html", ASK).usage is None
    assert reply({"results": []}).empty and reply({"results": []}).usage is None
    assert reply({"error": {"message": "no"}}).error.message == "no"


def test_recordings(corpus):
    every = recordings.load(corpus, "openai_moderations")
    for recording in every:
        facts = reply(recording.body)
        assert (facts.usage, facts.finished, facts.empty) == (Usage(), True, False)
        assert facts.model == recording.body["model"]
        if recording.request is not None:
            ask = read_ask(peek(json.dumps(recording.request).encode()))
            assert ask.model == recording.request.get("model", MODEL_DEFAULT)
    assert len(every) == 6
