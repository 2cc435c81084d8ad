"""Owns the process's Prometheus metrics. Must not know what a surface or an outcome means.

Children are bound once and then found in a dict: a labelled look-up costs more than the count. Labels
come from our own code, but a label set that grows is cut off all the same.
"""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

_MOST_CHILDREN = 200
_OTHER = "other"
_COMMIT_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
_BATCH = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """Every metric of a process in a registry of its own, so that tests and nodes do not mix."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._requests = Counter(
            "tollbridge_requests_total",
            "Calls by surface and how they ended.",
            ("surface", "outcome"),
            registry=registry,
        )
        self._failures = Counter(
            "tollbridge_upstream_failures_total",
            "Failed attempts at upstream accounts, by reason.",
            ("reason",),
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
        self._request_children: dict[tuple[str, str], Callable[[], None]] = {}
        self._failure_children: dict[str, Callable[[], None]] = {}
        # Bound methods, so that callers in the call path pay for the count alone.
        self.hold_refused: Callable[[], None] = self._hold_refused.inc
        self.operator_loss: Callable[[float], None] = self._operator_loss.inc
        self.reclaimed: Callable[[float], None] = self._reclaimed.inc
        self.late_settle: Callable[[], None] = self._late_settles.inc

    def request_done(self, surface: str, outcome: str) -> None:
        """Count a call that has ended."""
        count = self._request_children.get((surface, outcome))
        if count is None:
            count = self._bind_request(surface, outcome)
        count()

    def upstream_failed(self, reason: str) -> None:
        """Count a failed attempt."""
        count = self._failure_children.get(reason)
        if count is None:
            count = self._bind_failure(reason)
        count()

    def committed(self, batch: int, seconds: float) -> None:
        """Record one group commit of `batch` writes that took `seconds`."""
        self.commit_batch.observe(batch)
        self.commit_seconds.observe(seconds)

    def exposition(self) -> bytes:
        """Return the text that /metrics answers, of type `content_type`."""
        return generate_latest(self.registry)

    def _bind_request(self, surface: str, outcome: str) -> Callable[[], None]:
        if len(self._request_children) >= _MOST_CHILDREN:
            return self._requests.labels(_OTHER, _OTHER).inc
        count: Callable[[], None] = self._requests.labels(surface, outcome).inc
        self._request_children[surface, outcome] = count
        return count

    def _bind_failure(self, reason: str) -> Callable[[], None]:
        if len(self._failure_children) >= _MOST_CHILDREN:
            return self._failures.labels(_OTHER).inc
        count: Callable[[], None] = self._failures.labels(reason).inc
        self._failure_children[reason] = count
        return count


def _counter(registry: CollectorRegistry, name: str, text: str) -> Counter:
    return Counter(f"tollbridge_{name}_total", text, registry=registry)


def _gauge(registry: CollectorRegistry, name: str, text: str) -> Gauge:
    return Gauge(f"tollbridge_{name}", text, registry=registry)
