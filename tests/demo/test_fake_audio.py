"""Audio endpoints: sounds, transcripts in each format, and what they count."""

import json

import pytest
from openai.types.audio import Transcription, TranscriptionDiarized, TranscriptionVerbose

from tests.demo.talking import bare
from tollbridge.demo import fake_audio
from tollbridge.demo.fake_audio import SpeechAsk
from tollbridge.demo.fake_form import File, Form
from tollbridge.demo.fake_samples import MP3, wav
from tollbridge.demo.fake_script import BadAsk, Script


def form(model="whisper-1", **texts):
    found = {name: [value] for name, value in {"model": model, **texts}.items()}
    return Form(found, [File("file", "a.wav", wav(3))])


def written(script=None, task="transcribe", **texts):
    body, kind = fake_audio.transcript(form(**texts), script or Script(text="a b"), task)
    return json.loads(body) if kind == "application/json" else (body.decode(), kind)


@pytest.mark.parametrize(
    ("name", "kind", "start"),
    [
        (None, "audio/mpeg", MP3[:4]),
        ("wav", "audio/wav", b"RIFF"),
        ("pcm", "audio/pcm", b"\0\0\0\0"),
        ("opus", "audio/opus", MP3[:4]),
    ],
)
def test_sounds(name, kind, start):
    asked = SpeechAsk("tts-1", "Hello", "alloy", response_format=name)
    sound, found = fake_audio.speech(asked, Script())
    assert (found, sound[:4]) == (kind, start)
    assert len(fake_audio.speech(asked, Script(seconds=4))[0]) > len(sound)


def test_sounds_as_events():
    asked = SpeechAsk("gpt-4o-mini-tts", "Hello", "alloy")
    events = list(fake_audio.speech_stream(asked, Script(events=3, seconds=2)))
    found = bare(events)
    assert [one["type"].rpartition(".")[2] for one in found] == ["delta"] * 3 + ["done"]
    assert found[-1]["usage"] == {"input_tokens": 1, "output_tokens": 20, "total_tokens": 21}
    assert sum(event.tokens for event in events) == 20


@pytest.mark.parametrize(
    "asked",
    [
        SpeechAsk(input="a", voice="b"),
        SpeechAsk("m", voice="b"),
        SpeechAsk("m", "a"),
        SpeechAsk("m", "a", "b", response_format="ogg"),
    ],
)
def test_wrong_speeches(asked):
    with pytest.raises(BadAsk):
        fake_audio.check_speech(asked)


def test_whisper_counts_seconds():
    found = written()
    Transcription.model_validate(found)
    assert found == {"text": "a b", "usage": {"type": "duration", "seconds": 3}}
    assert written(Script(seconds=9))["usage"]["seconds"] == 9
    assert written(Script(usage="nonsense"))["usage"]["seconds"] < 0
    assert "usage" not in written(Script(usage="none"))


def test_others_count_tokens():
    found = written(model="gpt-4o-transcribe", prompt="x y z")
    assert found["usage"] == {
        "type": "tokens",
        "input_tokens": 33,
        "input_token_details": {"text_tokens": 3, "audio_tokens": 30},
        "output_tokens": 2,
        "total_tokens": 35,
    }
    broken = written(Script(usage="nonsense"), model="gpt-4o-transcribe")
    assert broken["usage"]["output_tokens"] < 0


def test_formats():
    plain = "text/plain; charset=utf-8"
    assert written(response_format="text") == ("a b\n", plain)
    assert written(response_format="srt")[0] == "1\n00:00:00,000 --> 00:00:03,000\na b\n\n"
    assert written(response_format="vtt")[0].startswith("WEBVTT\n\n00:00:00.000 --> 00:00:03.000")
    verbose = written(response_format="verbose_json", task="translate")
    assert TranscriptionVerbose.model_validate(verbose).duration == 3
    assert verbose["task"] == "translate"
    diarized = written(response_format="diarized_json", model="gpt-4o-transcribe-diarize")
    assert TranscriptionDiarized.model_validate(diarized).segments[0].speaker == "A"


def test_transcripts_as_events():
    asked = form("gpt-4o-transcribe")
    events = list(fake_audio.transcript_stream(asked, Script(text="a b")))
    found = bare(events)
    assert [one.get("delta") for one in found] == ["a", " b", None]
    assert (found[-1]["text"], found[-1]["usage"]["output_tokens"]) == ("a b", 2)
    assert sum(event.tokens for event in events) == fake_audio.said_tokens(Script(text="a b")) == 2


@pytest.mark.parametrize("wrong", [Form({"model": ["m"]}), Form({}, [File("file", "a", b"")])])
def test_wrong_forms(wrong):
    with pytest.raises(BadAsk):
        fake_audio.check_form(wrong)
