"""Owns the head that a connection sends again and again, so that it is read and judged only once.

Programs keep a connection and send the same head with every call, but for the length of the body.
A head is known byte for byte or not at all, and only one that was accepted becomes known; so what
the parser and the rules of `head.py` said of it holds for the next one too. Pure.
"""

import re
from collections.abc import Mapping

from tollbridge.relay.exchange import HeadFacts

_LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength:[ \t]*([1-9][0-9]{0,8})[ \t]*\r\n")
_DIGITS_MAX = 9
_ZERO = 0x30
_RETURN = b"\r"


class KnownHead:
    """One accepted head of a request with a body, and what was read from it."""

    __slots__ = ("_after", "_before", "facts", "headers", "method", "path", "query", "target")

    def __init__(
        self,
        around: tuple[bytes, bytes],
        request: tuple[str, bytes, str, bytes],
        headers: Mapping[bytes, bytes],
        facts: HeadFacts,
    ) -> None:
        """`around` are the bytes before and after the length's digits.

        `request` is (method, target, path, query).
        """
        self._before, self._after = around
        self.method, self.target, self.path, self.query = request
        self.headers = headers
        self.facts = facts

    def begins(self, data: bytes) -> tuple[int, int] | None:
        """Return (length of the body, where it begins) when `data` begins with this head, else None.

        The headers are then those of this request.
        """
        before, after = self._before, self._after
        if not data.startswith(before):
            return None
        at = len(before)
        end = data.find(_RETURN, at, at + _DIGITS_MAX + 1)
        if end <= at or not data.startswith(after, end) or data[at] == _ZERO:
            return None
        digits = data[at:end]
        if not digits.isdigit():
            return None
        if digits != self.headers[b"content-length"]:
            self.headers = {**self.headers, b"content-length": digits}
        return int(digits), end + len(after)


def around_length(head: bytes, length: bytes) -> tuple[bytes, bytes] | None:
    """Return what stands before and after the digits of a head's content-length.

    None where `length`, which the parser read, is not found as it is usually written.
    """
    found = _LENGTH.search(head)
    if found is None or found[1] != length:
        return None
    return head[: found.start(1)], head[found.end(1) :]
