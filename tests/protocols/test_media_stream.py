"""Media streams: what passes, what is held from the end on, and what was used."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols import recordings
from tests.protocols.test_images import ask_of as image_ask
from tests.protocols.test_speech import ASK as SPEECH
from tollbridge.protocols.media_stream import (
    SOUND_TAIL_BYTES,
    ImageTap,
    SoundTap,
    SpeechTap,
    TranscriptionTap,
)
from tollbridge.protocols.tap import Tap
from tollbridge.protocols.usage import ImageCount, Usage

DONE = b"data: [DONE]\n\n"
TOKENS = {"input_tokens": 10, "output_tokens": 272, "total_tokens": 282}


def frame(kind: str, named: bool = True, /, **data) -> bytes:
    body = json.dumps({"type": kind, **data}, ensure_ascii=False).encode()
    return (f"event: {kind}\n".encode() if named else b"") + b"data: " + body + b"\n\n"


def partial(prefix: str = "image_generation") -> bytes:
    return frame(f"{prefix}.partial_image", b64_json="QUJD" * 99, partial_image_index=0)


def completed(prefix: str = "image_generation", **data) -> bytes:
    given = {"b64_json": "QUJD", "size": "1024x1024", "quality": "low", "usage": TOKENS}
    return frame(f"{prefix}.completed", **{**given, **data})


SPOKEN = [
    frame("speech.audio.delta", audio="SUQz"),
    frame("speech.audio.delta", audio="SUQz"),
    frame("speech.audio.done", usage={"input_tokens": 6, "output_tokens": 30}),
]
HEARD = [
    frame("transcript.text.delta", delta="Hör "),
    frame("transcript.text.delta", delta='"usage" done'),
    frame(
        "transcript.text.done",
        text='Hör "usage" done',
        usage={
            "input_tokens": 14,
            "input_token_details": {"text_tokens": 0, "audio_tokens": 14},
            "output_tokens": 45,
        },
    ),
]


def run(tap: Tap, frames: list[bytes]) -> bytes:
    out = b"".join(tap.feed(one) for one in frames)
    tap.close()
    return out


@pytest.mark.parametrize("prefix", ["image_generation", "image_edit"])
def test_an_image_is_held_until_it_is_settled(prefix):
    tap = ImageTap(image_ask())
    assert tap.feed(partial(prefix)) == partial(prefix)
    assert tap.content and not tap.finished and tap.usage is None
    assert tap.feed(completed(prefix)) == b""
    assert tap.finished and not tap.done
    tap.close()
    assert tap.finish_text() == tap.closing(silent=True) == completed(prefix)
    assert tap.usage == Usage(
        input=10, image_output=272, images=(ImageCount("1024x1024", "low", 1),)
    )


def test_many_images_end_with_the_last():
    tap = ImageTap(image_ask(n=2, quality="low"))
    assert tap.feed(completed()) == completed()
    assert tap.content and not tap.finished
    assert tap.feed(completed()) == b"" and tap.finished
    images = (ImageCount("1024x1024", "low", 2),)
    assert tap.usage == Usage(input=10, image_output=544, images=images)


def test_fewer_images_than_asked_are_an_answer_once_the_upstream_ends():
    tap = ImageTap(image_ask(n=3))
    run(tap, [completed(usage=None)])
    assert tap.finished
    assert tap.usage == Usage(images=(ImageCount("1024x1024", "low", 1),))


def test_an_image_that_was_only_begun_is_a_cut():
    tap = ImageTap(image_ask())
    run(tap, [partial()])
    assert tap.content and not tap.finished and tap.usage is None


def test_speech_in_events():
    tap = SpeechTap(SPEECH)
    assert run(tap, SPOKEN) == SPOKEN[0] + SPOKEN[1]
    assert tap.finish_text() == SPOKEN[2]
    assert tap.finished and tap.usage_seen
    assert tap.usage == Usage(input=6, audio_output=30, character=22)


def test_speech_without_a_sound_costs_nothing_and_a_cut_one_its_characters():
    tap = SpeechTap(SPEECH)
    assert tap.usage is None
    run(tap, SPOKEN[:1])
    assert (tap.finished, tap.usage_seen, tap.usage) == (False, False, Usage(character=22))


def test_transcripts():
    tap = TranscriptionTap()
    assert run(tap, HEARD) == HEARD[0] + HEARD[1]
    assert tap.finish_text() == HEARD[2]
    assert tap.finished and tap.usage_seen
    assert tap.usage == Usage(audio_input=14, output=45)
    assert tap.text_bytes == len('Hör "usage" done'.encode())
    assert tap.produced(b"".join(HEARD)) == tap.text_bytes


def test_a_transcript_that_is_billed_by_seconds():
    tap = TranscriptionTap()
    run(tap, [frame("transcript.text.done", text="", usage={"type": "duration", "seconds": 3.2})])
    assert tap.content and tap.finished and not tap.usage_seen
    assert tap.usage == Usage(second=4)


def test_a_transcript_that_is_cut_tells_nothing():
    tap = TranscriptionTap()
    run(tap, HEARD[:2])
    assert (tap.finished, tap.usage) == (False, None)


def taps() -> list[Tap]:
    return [ImageTap(image_ask()), SpeechTap(SPEECH), TranscriptionTap()]


@pytest.mark.parametrize("at", range(3))
@pytest.mark.parametrize(
    "broken",
    [
        frame("error", error={"message": "no", "code": 429}),
        frame("error", False, message="no", code=429),
        b'event: error\ndata: {"message": "no", "code": 429}\n\n',
        b'data: {"error": {"message": "no", "code": 429}}\n\n',
        b'{"error": {"message": "no", "code": 429}}\n\n',
    ],
)
def test_an_error_ends_a_stream(at, broken):
    for before in ([], [[partial()], SPOKEN[:1], HEARD[:1]][at]):
        tap = taps()[at]
        assert run(tap, [*before, broken]) == b"".join(before)
        assert (tap.error.message, tap.error.status, tap.finished) == ("no", 429, False)


def test_the_end_mark_is_the_end():
    for tap, frames in zip(taps(), ([completed()], SPOKEN, HEARD), strict=True):
        for one in frames:
            tap.feed(one)
        assert not tap.done
        assert tap.feed(DONE) == b""
        assert tap.done and tap.finish_text().endswith(frames[-1] + DONE)


def test_the_end_mark_alone_is_no_answer():
    for tap in taps():
        assert tap.feed(b"".join([frame("other.event"), DONE])) == frame("other.event")
        assert tap.done and not tap.finished and not tap.content


_streams = st.sampled_from(
    [
        (0, [partial(), partial(), completed()]),
        (0, [b": comment\n\n", partial(), completed(), DONE]),
        (1, SPOKEN),
        (2, [*HEARD, DONE]),
    ]
)


@given(_streams, st.lists(st.integers(1, 2_000), max_size=8))
def test_nothing_is_lost_however_it_is_cut(stream, cuts):
    at, frames = stream
    whole, tap = b"".join(frames), taps()[at]
    rest, pieces = whole, []
    for size in cuts:
        pieces.append(rest[:size])
        rest = rest[size:]
    shown = run(tap, [*pieces, rest])
    assert shown + tap.finish_text() == whole
    assert tap.finished and tap.usage is not None
    assert b".completed" not in shown and b".done" not in shown


def test_recorded_stream(corpus):
    every = [one for one in recordings.load(corpus, "openai_audio") if one.sse]
    for recording in every:
        tap = TranscriptionTap()
        shown = run(tap, recording.chunks())
        assert shown + tap.finish_text() == recording.sse
        said = recording.events()[-1]["usage"]
        heard = said["input_token_details"]["audio_tokens"]
        assert tap.usage == Usage(
            input=said["input_tokens"] - heard, audio_input=heard, output=said["output_tokens"]
        )
        assert tap.done and tap.finished
        assert b"transcript.text.done" not in shown
        assert tap.text_bytes == sum(len(one["text"].encode()) for one in recording.events()[:-1])
    assert len(every) == 1


@given(st.lists(st.integers(0, 2 * SOUND_TAIL_BYTES), max_size=6))
def test_the_end_of_a_sound_stays_until_it_is_settled(sizes):
    tap: Tap = SoundTap(SPEECH)
    pieces = [bytes([number]) * size for number, size in enumerate(sizes)]
    shown = run(tap, pieces)
    whole = b"".join(pieces)
    assert shown + tap.finish_text() == whole
    assert len(tap.finish_text()) == min(len(whole), SOUND_TAIL_BYTES)
    assert tap.closing(silent=True) == tap.finish_text()
    assert tap.finished is tap.done is tap.content is bool(whole)
    assert tap.usage == (Usage(character=22) if whole else None)
    assert (tap.sound_bytes, tap.text_bytes, tap.produced(whole)) == (len(whole), 0, 0)


def test_a_sound_has_no_frames():
    tap = SoundTap(SPEECH)
    tap.unsay(b"x")
    assert (tap.stream_id, tap.sequence, tap.length_ending(Usage())) == ("", 0, b"")
    assert (tap.error, tap.model, tap.finished) == (None, None, False)
