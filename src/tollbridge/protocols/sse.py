"""Owns the framing of server-sent events: where one ends, what its data and name are.

Works on bytes and keeps every one of them. Must not know what an event says.
"""

import re

FRAME_MAX = 32 * 1024 * 1024
"""Bytes that one frame may have: an event with an image in it is several megabytes long."""

# A blank line: two line ends in a row. A CR at the very end may still become a CRLF.
_BLANK = re.compile(rb"(?:\r\n|\n|\r(?!\n|\Z))(?:\r\n|\n|\r(?!\n|\Z))")
_LINE_END = re.compile(rb"\r\n|\n|\r")
# What nearly every vendor writes: at most a name, then one line of data.
_USUAL = re.compile(rb"(?:event: ?([^\r\n]*)\r?\n)?data: ?([^\r\n]*)(?:\r\n\r\n|\n\n)")


class FrameTooLarge(ValueError):
    """An event did not end within the allowed number of bytes."""


class Framer:
    """Cuts a byte stream into frames, whatever the chunks and line ends are."""

    __slots__ = ("_limit", "_parts", "_tail", "size")

    def __init__(self, limit: int = FRAME_MAX) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self.size = 0
        """Bytes of an unfinished frame that are kept here."""
        self._tail = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the frames that are complete now, each with its blank line.

        Raises FrameTooLarge when an unfinished frame exceeds the limit.
        """
        if not self.size and data.endswith(b"\n\n") and b"\r" not in data:
            if data.find(b"\n\n") == len(data) - 2:
                return [data]
            return _cut_plain(data)
        if not data:
            return []
        # Only the last few bytes of what is kept can take part in a new blank line, so a long
        # frame that arrives in small pieces is not searched again and again.
        if self.size and _BLANK.search(self._tail + data) is None:
            self._keep(data)
            return []
        self._parts.append(data)
        whole = b"".join(self._parts)
        self._parts, self.size, self._tail = [], 0, b""
        frames, rest = _cut(whole)
        if rest:
            self._keep(rest)
        return frames

    def rest(self) -> bytes:
        """Return (and forget) what has come after the last complete frame."""
        rest = b"".join(self._parts)
        self._parts, self.size, self._tail = [], 0, b""
        return rest

    def _keep(self, data: bytes) -> None:
        self._parts.append(data)
        self.size += len(data)
        self._tail = (self._tail + data)[-3:]
        if self.size > self._limit:
            raise FrameTooLarge


def _cut_plain(data: bytes) -> list[bytes]:
    frames: list[bytes] = []
    at = 0
    while (end := data.find(b"\n\n", at)) >= 0:
        frames.append(data[at : end + 2])
        at = end + 2
    if at < len(data):
        # An odd number of line feeds at the end leaves one, which belongs to no frame.
        frames[-1] += data[at:]
    return frames


def _cut(data: bytes) -> tuple[list[bytes], bytes]:
    frames: list[bytes] = []
    at = 0
    for blank in _BLANK.finditer(data):
        frames.append(data[at : blank.end()])
        at = blank.end()
    return frames, data[at:]


def data_of(frame: bytes) -> bytes | None:
    """Return the event's data, several data lines joined by a line feed; None when it has none."""
    if frame.startswith(b"data: ") and frame.endswith(b"\n\n"):
        body = frame[6:-2]
        if b"\n" not in body and b"\r" not in body:
            return body
    usual = _USUAL.fullmatch(frame)
    if usual is not None:
        return usual[2]
    found = _values(frame, b"data")
    return b"\n".join(found) if found else None


def event_of(frame: bytes) -> bytes | None:
    """Return the event's name (the last `event` line), None when it has none."""
    usual = _USUAL.fullmatch(frame)
    if usual is not None:
        return usual[1]
    found = _values(frame, b"event")
    return found[-1] if found else None


def _values(frame: bytes, field: bytes) -> list[bytes]:
    values: list[bytes] = []
    for line in _LINE_END.split(frame):
        name, _, value = line.partition(b":")
        if name == field:
            values.append(value[1:] if value.startswith(b" ") else value)
    return values
