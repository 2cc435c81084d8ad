"""Owns the other form of a Gemini stream: one JSON array, for clients that do not ask for `alt=sse`.

It turns frames into the array's elements as they come. Must not know what a chunk says.
"""

from typing import Final

from tollbridge.protocols.facts import decoded
from tollbridge.protocols.sse import Framer, data_of

HEARTBEAT: Final = b"\n"
"""What may be written between two elements so that the client sees life: JSON's own whitespace."""

_BETWEEN: Final = b"\n,\r\n"


class ArrayFraming:
    """Writes one stream; `open` once, `more` as often as frames come, `close` once.

    The bytes given need not be whole frames. Comments and blank lines become whitespace; what is no
    JSON object is dropped, for it would break the array for the client.
    """

    __slots__ = ("_empty", "_framer")

    def __init__(self) -> None:
        self._framer = Framer()
        self._empty = True

    def open(self, frames: bytes = b"") -> bytes:
        """Return the array's beginning, with the first frames."""
        return b"[" + self.more(frames)

    def more(self, frames: bytes) -> bytes:
        """Return the elements of these frames; FrameTooLarge as the framer raises it."""
        return b"".join([self._element(frame) for frame in self._framer.feed(frames)])

    def close(self, frames: bytes = b"") -> bytes:
        """Return the last elements and the array's end; an unfinished frame counts as whole."""
        elements = self.more(frames)
        rest = self._framer.rest()
        return elements + (self._element(rest) if rest.strip() else b"") + b"\n]\n"

    def _element(self, frame: bytes) -> bytes:
        data = data_of(frame)
        if data is None:
            # An error that stands alone, as Vertex writes it, or nothing but a sign of life.
            data = frame.strip()
            if not data.startswith(b"{"):
                return HEARTBEAT
        if decoded(data) is None:
            return b""
        between = b"" if self._empty else _BETWEEN
        self._empty = False
        return between + data
