"""Speech: characters are counted exactly, tokens are what the upstream tells or an estimate."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols import recordings
from tollbridge.protocols.json_peek import FieldError, peek
from tollbridge.protocols.media_request import Refused
from tollbridge.protocols.media_usage import Counted
from tollbridge.protocols.speech import (
    TOKENS_PER_SECOND,
    check_text,
    counted,
    estimate,
    read_ask,
    read_reply,
)
from tollbridge.protocols.usage import Usage


def ask_of(**fields):
    body = {"model": "m", "input": "This is a speech test!", "voice": "alloy", **fields}
    return read_ask(peek(json.dumps(body).encode()))


ASK = ask_of()


@given(st.text(min_size=1, max_size=50))
def test_characters_are_counted_exactly(text):
    ask = ask_of(input=text)
    assert ask.characters == len(text) == counted(ask).characters
    assert ask.input_bytes == len(text.encode())


def test_what_is_asked():
    ask = ask_of(input="ä\N{CLAPPER BOARD}", instructions="söft", response_format="pcm")
    assert (ask.characters, ask.input_bytes) == (2, 6 + 5)
    assert (ask.response_format, ask.stream) == ("pcm", False)
    assert ASK.response_format == "mp3"
    assert ask_of(stream_format="sse").stream and ask_of(stream=True).stream
    assert not ask_of(stream_format="audio").stream
    assert counted(ask) == Counted(characters=2)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"model": None}, "model"),
        ({"input": None}, "input"),
        ({"input": ""}, "input"),
        ({"input": ["a"]}, "input"),
        ({"instructions": 5}, "instructions"),
        ({"response_format": 5}, "response_format"),
        ({"stream": "true"}, "stream"),
    ],
)
def test_wrong_fields_are_named(fields, name):
    with pytest.raises(FieldError) as caught:
        ask_of(**fields)
    assert caught.value.name == name


def test_the_models_limit():
    check_text(ASK, 0)
    check_text(ASK, 22)
    with pytest.raises(Refused) as caught:
        check_text(ASK, 21)
    assert (caught.value.code, caught.value.param) == ("text_too_long", "input")
    assert "21" in caught.value.message


def test_a_sound_is_an_answer():
    facts = read_reply(b"ID3", b"audio/mpeg", ASK)
    assert facts.usage == Usage(character=22)
    assert (facts.usage_seen, facts.finished, facts.empty) == (False, True, False)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"", b"audio/mpeg"), (b"{}", b"application/json"), (b"x", b"application/json")],
)
def test_no_sound_is_no_answer(body, content_type):
    facts = read_reply(body, content_type, ASK)
    assert (facts.usage, facts.finished, facts.empty) == (None, False, True)


def test_answers_in_json():
    body = {"audio_data": "SUQz", "usage": {"input_tokens": 3, "output_tokens": 40}}
    facts = read_reply(json.dumps(body).encode(), b"application/json; charset=utf-8", ASK)
    assert facts.usage == Usage(input=3, audio_output=40, character=22)
    assert facts.usage_seen and facts.finished
    failed = read_reply(b'{"error": {"message": "no"}}', b"application/json", ASK)
    assert failed.error.message == "no" and failed.usage is None


def test_estimates():
    assert estimate(ASK) == Usage(input=6, audio_output=30, character=22)
    raw = ask_of(response_format="pcm")
    assert estimate(raw, 48_000 * 3).audio_output == 3 * TOKENS_PER_SECOND
    assert estimate(ASK, 48_000 * 3) == estimate(ASK)


def test_recordings(corpus):
    seen = 0
    for recording in recordings.load(corpus, "openai_audio"):
        if not recording.file.startswith("audio.speech"):
            continue
        ask = read_ask(peek(json.dumps(recording.request).encode()))
        binary = recording.body.get("__binary__")
        body = bytes(binary["bytes"]) if binary else json.dumps(recording.body).encode()
        facts = read_reply(body, b"audio/mpeg" if binary else b"application/json", ask)
        assert facts.usage == Usage(character=len(recording.request["input"]))
        assert facts.finished and not facts.empty
        seen += 1
    assert seen == 3
