"""Owns the breaker of one account: too many failures among its last calls, and the way back.

Counts are kept in a few slices of a sliding window. Open, it lets nobody through until its pause is
over; then one call goes ahead to see, and all follow if that one succeeds. Must not know accounts.
"""

from typing import Final

WINDOW_S: Final = 60.0
SAMPLES_MIN: Final = 10
"""Calls in the window below which a share of failures says nothing."""

_SLICE_S: Final = 10.0
_PAUSE_FIRST_S: Final = 15.0
_PAUSE_MAX_S: Final = 300.0
# A probe that never comes back must not keep its account closed.
_PROBE_MAX_S: Final = 120.0


class Breaker:
    """One account's breaker. Times are seconds of one clock that only rises."""

    __slots__ = ("_pause_s", "_probe_at", "_slices", "open_until", "opened_at")

    def __init__(self) -> None:
        self._slices: list[tuple[float, int, int]] = []
        self._pause_s = _PAUSE_FIRST_S
        self._probe_at: float | None = None
        self.open_until: float | None = None
        """When the next probe may go ahead; None while calls pass."""
        self.opened_at = 0.0
        """When it opened; it means nothing while calls pass."""

    def allows(self, now: float) -> bool:
        """Say whether a call may go ahead now; where it is to be the probe, say so by `probe`."""
        if self.open_until is None:
            return True
        if now < self.open_until:
            return False
        return self._probe_at is None or now - self._probe_at > _PROBE_MAX_S

    def begin(self, now: float) -> None:
        """A call goes ahead; behind an open breaker it is the probe."""
        if self.open_until is not None:
            self._probe_at = now

    def succeeded(self, now: float) -> None:
        """A call succeeded: a probe closes the breaker for good."""
        if self.open_until is not None:
            self.open_until = self._probe_at = None
            self._pause_s = _PAUSE_FIRST_S
            self._slices.clear()
            return
        self._add(now, 1, 0)

    def failed(self, now: float) -> bool:
        """A call failed; return whether the breaker opened by it."""
        if self.open_until is not None:
            if self._probe_at is None:
                # It had begun before the breaker opened, and says nothing new.
                return False
            self._probe_at = None
            self._pause_s = min(self._pause_s * 2, _PAUSE_MAX_S)
            self.open_until = now + self._pause_s
            return False
        self._add(now, 0, 1)
        good = sum(slice_[1] for slice_ in self._slices)
        bad = sum(slice_[2] for slice_ in self._slices)
        if good + bad < SAMPLES_MIN or bad < good:
            return False
        self.opened_at = now
        self.open_until = now + self._pause_s
        return True

    def probe_over(self) -> None:
        """The probe under way, if there is one, has shown nothing: another call may be the next."""
        self._probe_at = None

    @property
    def quiet(self) -> bool:
        """Whether it knows of no failure, so that it can be forgotten."""
        return self.open_until is None and not any(slice_[2] for slice_ in self._slices)

    def _add(self, now: float, good: int, bad: int) -> None:
        self._slices = [one for one in self._slices if now - one[0] < WINDOW_S]
        if self._slices and now - self._slices[-1][0] < _SLICE_S:
            begun, before_good, before_bad = self._slices[-1]
            self._slices[-1] = (begun, before_good + good, before_bad + bad)
        else:
            self._slices.append((now, good, bad))
