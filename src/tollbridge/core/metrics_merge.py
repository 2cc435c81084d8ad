"""Owns how the figures of several processes become one exposition. Must not know where they are.

Counters and histograms are summed, those of processes that are gone included: a sum that falls
would be taken for a restart, and all of it for new. Gauges are summed too, unless a rule here names
another way; what belongs to a process alone gets a label `worker`.
"""

from collections.abc import Callable, Iterator, Mapping

import msgspec
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_GROWING = frozenset({"counter", "histogram"})
# What every process reads of the same books, or where the worst is what matters.
_RULES: Mapping[str, Callable[[float, float], float]] = {
    "tollbridge_oldest_hold_seconds": max,
    "tollbridge_books_imbalance": max,
    "tollbridge_jobs_dead": max,
    "tollbridge_usage_lag_seconds": max,
    "tollbridge_limits_shared": min,
}
_EACH = ("process_", "tollbridge_node_epoch")
_BEGAN = "_created"
# Of so many that are gone the figures are apart, in case one of them still ends in order.
_MOST_GONE = 64


class Sample(msgspec.Struct, frozen=True):
    """One figure."""

    name: str
    labels: dict[str, str]
    value: float


class Family(msgspec.Struct, frozen=True):
    """The figures of one metric."""

    name: str
    text: str
    type: str
    samples: list[Sample]


class Report(msgspec.Struct, frozen=True):
    """The figures of one process; `life` is its own and no other's, ever."""

    life: str
    families: list[Family]


class Seen(msgspec.Struct):
    """What was shown of each worker last, of each that is gone, and the sums of those long gone."""

    past: list[Family] = []
    gone: dict[str, list[Family]] = {}
    last: dict[int, Report] = {}

    def take(self, reports: Mapping[int, Report | None]) -> None:
        """Note what the workers report now; of who is gone the last figures stay in the sums."""
        for index, report in reports.items():
            if report is None:
                continue
            known = self.last.get(index)
            if known is not None and known.life != report.life:
                self._bury(known)
            self.last[index] = report

    def leave(self, index: int, report: Report) -> None:
        """Note the last figures of a worker that ends in order, maybe after its successor began."""
        known = self.last.get(index)
        if known is not None and known.life == report.life:
            self.last[index] = report
        else:
            self._bury(report)

    @property
    def sums(self) -> list[list[Family]]:
        """Return what is added to the figures of the workers of now."""
        return [self.past, *self.gone.values()]

    def _bury(self, report: Report) -> None:
        self.gone[report.life] = _growing(report.families)
        if len(self.gone) > _MOST_GONE:
            eldest = self.gone.pop(next(iter(self.gone)))
            self.past = _merged([self.past, eldest])


def families_of(collector: Collector) -> list[Family]:
    """Return what a registry holds now."""
    return [
        Family(
            family.name,
            family.documentation,
            family.type,
            [Sample(one.name, dict(one.labels), one.value) for one in family.samples],
        )
        for family in collector.collect()
    ]


def merged_exposition(seen: Seen, reports: Mapping[int, Report | None]) -> bytes:
    """Return Prometheus's text for all workers; one without a report is down, its gauges unknown."""
    parts = seen.sums
    for index, report in sorted(reports.items()):
        if report is not None:
            parts.append([_labelled(family, index) for family in report.families])
        elif index in seen.last:
            parts.append([_labelled(one, index) for one in _growing(seen.last[index].families)])
    up = GaugeMetricFamily("tollbridge_worker_up", "1 when the worker answers.", labels=["worker"])
    for index, report in sorted(reports.items()):
        up.add_metric([str(index)], 0 if report is None else 1)
    return generate_latest(_Shown([*(_metric(family) for family in _merged(parts)), up]))


class _Shown(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


def _growing(families: list[Family]) -> list[Family]:
    """Return what outlives a process: sums, but not those of a process alone."""
    return [
        family
        for family in families
        if family.type in _GROWING and not family.name.startswith(_EACH)
    ]


def _labelled(family: Family, index: int) -> Family:
    if not family.name.startswith(_EACH):
        return family
    samples = [
        Sample(one.name, {**one.labels, "worker": str(index)}, one.value) for one in family.samples
    ]
    return Family(family.name, family.text, family.type, samples)


def _merged(parts: list[list[Family]]) -> list[Family]:
    heads: dict[str, Family] = {}
    sums: dict[str, dict[tuple[str, ...], Sample]] = {}
    for family in (family for part in parts for family in part):
        heads.setdefault(family.name, family)
        known = sums.setdefault(family.name, {})
        for one in family.samples:
            key = (one.name, *(word for pair in sorted(one.labels.items()) for word in pair))
            other = known.get(key)
            known[key] = one if other is None else _sum(family.name, one, other)
    return [
        Family(head.name, head.text, head.type, list(sums[name].values()))
        for name, head in heads.items()
    ]


def _sum(family: str, one: Sample, other: Sample) -> Sample:
    rule = min if one.name.endswith(_BEGAN) else _RULES.get(family)
    value = one.value + other.value if rule is None else rule(one.value, other.value)
    return Sample(one.name, one.labels, value)


def _metric(family: Family) -> Metric:
    metric = Metric(family.name, family.text, family.type)
    for one in family.samples:
        metric.add_sample(one.name, one.labels, one.value)
    return metric
