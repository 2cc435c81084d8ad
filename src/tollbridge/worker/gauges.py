"""Owns what the worker reports of itself. Must not know where the figures are shown."""

from typing import Protocol


class Gauges(Protocol):
    """Where the worker reports to; the metrics registry implements it."""

    def job_done(self, kind: str) -> None:
        """A job of the queue has run."""

    def job_failed(self, kind: str) -> None:
        """A job of the queue failed and will be tried again."""

    def job_dead(self, kind: str) -> None:
        """A job of the queue failed for the last time."""

    def periodic_failed(self, name: str) -> None:
        """A periodic job raised or took too long."""

    def usage_lag_ms(self, lag_ms: int) -> None:
        """A row of usage waited at most so many milliseconds for its row in `call_index`."""


class Uncounted:
    """Gauges of a worker that nobody watches."""

    def job_done(self, kind: str) -> None:
        """Count nothing."""

    def job_failed(self, kind: str) -> None:
        """Count nothing."""

    def job_dead(self, kind: str) -> None:
        """Count nothing."""

    def periodic_failed(self, name: str) -> None:
        """Count nothing."""

    def usage_lag_ms(self, lag_ms: int) -> None:
        """Show nothing."""
