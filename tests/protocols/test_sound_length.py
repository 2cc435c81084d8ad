"""Sounds: uncompressed ones are measured exactly, others are bounded from their bytes."""

import io
import struct
import wave

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.sound_length import SoundLength, sound_length


def wav(frames: int, *, rate: int = 16_000, channels: int = 1, width: int = 2) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setframerate(rate)
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.writeframes(bytes(frames * channels * width))
    return out.getvalue()


def length(data: bytes) -> SoundLength:
    return sound_length(memoryview(data))


@given(
    st.integers(0, 3_000), st.sampled_from([8, 100, 8_000]), st.integers(1, 3), st.integers(1, 4)
)
def test_uncompressed_sound_is_exact(frames, rate, channels, width):
    seconds = -(-frames // rate)
    data = wav(frames, rate=rate, channels=channels, width=width)
    assert length(data) == SoundLength(seconds, seconds)


def test_claims_of_the_header_do_not_shorten_a_sound():
    honest = wav(160_000)
    at = honest.index(b"data") + 4
    short = honest[:at] + (8).to_bytes(4, "little") + honest[at + 4 :]
    assert length(short) == length(honest) == SoundLength(10, 10)
    # The written bytes a second are what no decoder looks at.
    at = honest.index(b"fmt ") + 16
    fast = honest[:at] + (10**9).to_bytes(4, "little") + honest[at + 4 :]
    assert length(fast) == SoundLength(10, 10)


def test_other_chunks_may_stand_before_the_sound():
    honest = wav(16_000)
    listed = honest[:12] + b"LIST" + (3).to_bytes(4, "little") + b"abc\x00" + honest[12:]
    assert length(listed) == SoundLength(1, 1)


def extensible(subformat: int) -> bytes:
    form = struct.pack("<HHIIHHHHI", 0xFFFE, 1, 8_000, 8_000, 1, 8, 22, 8, 4)
    form += struct.pack("<H", subformat) + bytes(14)
    chunks = b"fmt " + len(form).to_bytes(4, "little") + form + b"data" + bytes(4) + bytes(16_000)
    return b"RIFF" + bytes(4) + b"WAVE" + chunks


def test_extensible_headers():
    assert length(extensible(1)) == length(extensible(3)) == SoundLength(2, 2)
    assert length(extensible(2)).most > 2


@pytest.mark.parametrize(
    ("data", "likely"),
    [
        (b"ID3" + bytes(31_997), 2),
        (b"OggS" + bytes(31_996), 8),
        (b"\x1a\x45\xdf\xa3" + bytes(31_996), 8),
        (b"fLaC" + bytes(31_996), 1),
        (b"RIFF" + bytes(31_996), 2),
        (b"RIFF\x00\x00\x00\x00WAVEdata" + bytes(31_984), 2),
        (b"RIFF\x00\x00\x00\x00WAVEfmt \x02\x00\x00\x00\x01\x00data" + bytes(31_974), 2),
    ],
)
def test_compressed_sound_is_bounded_by_eight_kilobit(data, likely):
    assert length(data) == SoundLength(likely, 32)


@given(st.binary(max_size=400), st.sampled_from([b"", b"RIFF\x00\x00\x00\x00WAVE", b"fLaC"]))
def test_any_bytes_have_a_length(data, start):
    found = length(start + data)
    assert 0 <= found.likely <= found.most <= len(start + data)
