"""Owns the judgement whether a client still takes what is being sent to it.

Must not know what is sent, nor what happens to a client that has stopped.
"""

import asyncio

_CHECKS = 4


class Stall:
    """Watches the write buffer of one connection; times in seconds on the loop's clock.

    Progress is a buffer that got smaller than what was left of it last time, with what was added
    in between counted in.
    """

    __slots__ = ("_patience_s", "_since", "_transport", "_unsent")

    def __init__(self, transport: asyncio.Transport, patience_s: float) -> None:
        self._transport = transport
        self._patience_s = patience_s
        self._unsent = 0
        self._since = 0.0

    def begin(self, now: float) -> float:
        """Start to watch; return when to look again."""
        self._unsent = self._transport.get_write_buffer_size()
        self._since = now
        return now + self._patience_s / _CHECKS

    def grew(self, size: int) -> None:
        """Count what is added to the buffer while it is watched."""
        self._unsent += size

    def look(self, now: float) -> float | None:
        """Return when to look again, None when the client has taken nothing for too long."""
        unsent = self._transport.get_write_buffer_size()
        if unsent < self._unsent:
            self._unsent = unsent
            self._since = now
        elif now - self._since >= self._patience_s:
            return None
        return now + self._patience_s / _CHECKS
