"""Owns undoing gzip and deflate, piece by piece, with a guard against decompression bombs.

The gateway asks for identity; this is for upstreams that compress all the same. It must not know
of connections.
"""

import zlib

_GZIP_WINDOW = 31
_ZLIB_WINDOW = 15
_RAW_WINDOW = -15
_RATIO_MAX = 1000
_FREE_BYTES = 1024 * 1024


class BadEncodingError(ValueError):
    """The bytes are not what the content-encoding says, or blow up like a bomb."""


class OversizeError(ValueError):
    """The decoded bytes exceed the limit."""


class Decoder:
    """Decodes one body of `encoding` gzip, x-gzip or deflate; at most `limit` decoded bytes."""

    __slots__ = ("_consumed", "_deflate", "_inflate", "_limit", "_produced")

    def __init__(self, encoding: bytes, limit: int) -> None:
        """Raise BadEncodingError for any other encoding."""
        if encoding not in (b"gzip", b"x-gzip", b"deflate"):
            raise BadEncodingError("unknown content encoding")
        self._deflate = encoding == b"deflate"
        self._inflate = None if self._deflate else zlib.decompressobj(_GZIP_WINDOW)
        self._limit = limit
        self._consumed = 0
        self._produced = 0

    def feed(self, data: bytes) -> bytes:
        """Return what `data` decodes to. Raises BadEncodingError, OversizeError."""
        if not data:
            return b""
        self._consumed += len(data)
        out = []
        while data:
            inflate = self._member(data)
            try:
                piece = inflate.decompress(data, self._allowed() + 1)
            except zlib.error:
                raise BadEncodingError("broken compressed data") from None
            self._count(piece)
            out.append(piece)
            data = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
        return b"".join(out)

    def finish(self) -> None:
        """Raise BadEncodingError when the compressed data stopped short."""
        if self._consumed and (self._inflate is None or not self._inflate.eof):
            raise BadEncodingError("compressed data ends early")

    def _member(self, data: bytes) -> "zlib._Decompress":
        inflate = self._inflate
        if inflate is None:
            # "deflate" means the zlib format, but some servers send it raw.
            wrapped = data[0] & 0x0F == zlib.DEFLATED and data[0] >> 4 <= 7
            inflate = self._inflate = zlib.decompressobj(_ZLIB_WINDOW if wrapped else _RAW_WINDOW)
        elif inflate.eof:
            if self._deflate:
                raise BadEncodingError("bytes after the compressed data")
            inflate = self._inflate = zlib.decompressobj(_GZIP_WINDOW)
        return inflate

    def _allowed(self) -> int:
        bomb = max(_FREE_BYTES, _RATIO_MAX * self._consumed)
        return min(bomb, self._limit) - self._produced

    def _count(self, piece: bytes) -> None:
        self._produced += len(piece)
        if self._produced > self._limit:
            raise OversizeError("decoded data exceeds the limit")
        if self._produced > max(_FREE_BYTES, _RATIO_MAX * self._consumed):
            raise BadEncodingError("the data expands too much")
