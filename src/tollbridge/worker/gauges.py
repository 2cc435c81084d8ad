"""Owns what the worker reports of itself. Must not know where the figures are shown."""

from typing import Protocol

from tollbridge.core.telemetry import Metrics


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

    def jobs_dead(self, count: int) -> None:
        """So many jobs are not tried again."""

    def imbalance(self, findings: int) -> None:
        """The last check of the books found so many fatal things."""


class Counted:
    """Gauges that are shown among the metrics of the process."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def job_done(self, kind: str) -> None:
        """Count a job that has run."""
        self._metrics.job_done(kind, "done")

    def job_failed(self, kind: str) -> None:
        """Count a try that failed."""
        self._metrics.job_done(kind, "failed")

    def job_dead(self, kind: str) -> None:
        """Count a job that is not tried again."""
        self._metrics.job_done(kind, "dead")

    def periodic_failed(self, name: str) -> None:
        """Count a run that failed."""
        self._metrics.job_done(name, "failed")

    def usage_lag_ms(self, lag_ms: int) -> None:
        """Show how far the query tables are behind."""
        self._metrics.usage_lag_seconds.set(lag_ms / 1000)

    def jobs_dead(self, count: int) -> None:
        """Show how many jobs are dead."""
        self._metrics.jobs_dead.set(count)

    def imbalance(self, findings: int) -> None:
        """Show how many fatal things the last check found."""
        self._metrics.books_imbalance.set(findings)


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

    def jobs_dead(self, count: int) -> None:
        """Show nothing."""

    def imbalance(self, findings: int) -> None:
        """Show nothing."""
