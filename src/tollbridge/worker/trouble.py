"""Owns how a loop of the worker goes on after a failure: later each time, and logged once."""

from tollbridge.core.telemetry import get_logger
from tollbridge.storage.engine import DATABASE_ERRORS

_FIRST_S = 1.0
_log = get_logger(__name__)


class Trouble:
    """One loop's trouble: logged when it begins, when its kind changes, and when it is over."""

    def __init__(self, work: str, longest_s: float = 30.0) -> None:
        self._work = work
        self._longest_s = longest_s
        self._pause_s = 0.0
        self._kind = ""

    def met(self, error: Exception) -> float:
        """Return how many seconds to wait before the next try."""
        kind = type(error).__name__
        if kind != self._kind:
            # A database that is away is no fault of the code: where it was met says nothing.
            trace = None if isinstance(error, DATABASE_ERRORS) else error
            _log.error("work_failed", work=self._work, error=kind, exc_info=trace)
        self._kind = kind
        self._pause_s = min(self._pause_s * 2 or _FIRST_S, self._longest_s)
        return self._pause_s

    def over(self) -> None:
        """The work was done."""
        if self._kind:
            _log.info("work_goes_on", work=self._work)
        self._kind = ""
        self._pause_s = 0.0
