"""Owns the smallest valid files that the pretend vendor gives out: an image, and silence.

Pure constants and bytes. It must not know who asks for them.
"""

import base64
import struct
import zlib

_RATE = 8_000
_FRAME_BYTES = 417


def _chunk(kind: bytes, data: bytes) -> bytes:
    checked = kind + data
    return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))


PNG = (
    b"\x89PNG\r\n\x1a\n"
    + _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    + _chunk(b"IDAT", zlib.compress(b"\0\x33\x66\x99", 9))
    + _chunk(b"IEND", b"")
)
"""One blue pixel."""

PNG_BASE64 = base64.b64encode(PNG).decode()

MP3 = b"\xff\xfb\x90\x64" + bytes(_FRAME_BYTES - 4)
"""One frame of silence: MPEG-1 layer III, 128 kbit/s, 44.1 kHz."""


def wav(seconds: int) -> bytes:
    """Return silence: 16 bit, one channel, 8 kHz."""
    data = bytes(2 * _RATE * seconds)
    form = struct.pack("<HHIIHH", 1, 1, _RATE, 2 * _RATE, 2, 16)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form
    chunks += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def seconds_of(audio: bytes) -> int:
    """Return a file's length in seconds, rounded up, at least one; a guess unless it is as above."""
    rate = 4 * _RATE
    if audio[:4] == b"RIFF" and len(audio) >= 44:
        rate = max(1, int(struct.unpack_from("<I", audio, 28)[0]))
        return max(1, -(-(len(audio) - 44) // rate))
    return max(1, -(-len(audio) // rate))
