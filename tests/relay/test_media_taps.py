"""Proof of what watches an answer that is no event stream, and that only what is sold is told."""

import pytest

from tollbridge.protocols.blobs import BlobScan
from tollbridge.protocols.images import ImageAsk
from tollbridge.protocols.media_stream import SOUND_TAIL_BYTES
from tollbridge.protocols.sound_length import SoundLength
from tollbridge.protocols.speech import SpeechAsk
from tollbridge.protocols.transcriptions import TranscriptionAsk
from tollbridge.protocols.usage import Usage
from tollbridge.protocols.whole_tap import WholeTap
from tollbridge.relay.media_taps import Drawing, Hearing, Sound, Speaking
from tollbridge.relay.stream import Open

SPOKEN = SpeechAsk("m", 5, 5, "mp3", stream=False)
HEARD = TranscriptionAsk("m", 9, SoundLength(1, 1), 0, "json", stream=True)
DRAWN = ImageAsk("generations", "m", 1, None, None, 1, 1, None, None, True, 0, BlobScan())


def all_of_it(usage):
    return usage


def nothing(_usage):
    return None


TAPS = {
    "images": lambda told: Drawing(DRAWN, told),
    "speech": lambda told: Speaking(SPOKEN, told),
    "transcripts": lambda told: Hearing(HEARD, told),
}


@pytest.mark.parametrize(
    ("what", "kind", "watched"),
    [
        ("images", b"application/json", WholeTap),
        ("images", b"image/png", None),
        ("images", b"", None),
        ("speech", b"audio/mpeg", Sound),
        ("speech", b"Audio/PCM; rate=24000", Sound),
        ("speech", b"application/octet-stream", Sound),
        ("speech", b"", Sound),
        ("speech", b"application/json; charset=utf-8", WholeTap),
        ("speech", b"text/html", None),
        ("transcripts", b"application/json", WholeTap),
        ("transcripts", b"text/plain; charset=utf-8", WholeTap),
        ("transcripts", b"application/x-subrip", WholeTap),
        ("transcripts", b"text/html", None),
    ],
)
def test_who_watches_a_plain_body(what, kind, watched):
    tap = TAPS[what](all_of_it)
    assert isinstance(tap, Open)
    found = tap.of_body(kind)
    assert found is None if watched is None else type(found) is watched


DONE = {
    "images": b'{"type":"image_generation.completed","b64_json":"a","usage":{"input_tokens":3}}',
    "speech": b'{"type":"speech.audio.done","usage":{"input_tokens":3}}',
    "transcripts": b'{"type":"transcript.text.done","text":"","usage":{"input_tokens":3}}',
}
WHOLE = {
    "images": b'{"data":[{"url":"u"}],"usage":{"input_tokens":3}}',
    "speech": b'{"audio":"a","usage":{"input_tokens":3}}',
    "transcripts": b'{"text":"","usage":{"input_tokens":3}}',
}


@pytest.mark.parametrize("what", TAPS)
def test_events_and_documents_tell_the_same(what):
    for told in (all_of_it, nothing):
        events = TAPS[what](told)
        events.feed(b"data: " + DONE[what] + b"\n\n")
        document = TAPS[what](told).of_body(b"application/json")
        document.feed(WHOLE[what])
        for tap in (events, document):
            tap.close()
            assert tap.finished
            assert tap.usage is None if told is nothing else tap.usage.input == 3


def test_a_sound_has_content_when_bytes_of_it_have_passed():
    tap = Sound(SPOKEN, all_of_it)
    assert tap.usage is None
    assert tap.feed(bytes(SOUND_TAIL_BYTES)) == b""
    assert not tap.content
    assert tap.usage == Usage(character=5)
    assert tap.feed(b"abc") == b"\0\0\0"
    assert tap.content
    assert not tap.finished
    tap.close()
    assert tap.finished and tap.done
    assert tap.finish_text() == bytes(SOUND_TAIL_BYTES - 3) + b"abc"


def test_a_sound_without_a_byte_is_none():
    tap = Sound(SPOKEN, all_of_it)
    tap.close()
    assert not (tap.finished or tap.done or tap.content)


def test_a_short_sound_is_whole_at_its_end():
    tap = Sound(SPOKEN, nothing)
    tap.feed(b"short")
    tap.close()
    assert tap.finished and not tap.content
    assert (tap.finish_text(), tap.usage) == (b"short", None)
