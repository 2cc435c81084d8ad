"""Owns the pace of a channel: calls above it are spread over the time to come (product.md, S0-429).

A limit on a minute lets all of its calls through in the first second; upstreams answer such a burst
with refusals. So a channel with a limit lets a burst through and the rest at an even pace. The
pace is this process's own; the limit itself is counted elsewhere.
"""

from typing import Final

BURST_S: Final = 10
"""So many seconds' worth of calls may come at once."""
BURST_MIN: Final = 10
"""And never fewer calls than this, so that small limits are not felt as a pace."""


class Smoother:
    """The pace of every channel. Times are seconds of a clock that only rises."""

    __slots__ = ("_due",)

    def __init__(self) -> None:
        self._due: dict[int, float] = {}

    def delay_s(self, channel_id: int, rpm: int, now: float, most_s: float) -> float:
        """Return for how many seconds to hold a call back, and count it unless that is too long.

        More than `most_s` means that the call is not to be made; it is not counted then.
        """
        gap_s = 60 / rpm
        ahead_s = gap_s * max(BURST_MIN, rpm * BURST_S // 60)
        due = max(self._due.get(channel_id, 0.0), now) + gap_s
        delay_s = max(due - ahead_s - now, 0.0)
        if delay_s <= most_s:
            self._due[channel_id] = due
        return delay_s
