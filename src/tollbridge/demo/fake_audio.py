"""Owns the pretend vendor's audio endpoints: speech, transcriptions and translations.

Pure: values in, bytes out. Speech is silence. Whisper counts seconds, other transcribers count
tokens. It must not know of HTTP.
"""

import base64
from collections.abc import Iterator
from typing import Any

import msgspec

from tollbridge.demo.fake_form import Form
from tollbridge.demo.fake_openai import Event
from tollbridge.demo.fake_samples import MP3, seconds_of, wav
from tollbridge.demo.fake_script import BadAsk, Script, pieces, words_of
from tollbridge.demo.fake_speech import prompt_tokens

_encode = msgspec.json.encode
_SAID = "The bridge is open and the toll is paid."
_TOKENS_A_SECOND = 10
_KINDS = {
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
    "opus": "audio/opus",
    "aac": "audio/aac",
    "flac": "audio/flac",
}
_PLAIN_KINDS = {"text", "srt", "vtt"}


class SpeechAsk(msgspec.Struct, frozen=True):
    """The fields of a speech call that the pretend vendor reads."""

    model: str = ""
    input: str = ""
    voice: Any = None
    response_format: str | None = None
    stream_format: str | None = None
    fake: msgspec.Raw = msgspec.Raw()


speech_decoder = msgspec.json.Decoder(SpeechAsk)


def check_speech(asked: SpeechAsk) -> None:
    """Refuse what the vendor refuses; BadAsk says why."""
    for name in ("model", "input", "voice"):
        if not getattr(asked, name):
            raise BadAsk(f"Missing required parameter: '{name}'.")
    if asked.response_format not in {None, *_KINDS}:
        raise BadAsk(f"Invalid value for 'response_format': one of {', '.join(_KINDS)}.")


def speech(asked: SpeechAsk, script: Script) -> tuple[bytes, str]:
    """Return the audio and its content type."""
    form = asked.response_format or "mp3"
    sound = wav(script.seconds or 1)
    found = {"wav": sound, "pcm": sound[44:]}.get(form, MP3 * (script.seconds or 1))
    return found, _KINDS[form]


def speech_stream(asked: SpeechAsk, script: Script) -> Iterator[Event]:
    """Yield the audio as events; the last one counts."""
    sound, _ = speech(asked, script)
    count = min(script.events or 1, len(sound))
    for at in range(count):
        piece = sound[len(sound) * at // count : len(sound) * (at + 1) // count]
        fields = {"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode()}
        yield Event(_data(fields), 0, script.event_delay_ms if at else 0)
    read = prompt_tokens(asked.input.encode())
    made = (script.seconds or 1) * _TOKENS_A_SECOND
    usage = {"input_tokens": read, "output_tokens": made, "total_tokens": read + made}
    final: dict[str, Any] = {"type": "speech.audio.done"}
    yield Event(_data({**final, "usage": usage} if script.usage != "none" else final), made)


def check_form(form: Form) -> None:
    """Refuse what the vendor refuses; BadAsk says why."""
    if not any(file.field == "file" for file in form.files):
        raise BadAsk("Missing required parameter: 'file'.")
    if not form.text("model"):
        raise BadAsk("Missing required parameter: 'model'.")


def transcript(form: Form, script: Script, task: str) -> tuple[bytes, str]:
    """Return the text in the format asked for, and its content type. `task` is the endpoint's verb."""
    kind = form.text("response_format", "json")
    text, seconds = script.text or _SAID, _seconds(form, script)
    if kind in _PLAIN_KINDS:
        return _plain(kind, text, seconds).encode(), "text/plain; charset=utf-8"
    usage = {} if script.usage == "none" else {"usage": _usage(form, script, text)}
    body: dict[str, Any] = {"text": text}
    if kind == "verbose_json":
        segment = {"id": 0, "seek": 0, "start": 0.0, "end": float(seconds), "text": text}
        segment |= {"tokens": [1], "temperature": 0.0, "avg_logprob": -0.1}
        segment |= {"compression_ratio": 1.0, "no_speech_prob": 0.0}
        body = {"task": task, "language": "english", "duration": float(seconds), "text": text}
        body["segments"] = [segment]
    elif kind == "diarized_json":
        segment = {"id": "seg_0", "type": "transcript.text.segment", "speaker": "A", "text": text}
        body = {"task": task, "duration": float(seconds), "text": text}
        body["segments"] = [{**segment, "start": 0.0, "end": float(seconds)}]
    return _encode({**body, **usage}), "application/json"


def transcript_stream(form: Form, script: Script) -> Iterator[Event]:
    """Yield the text as events; the last one counts."""
    text = script.text or _SAID
    for at, (piece, count) in enumerate(pieces(words_of(text), script.events)):
        delta = _data({"type": "transcript.text.delta", "delta": piece})
        yield Event(delta, count, script.event_delay_ms if at else 0)
    final: dict[str, Any] = {"type": "transcript.text.done", "text": text}
    if script.usage != "none":
        final["usage"] = _usage(form, script, text)
    yield Event(_data(final))
    yield Event(b"data: [DONE]\n\n")


def said_tokens(script: Script) -> int:
    """Return the tokens of a transcript."""
    return len(words_of(script.text or _SAID))


def _usage(form: Form, script: Script, text: str) -> dict[str, Any]:
    seconds = _seconds(form, script)
    if form.text("model").startswith("whisper"):
        return {"type": "duration", "seconds": -1 if script.usage == "nonsense" else seconds}
    heard, read = seconds * _TOKENS_A_SECOND, len(words_of(form.text("prompt")))
    said = len(words_of(text))
    if script.usage == "nonsense":
        heard, read, said = -7, -3, -5
    return {
        "type": "tokens",
        "input_tokens": heard + read,
        "input_token_details": {"text_tokens": read, "audio_tokens": heard},
        "output_tokens": said,
        "total_tokens": heard + read + said,
    }


def _seconds(form: Form, script: Script) -> int:
    if script.seconds is not None:
        return script.seconds
    return seconds_of(next((file.data for file in form.files if file.field == "file"), b""))


def _plain(kind: str, text: str, seconds: int) -> str:
    end = f"{seconds // 3_600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    if kind == "srt":
        return f"1\n00:00:00,000 --> {end},000\n{text}\n\n"
    if kind == "vtt":
        return f"WEBVTT\n\n00:00:00.000 --> {end}.000\n{text}\n\n"
    return f"{text}\n"


def _data(fields: dict[str, Any]) -> bytes:
    return b"data: " + _encode(fields) + b"\n\n"
