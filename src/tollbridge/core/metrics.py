"""Owns the process's Prometheus metrics. Must not know what a surface or an outcome means.

How the figures of several processes become one is in `metrics_merge`.

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
_LAG_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
_NEVER_RUN = -1
_BATCH = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """Every metric of a process in a registry of its own, so that tests and nodes do not mix."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._ended = _EndedCalls()
        registry.register(self._ended)
        self.upstream_failed = _Kinds(
            registry, "upstream_failures", "Failed attempts at upstream accounts.", "reason"
        )
        self.rate_limited = _Kinds(registry, "rate_limited", "Calls refused for a limit.", "limit")
        self.job_done = _Kinds(registry, "jobs", "Jobs that were tried.", "kind", "outcome")
        self._hold_refused = _counter(registry, "hold_refused", "Holds that a wallet refused.")
        self._operator_loss = _counter(
            registry, "operator_loss_nano", "Cost that no wallet covered, in nano-dollars."
        )
        self._reclaimed = _counter(registry, "reclaimed", "Holds of dead nodes that were posted.")
        self._late_settles = _counter(
            registry, "late_settles", "Settlements that found their hold reclaimed."
        )
        self._extended = _counter(registry, "extended", "Slices that running streams were granted.")
        self._cut_short = _counter(registry, "cut_short", "Streams ended for lack of money.")
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
        self.settle_lag_seconds = Histogram(
            "tollbridge_settle_lag_seconds",
            "Time from a settlement's request until it is durable: the longest of a commit.",
            buckets=_LAG_S,
            registry=registry,
        )
        self._watched(registry)
        # Bound methods, so that callers in the call path pay for the count alone.
        self.hold_refused: Callable[[], None] = self._hold_refused.inc
        self.operator_loss: Callable[[float], None] = self._operator_loss.inc
        self.reclaimed: Callable[[float], None] = self._reclaimed.inc
        self.late_settle: Callable[[], None] = self._late_settles.inc
        self.extended: Callable[[], None] = self._extended.inc
        self.cut_short: Callable[[], None] = self._cut_short.inc
        # Seconds; once a commit, of the settlement that waited longest in it.
        self.settled: Callable[[float], None] = self.settle_lag_seconds.observe

    def _watched(self, registry: CollectorRegistry) -> None:
        """Make the gauges that others set at times, not in the call path."""
        self.oldest_hold_seconds = _gauge(
            registry, "oldest_hold_seconds", "Age of the oldest hold."
        )
        self.books_imbalance = _gauge(
            registry,
            "books_imbalance",
            "Fatal findings of the last check of the books; -1: none yet.",
        )
        self.books_imbalance.set(_NEVER_RUN)
        self.jobs_dead = _gauge(registry, "jobs_dead", "Jobs that are not tried again.")
        self.usage_lag_seconds = _gauge(
            registry, "usage_lag_seconds", "Age of the oldest usage that the query tables lack."
        )
        self.node_epoch = _gauge(registry, "node_epoch", "Epoch of this process's node.")

    def request_done(self, surface: str, outcome: str) -> None:
        """Count a call that has ended."""
        counts = self._ended.counts
        which = (surface, outcome)
        if which in counts:
            counts[which] += 1
        else:
            self._ended.begin(which)

    def committed(self, batch: int, seconds: float) -> None:
        """Record one group commit of `batch` writes that took `seconds`."""
        self.commit_batch.observe(batch)
        self.commit_seconds.observe(seconds)

    def exposition(self) -> bytes:
        """Return the text that /metrics answers, of type `content_type`."""
        return generate_latest(self.registry)


class _Kinds:
    """A counter with labels, one count a call: `kinds(value, …)`."""

    def __init__(self, registry: CollectorRegistry, name: str, text: str, *labels: str) -> None:
        self._counter = Counter(f"tollbridge_{name}_total", text, labels, registry=registry)
        self._others = (_OTHER,) * len(labels)
        self._children: dict[tuple[str, ...], Callable[[], None]] = {}

    def __call__(self, *labels: str) -> None:
        """Count one of these."""
        count = self._children.get(labels)
        if count is None:
            count = self._bind(labels)
        count()

    def _bind(self, labels: tuple[str, ...]) -> Callable[[], None]:
        if len(self._children) >= _MOST_CHILDREN:
            return self._counter.labels(*self._others).inc
        count: Callable[[], None] = self._counter.labels(*labels).inc
        self._children[labels] = count
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
