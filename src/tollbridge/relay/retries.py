"""Owns how many calls of a channel may be tried again: a share of its traffic, and no storm.

When most of a channel's upstreams fail at once, trying every call everywhere multiplies the load on
what is left. A small channel may try as often as it likes: the floor covers it. Counts are this
process's own. Must not know why a try failed.
"""

from typing import Final

SHARE_PERCENT: Final = 20
"""Tries beyond the first, of the calls in the window."""
FLOOR_PER_S: Final = 10
"""Tries beyond the first that are always allowed, a second of the window."""
WINDOW_S: Final = 10


class _Window:
    """Calls and second tries of one channel by the second, for as many seconds as the window has."""

    __slots__ = ("at", "calls", "calls_in_all", "retries", "retries_in_all")

    def __init__(self, at: int) -> None:
        self.at = at
        self.calls = [0] * WINDOW_S
        self.retries = [0] * WINDOW_S
        self.calls_in_all = self.retries_in_all = 0

    def roll(self, at: int) -> None:
        """Forget the seconds that have left the window by `at`."""
        for second in range(self.at + 1, min(at, self.at + WINDOW_S) + 1):
            slot = second % WINDOW_S
            self.calls_in_all -= self.calls[slot]
            self.retries_in_all -= self.retries[slot]
            self.calls[slot] = self.retries[slot] = 0
        self.at = at


class RetryBudget:
    """The budgets of all channels of a process. Times are seconds of a clock that only rises."""

    __slots__ = ("_floor", "_windows")

    def __init__(self, floor_per_s: int = FLOOR_PER_S) -> None:
        """`floor_per_s` second tries a second are always allowed."""
        self._floor = floor_per_s * WINDOW_S
        self._windows: dict[int, _Window] = {}

    def called(self, channel_id: int, now: float) -> None:
        """A call of the channel makes its first try."""
        window = self._rolled(channel_id, int(now))
        window.calls[window.at % WINDOW_S] += 1
        window.calls_in_all += 1

    def may_retry(self, channel_id: int, now: float) -> bool:
        """Say whether one more try is within the budget, and count it if it is."""
        window = self._rolled(channel_id, int(now))
        allowed = window.calls_in_all * SHARE_PERCENT // 100 + self._floor
        if window.retries_in_all >= allowed:
            return False
        window.retries[window.at % WINDOW_S] += 1
        window.retries_in_all += 1
        return True

    def _rolled(self, channel_id: int, second: int) -> _Window:
        window = self._windows.get(channel_id)
        if window is None:
            window = self._windows[channel_id] = _Window(second)
        elif window.at < second:
            window.roll(second)
        return window
