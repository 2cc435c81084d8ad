"""The smallest files are what they say they are."""

import io
import struct
import wave
import zlib

from tollbridge.demo.fake_samples import MP3, PNG, seconds_of, wav


def test_the_image_has_one_pixel():
    assert PNG.startswith(b"\x89PNG\r\n\x1a\n") and PNG.endswith(b"IEND\xaeB`\x82")
    assert struct.unpack(">II", PNG[16:24]) == (1, 1)
    start = PNG.index(b"IDAT")
    (size,) = struct.unpack(">I", PNG[start - 4 : start])
    data = PNG[start + 4 : start + 4 + size]
    assert zlib.decompress(data) == b"\0\x33\x66\x99"
    (check,) = struct.unpack(">I", PNG[start + 4 + size : start + 8 + size])
    assert check == zlib.crc32(b"IDAT" + data)


def test_sounds():
    with wave.open(io.BytesIO(wav(3))) as sound:
        assert sound.getnframes() / sound.getframerate() == 3
    assert len(MP3) == 144 * 128_000 // 44_100


def test_lengths():
    assert [seconds_of(wav(n)) for n in (1, 3)] == [1, 3]
    assert seconds_of(wav(2) + b"\0") == 3
    assert seconds_of(b"") == seconds_of(b"abc") == 1
    assert seconds_of(bytes(64_001)) == 3
