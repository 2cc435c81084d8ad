"""Decompression, whole and in pieces, good and bad."""

import gzip
import random
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.upstreams.decode import BadEncodingError, Decoder, OversizeError

PACKERS = {
    b"gzip": gzip.compress,
    b"x-gzip": lambda data: gzip.compress(data[:3]) + gzip.compress(data[3:]),
    b"deflate": zlib.compress,
}


def raw(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@given(st.sampled_from(sorted(PACKERS)), st.binary(max_size=3000), st.lists(st.integers(0, 3000)))
def test_pieces_of_any_size_decode_to_the_whole(encoding, data, cuts):
    packed = PACKERS[encoding](data)
    edges = [0, *sorted(min(cut, len(packed)) for cut in cuts), len(packed)]
    decoder = Decoder(encoding, 1 << 20)
    pieces = [decoder.feed(packed[a:b]) for a, b in pairwise(edges)]
    decoder.finish()
    assert b"".join(pieces) == data


@given(st.binary(max_size=3000))
def test_raw_deflate_is_understood(data):
    decoder = Decoder(b"deflate", 1 << 20)
    assert decoder.feed(raw(data)) == data
    decoder.finish()


@pytest.mark.parametrize("encoding", sorted(PACKERS))
def test_what_stops_short_is_noticed(encoding):
    packed = PACKERS[encoding](b"some text that is long enough")
    decoder = Decoder(encoding, 1000)
    decoder.feed(packed[:-1])
    with pytest.raises(BadEncodingError):
        decoder.finish()


def test_nothing_at_all_is_an_empty_body():
    Decoder(b"gzip", 10).finish()


@pytest.mark.parametrize("encoding", [b"br", b"zstd", b"gzip,gzip", b"", b"compress"])
def test_unknown_encodings(encoding):
    with pytest.raises(BadEncodingError):
        Decoder(encoding, 10)


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        (b"gzip", b"plain text"),
        (b"gzip", gzip.compress(b"x") + b"junk"),
        (b"deflate", zlib.compress(b"x") + b"junk"),
        (b"gzip", gzip.compress(b"x" * 99)[:-8] + b"\0" * 8),
    ],
    ids=["no-magic", "after-gzip", "after-deflate", "wrong-sum"],
)
def test_junk(encoding, data):
    with pytest.raises(BadEncodingError):
        Decoder(encoding, 1000).feed(data)


def test_the_limit_is_exact():
    packed = gzip.compress(b"x" * 1000)
    assert len(Decoder(b"gzip", 1000).feed(packed)) == 1000
    with pytest.raises(OversizeError):
        Decoder(b"gzip", 999).feed(packed)


def test_bombs_are_stopped_and_good_compression_is_not():
    bomb = gzip.compress(b"\0" * 50_000_000)
    with pytest.raises(BadEncodingError):
        Decoder(b"gzip", 1 << 30).feed(bomb)
    small = gzip.compress(b"\0" * 1_000_000)
    assert len(Decoder(b"gzip", 1 << 30).feed(small)) == 1_000_000
    fair = random.Random(1).randbytes(1000) * 3000
    assert Decoder(b"gzip", 1 << 30).feed(gzip.compress(fair)) == fair
