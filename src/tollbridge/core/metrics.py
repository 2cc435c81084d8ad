"""Owns the process's Prometheus metrics. Must not know what a surface or an outcome means.

Children are bound once and then found in a dict: a labelled look-up costs more than the count. Labels
come from our own code, but a label set that grows is cut off all the same.
"""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

_MOST_CHILDREN = 200
_OTHER = "other"
_COMMIT_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
_BATCH = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """Every metric of a process in a registry of its own, so that tests and nodes do not mix."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._ended = _EndedCalls()
        registry.register(self._ended)
        self._failures = Counter(
            "tollbridge_upstream_failures_total",
            "Failed attempts at upstream accounts, by reason.",
            ("reason",),
            registry=registry,
        )
        self._rate_limited = Counter(
            "tollbridge_rate_limited_total",
            "Calls refused for a limit, by what was limited.",
            ("limit",),
            registry=registry,
        )
        self._hold_refused = _counter(registry, "hold_refused", "Holds that a wallet refused.")
        self._operator_loss = _counter(
            registry, "operator_loss_nano", "Cost that no wallet covered, in nano-dollars."
        )
        self._reclaimed = _counter(registry, "reclaimed", "Holds of dead nodes that were posted.")
        self._late_settles = _counter(
            registry, "late_settles", "Settlements that found their hold reclaimed."
        )
        self.holds_open = _gauge(registry, "holds_open", "Holds of running calls.")
        self.streams_open = _gauge(registry, "streams_open", "Streams that are being relayed.")
        self.limits_shared = _gauge(
            registry, "limits_shared", "Whether limits are counted for all processes together."
        )
        self.queue_depth = _gauge(registry, "queue_depth", "Writes that wait for a commit.")
        self.commit_seconds = Histogram(
            "tollbridge_commit_seconds",
            "Time of a group commit, in seconds.",
            buckets=_COMMIT_S,
            registry=registry,
        )
        self.commit_batch = Histogram(
            "tollbridge_commit_batch",
            "Writes in a group commit.",
            buckets=_BATCH,
            registry=registry,
        )
        self._failure_children: dict[str, Callable[[], None]] = {}
        # Bound methods, so that callers in the call path pay for the count alone.
        self.hold_refused: Callable[[], None] = self._hold_refused.inc
        self.operator_loss: Callable[[float], None] = self._operator_loss.inc
        self.reclaimed: Callable[[float], None] = self._reclaimed.inc
        self.late_settle: Callable[[], None] = self._late_settles.inc

    def request_done(self, surface: str, outcome: str) -> None:
        """Count a call that has ended."""
        counts = self._ended.counts
        which = (surface, outcome)
        if which in counts:
            counts[which] += 1
        else:
            self._ended.begin(which)

    def upstream_failed(self, reason: str) -> None:
        """Count a failed attempt."""
        count = self._failure_children.get(reason)
        if count is None:
            count = self._bind_failure(reason)
        count()

    def rate_limited(self, limit: str) -> None:
        """Count a call that was refused for a limit: requests, tokens, concurrency or account."""
        self._rate_limited.labels(limit).inc()

    def committed(self, batch: int, seconds: float) -> None:
        """Record one group commit of `batch` writes that took `seconds`."""
        self.commit_batch.observe(batch)
        self.commit_seconds.observe(seconds)

    def exposition(self) -> bytes:
        """Return the text that /metrics answers, of type `content_type`."""
        return generate_latest(self.registry)

    def _bind_failure(self, reason: str) -> Callable[[], None]:
        if len(self._failure_children) >= _MOST_CHILDREN:
            return self._failures.labels(_OTHER).inc
        count: Callable[[], None] = self._failures.labels(reason).inc
        self._failure_children[reason] = count
        return count


class _EndedCalls(Collector):
    """The count that every call pays for: plain integers, made into samples at a scrape.

    Written by the event loop's thread alone, so that it needs no lock.
    """

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], int] = {}

    def begin(self, which: tuple[str, str]) -> None:
        """Count the first call of its kind; past the limit of kinds all are one kind."""
        if len(self.counts) >= _MOST_CHILDREN:
            which = (_OTHER, _OTHER)
        self.counts[which] = self.counts.get(which, 0) + 1

    def collect(self) -> Iterator[Metric]:
        """Yield the samples."""
        family = CounterMetricFamily(
            "tollbridge_requests",
            "Calls by surface and how they ended.",
            labels=("surface", "outcome"),
        )
        for labels, count in self.counts.copy().items():
            family.add_metric(labels, count)
        yield family


def _counter(registry: CollectorRegistry, name: str, text: str) -> Counter:
    return Counter(f"tollbridge_{name}_total", text, registry=registry)


def _gauge(registry: CollectorRegistry, name: str, text: str) -> Gauge:
    return Gauge(f"tollbridge_{name}", text, registry=registry)
