"""Owns whether an account's calls fail in a row, so that calls with a choice of channel pass it by.

A strain parks nobody: calls that have no other channel still go to the account. Must not know
accounts or channels.
"""

from typing import Final

_IN_A_ROW: Final = 2
_PAUSE_FIRST_S: Final = 15.0
_PAUSE_MAX_S: Final = 300.0


class Strain:
    """Failures of one account since its last success. Times are seconds of one clock that only rises."""

    __slots__ = ("_failures", "_pause_s", "_until_s")

    def __init__(self) -> None:
        self._failures = 0
        self._pause_s = _PAUSE_FIRST_S
        self._until_s = float("-inf")

    def failed(self, now: float) -> None:
        """A call failed; what began before a pause says nothing new within it."""
        if self.holds(now):
            return
        self._failures += 1
        if self._failures >= _IN_A_ROW:
            self._until_s = now + self._pause_s
            self._pause_s = min(self._pause_s * 2, _PAUSE_MAX_S)

    def holds(self, now: float) -> bool:
        """Say whether calls that can go elsewhere had better do so now."""
        return now < self._until_s
