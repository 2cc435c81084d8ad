"""Owns the cheap recognition of plain deltas: most frames of a stream differ only in their text.

A shape is learned from one frame that was looked at in full: all bytes before its text and all
after. A frame that repeats them around another text can bear nothing but text, so it needs no
search for markers. It must not know what the frames mean.
"""

import re
from collections.abc import Callable

import msgspec

_TEXTS = re.compile(
    rb'"(?:content|reasoning_content|reasoning|thinking|refusal|arguments|transcript|text)"\s*:\s*'
    rb'"([^"\\]*(?:\\.[^"\\]*)*)"'
)
# Beside `reasoning`, its details say the same text once more.
_TEXTS_ONCE = re.compile(
    rb'"(?:content|reasoning|refusal|arguments)"\s*:\s*"([^"\\]*(?:\\.[^"\\]*)*)"'
)
_TEXT_REST = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*').match
_PADDING = b'"obfuscation":"'
_BACKSLASH = 0x5C
_DECODER = msgspec.json.Decoder(str)


class DeltaShape:
    """The bytes around the text of a frame; some vendors also pad each frame with random text."""

    __slots__ = ("_ending", "_middle", "_padded", "_shown", "_start", "prefix")

    def __init__(self, prefix: bytes, middle: bytes, ending: bytes) -> None:
        self.prefix = prefix
        self._start = len(prefix)
        self._middle = middle
        self._ending = ending
        self._padded = middle.endswith(_PADDING)
        self._shown = (prefix, middle, ending)

    def end_of_text(self, data: bytes) -> int:
        """Return where the text ends in one frame of this shape, 0 for anything else.

        The caller has seen that the data starts with the prefix.
        """
        end = data.find(b'"', self._start)
        if data[end - 1] == _BACKSLASH:
            rest = _TEXT_REST(data, self._start)
            end = rest.end() if rest else end
        if not data.startswith(self._middle, end):
            return 0
        at = end + len(self._middle)
        if self._padded:
            at = data.find(b'"', at)
        return end if data[at:] == self._ending else 0

    def show_as(self, rewrite: Callable[[bytes], bytes]) -> None:
        """Rewrite the bytes around the text once for all frames of this shape."""
        self._shown = (rewrite(self.prefix), rewrite(self._middle), rewrite(self._ending))

    def shown(self, data: bytes, end: int) -> bytes:
        """Return one frame of this shape, whose text ends there, as it is to be shown."""
        prefix, middle, ending = self._shown
        padding = data[end + len(self._middle) : len(data) - len(self._ending)]
        return b"".join((prefix, data[self._start : end], middle, padding, ending))

    def text_bytes(self, data: bytes, end: int) -> int:
        """Return the UTF-8 bytes of the text that ends there."""
        return _unescaped(data[self._start : end])


def learn_shape(frame: bytes) -> DeltaShape | None:
    """Return the shape of a frame with exactly one text in it, else None."""
    texts = list(_TEXTS.finditer(frame))
    if len(texts) != 1:
        return None
    start, end = texts[0].span(1)
    padding = frame.find(_PADDING, end)
    if padding < 0:
        return DeltaShape(frame[:start], frame[end:], b"")
    cut = padding + len(_PADDING)
    close = frame.find(b'"', cut)
    return DeltaShape(frame[:start], frame[end:cut], frame[close:])


def produced_bytes(data: bytes) -> int:
    """Return the UTF-8 bytes of the text, reasoning and tool arguments in raw frames."""
    pattern = _TEXTS_ONCE if b'"reasoning_details"' in data else _TEXTS
    return sum([_unescaped(text) for text in pattern.findall(data)])


def _unescaped(text: bytes) -> int:
    if b"\\" not in text:
        return len(text)
    try:
        return len(_DECODER.decode(b'"' + text + b'"').encode())
    except (msgspec.DecodeError, UnicodeDecodeError):
        return len(text)
