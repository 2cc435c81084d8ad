"""Owns the measuring: rounds of A B A B, each side's CPU time a unit, medians of the rounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

import msgspec

from bench.lanes import Lane
from bench.load import Job, Result

_STAGGER_MS = 0.7
_SECONDS_MAX = 60.0


class Loader(Protocol):
    """A child that does load jobs by lines."""

    def line(self) -> bytes:
        """Read one line."""

    def say(self, line: bytes) -> None:
        """Write one line."""


class Meter(Protocol):
    """A child whose CPU time can be read."""

    def cpu_ns(self) -> int:
        """Return CPU time in ns."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two that are compared: where it listens, what is sent, whose CPU is read.

    The CPU of a `database` server of its own is read beside it, and never added to it. `times` is
    how many times the lane's calls at once it gets; `events` is how many a stream has on this side,
    0 for as many as the lane says.
    """

    name: str
    port: int
    request: bytes
    meter: Meter
    database: Meter | None = None
    times: int = 1
    events: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """One round on one side."""

    cpu_ns: int
    result: Result
    database_ns: int = 0


@dataclass(frozen=True, slots=True)
class Figure:
    """What a lane came to: CPU µs a unit of each round, and the ratio of the medians.

    `base` is what is compared with: nginx, or one process. The last two are the database server's.
    """

    lane: Lane
    base_us: tuple[float, ...]
    gateway_us: tuple[float, ...]
    base_database_us: tuple[float, ...] = ()
    database_us: tuple[float, ...] = ()

    @property
    def base(self) -> float:
        """The median of the base's rounds in µs a unit."""
        return median(self.base_us)

    @property
    def gateway(self) -> float:
        """The median of the gateway's rounds in µs a unit."""
        return median(self.gateway_us)

    @property
    def ratio(self) -> float:
        """How many times the base's CPU time the gateway takes."""
        return self.gateway / self.base

    @property
    def spread(self) -> tuple[float, float]:
        """The smallest and the largest ratio of any one round."""
        pairs = zip(self.gateway_us, self.base_us, strict=True)
        ratios = [gateway / base for gateway, base in pairs]
        return min(ratios), max(ratios)

    @property
    def ok(self) -> bool:
        """Whether the target is met; a lane without one is only told."""
        return self.lane.target is None or self.ratio <= self.lane.target


class Tally:
    """Counts what all rounds sent, so that the books can be compared with it in the end."""

    def __init__(self) -> None:
        """Start with nothing sent."""
        self.completed: dict[str, int] = {}
        self.errors: dict[str, int] = {}
        self.samples: list[str] = []

    def add(self, side: str, result: Result) -> None:
        """Enter one round's result."""
        self.completed[side] = self.completed.get(side, 0) + result.completed
        self.errors[side] = self.errors.get(side, 0) + result.errors
        if result.sample:
            self.samples.append(f"{side}: {result.sample}")


def measure(
    lane: Lane,
    base: Side,
    gateway: Side,
    loader: Loader,
    tally: Tally,
    *,
    rounds: int,
    quick: bool,
) -> Figure:
    """Measure one lane: a short warm-up of both sides, then rounds of base, gateway."""
    count = lane.requests(quick=quick)
    sides = (base, gateway)
    for side in sides:
        one_round(lane, side, loader, tally, max(lane.concurrency * side.times, count // 10))
    found: list[list[float]] = [[], []]
    beside: list[list[float]] = [[], []]
    for _ in range(rounds):
        for side, spent, database in zip(sides, found, beside, strict=True):
            sample = one_round(lane, side, loader, tally, count)
            spent.append(sample.cpu_ns / 1_000 / lane.units(count))
            if side.database is not None:
                database.append(sample.database_ns / 1_000 / lane.units(count))
    return Figure(lane, *map(tuple, found), *map(tuple, beside))


def one_round(lane: Lane, side: Side, loader: Loader, tally: Tally, count: int) -> Sample:
    """Send `count` requests and read the CPU time before the first and after the last."""
    job = Job(
        port=side.port,
        request=side.request,
        concurrency=lane.concurrency * side.times,
        count=count,
        stream=lane.unit == "event",
        stagger_ms=_STAGGER_MS if lane.unit == "event" else 0,
        seconds_max=_SECONDS_MAX,
        blank=lane.surface.blank,
        end=lane.surface.end,
    )
    loader.say(msgspec.json.encode(job))
    loader.line()
    meters = [meter for meter in (side.meter, side.database) if meter is not None]
    before = [meter.cpu_ns() for meter in meters]
    loader.say(b"go")
    result = msgspec.json.decode(loader.line(), type=Result)
    spent = [meter.cpu_ns() - begun for meter, begun in zip(meters, before, strict=True)]
    tally.add(side.name, result)
    expected = result.completed * (side.events or lane.events)
    if result.events != expected and result.completed:
        tally.add(side.name, Result(0, 1, 0, 0, [], f"{result.events} events, not {expected}"))
    return Sample(spent[0], result, sum(spent[1:]))


def percentile_us(latencies_ns: Sequence[int], percent: int) -> float:
    """Return a percentile in µs, nearest rank; ValueError when there are no values."""
    if not latencies_ns:
        raise ValueError("no latencies")
    ordered = sorted(latencies_ns)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, rank - 1)] / 1_000
