"""Transcriptions: JSON, text and subtitles; tokens, seconds or nothing told; recordings agree."""

import json
import math

import pytest

from tests.protocols import recordings
from tests.protocols.forms import CONTENT_TYPE, fields, form, part, recorded
from tests.protocols.test_sound_length import wav
from tollbridge.protocols.json_peek import FieldError
from tollbridge.protocols.media_usage import Counted
from tollbridge.protocols.multipart import read_form
from tollbridge.protocols.sound_length import SoundLength
from tollbridge.protocols.transcriptions import (
    TOKENS_PER_SECOND,
    counted,
    estimate,
    read_ask,
    read_reply,
)
from tollbridge.protocols.usage import Usage

SOUND = bytes(32_000)


def ask_of(sound: bytes = SOUND, **texts):
    return read_ask(read_form(fields({"file": sound}, model="m", **texts), CONTENT_TYPE))


ASK = ask_of()


def reply(body, content_type=b"application/json", ask=ASK):
    return read_reply(
        body if isinstance(body, bytes) else json.dumps(body).encode(), content_type, ask
    )


def test_what_is_asked():
    assert (ASK.model, ASK.file_bytes, ASK.response_format, ASK.stream) == (
        "m",
        32_000,
        "json",
        False,
    )
    assert ASK.length == SoundLength(likely=2, most=32)
    assert counted(ASK) == Counted(seconds=32)
    assert counted(ask_of(wav(16_001))) == Counted(seconds=2)
    ask = ask_of(stream="true", response_format="vtt", prompt="söft")
    assert (ask.stream, ask.response_format, ask.prompt_bytes) == (True, "vtt", 5)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (fields({"file": b"x"}), "model"),
        (fields(model="m"), "file"),
        (fields({"file": b""}, model="m"), "file"),
        (fields(model="m", file="x"), "file"),
        (form([part("model", b"m"), *[part("file", b"x", filename="a")] * 2]), "file"),
        (fields({"file": b"x"}, model="m", stream="maybe"), "stream"),
    ],
)
def test_wrong_fields_are_named(body, name):
    with pytest.raises(FieldError) as caught:
        read_ask(read_form(body, CONTENT_TYPE))
    assert caught.value.name == name


@pytest.mark.parametrize(
    ("body", "usage"),
    [
        ({"text": "a", "usage": {"type": "duration", "seconds": 37}}, Usage(second=37)),
        ({"text": "a", "duration": 36.2}, Usage(second=37)),
        ({"text": "a", "duration": 3.7, "usage": {"seconds": 9}}, Usage(second=9)),
        (
            {"text": "a", "duration": 3.7, "usage": {"input_tokens": 3, "output_tokens": 4}},
            Usage(input=3, output=4, second=4),
        ),
        ({"text": "a"}, None),
        ({"text": "a", "duration": "3", "usage": []}, None),
        ({"duration": 3}, None),
    ],
)
def test_usage_is_what_the_answer_tells(body, usage):
    assert reply(body).usage == usage


@pytest.mark.parametrize("response_format", ["text", "srt", "vtt"])
def test_text_and_subtitles_are_answers(response_format):
    ask = ask_of(response_format=response_format)
    facts = reply("1\n00:00 --> 00:01\nä".encode(), b"text/plain; charset=utf-8", ask)
    assert (facts.usage, facts.usage_seen, facts.finished, facts.empty) == (
        None,
        False,
        True,
        False,
    )
    assert facts.text_bytes == 20
    assert not reply(b"", b"text/plain", ask).empty
    # A text that looks like an answer in JSON is somebody's words.
    assert reply(b'{"text": "", "duration": 1}', b"text/plain", ask).usage is None


def test_an_answer_in_json_may_be_badly_named():
    assert reply({"text": "a", "duration": 1}, b"text/plain").usage == Usage(second=1)
    assert reply({"text": "a", "duration": 1}, b"").usage == Usage(second=1)
    assert not reply(b"words", b"text/plain").empty


def test_silence_is_an_answer_and_nothing_is_not():
    assert not reply({"text": ""}).empty and reply({"text": ""}).finished
    for body in (b"", b"x", b"[]", b"{}"):
        assert reply(body).empty and not reply(body).finished
    failed = reply({"error": {"message": "no", "code": "bad"}}, ask=ask_of(response_format="srt"))
    assert failed.error.code == "bad" and failed.empty


def test_estimates():
    assert estimate(ask_of(prompt="four"), 9) == Usage(
        input=1, output=3, audio_input=2 * TOKENS_PER_SECOND, second=2
    )


def by_hand(body) -> Usage | None:
    """Read a recorded answer's figures in the plainest way."""
    said = body.get("usage") or {}
    details = said.get("input_token_details") or said.get("prompt_tokens_details") or {}
    heard = details.get("audio_tokens", 0)
    seconds = said.get("seconds", said.get("prompt_audio_seconds", body.get("duration")))
    if not said and seconds is None:
        return None
    sent = said.get("input_tokens", said.get("total_tokens", 0) - said.get("completion_tokens", 0))
    return Usage(
        input=sent - heard,
        audio_input=heard,
        output=said.get("output_tokens", said.get("completion_tokens", 0)),
        second=0 if seconds is None else math.ceil(seconds),
    )


def test_recordings(corpus):
    kinds = set()
    for recording in recordings.load(corpus, "openai_audio"):
        if recording.body is None or not recording.file.startswith("audio.tran"):
            continue
        body = recorded(recording.request)
        ask = ASK if body is None else read_ask(read_form(body, CONTENT_TYPE))
        facts = reply(recording.body, ask=ask)
        assert facts.usage == by_hand(recording.body), recording.file
        assert facts.finished and not facts.empty
        assert facts.text_bytes == len(recording.body["text"].encode())
        kinds.add((recording.body.get("usage") or {}).get("type"))
        if facts.usage is not None and body is not None:
            assert facts.usage.second <= ask.length.most
    assert {"tokens", "duration", None} <= kinds
