"""Owns how long a sound file can be and probably is, from its bytes alone. Pure.

A provider tells the seconds only afterwards, and for some formats of a transcript never; the bound
and the estimate of a call need them before. Must not know prices or forms.
"""

from typing import Final

import msgspec

BYTES_PER_SECOND_MIN: Final = 1_000
"""Compressed sound of 8 kbit/s: what a second takes at the least."""

_HEAD_BYTES: Final = 4_096
_PCM_KINDS: Final = frozenset({1, 3})
_EXTENSIBLE: Final = 0xFFFE

# Usual bytes a second: losslessly compressed sound, speech in Opus, and all else.
_FLAC_USUAL: Final = 48_000
_OPUS_USUAL: Final = 4_000
_USUAL: Final = 16_000


class SoundLength(msgspec.Struct, frozen=True, gc=False):
    """Whole seconds of sound, rounded up: `most` is the bound, `likely` the estimate."""

    likely: int
    most: int


def sound_length(data: memoryview) -> SoundLength:
    """Return the length of a sound file in seconds.

    Uncompressed WAV is exact: what the header says of a second, and every byte behind it as sound,
    whatever length it claims. Else the bound is 8 kbit/s. Silence can be packed more tightly still;
    a cost above the hold is then dealt with at settlement.
    """
    size = len(data)
    head = bytes(data[:_HEAD_BYTES])
    wav = _pcm_rate(head)
    if wav is not None:
        start, rate = wav
        exact = -(-max(size - start, 0) // rate)
        return SoundLength(exact, exact)
    most = -(-size // BYTES_PER_SECOND_MIN)
    usual = _USUAL
    if head.startswith(b"fLaC"):
        usual = _FLAC_USUAL
    elif head.startswith((b"OggS", b"\x1a\x45\xdf\xa3")):
        usual = _OPUS_USUAL
    return SoundLength(-(-size // usual), most)


def _pcm_rate(head: bytes) -> tuple[int, int] | None:
    """Return (where the sound begins, bytes a second) of an uncompressed WAV file, else None."""
    if not head.startswith(b"RIFF") or head[8:12] != b"WAVE":
        return None
    at, rate = 12, 0
    while at + 8 <= len(head):
        kind, size = head[at : at + 4], int.from_bytes(head[at + 4 : at + 8], "little")
        at += 8
        if kind == b"data":
            return (at, rate) if rate else None
        if kind == b"fmt ":
            rate = _bytes_per_second(head[at : at + size])
        at += size + size % 2
    return None


def _bytes_per_second(form: bytes) -> int:
    """Return what a second of uncompressed sound takes, 0 when a `fmt` chunk does not say so.

    Worked out, because decoders do not look at the rate that is written there.
    """
    if len(form) < 16:
        return 0
    kind, channels = int.from_bytes(form[:2], "little"), int.from_bytes(form[2:4], "little")
    frames, bits = int.from_bytes(form[4:8], "little"), int.from_bytes(form[14:16], "little")
    if kind == _EXTENSIBLE:
        kind = int.from_bytes(form[24:26], "little")
    if kind not in _PCM_KINDS or bits % 8:
        return 0
    return frames * channels * bits // 8
