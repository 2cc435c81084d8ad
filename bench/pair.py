"""Owns the comparison of two processes on one PostgreSQL with one process.

It is made at two loads: each of the two as busy as the one, and both together as busy as the one.
Cost is compared on one core, where it does not matter who waits for whom. Throughput needs a core
for each process and more for all the others, else it would tell of the machine alone.
"""

from dataclasses import dataclass, replace
from statistics import median

from bench.gateway import Gateway
from bench.lanes import Lane
from bench.postgres import Postgres
from bench.rounds import Figure, Tally, measure, one_round
from bench.stage import Stage, side

CORES_MIN = 6
PROCESSES = 2


@dataclass(frozen=True, slots=True)
class Throughput:
    """Calls a second of each round."""

    one: tuple[float, ...]
    two: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """How many times the calls of one process two of them finish, by the medians."""
        return median(self.two) / median(self.one)


@dataclass(frozen=True, slots=True)
class Pair:
    """What two processes cost beside one; `throughput` is None on too few cores.

    `busy`: each gets the calls at once that the one gets. `same`: they share the one's between them.
    """

    busy: Figure
    same: Figure
    throughput: Throughput | None


def compare(
    lane: Lane,
    gateways: tuple[Gateway, Gateway],
    stage: Stage,
    postgres: Postgres,
    tally: Tally,
    free: list[int],
    *,
    rounds: int,
    quick: bool,
) -> Pair:
    """Compare the second gateway, of two processes, with the first, of one.

    Only the figure of processes as busy as the one has the lane's target. Afterwards, when enough
    cores are free, all stay on the cores where throughput was measured.
    """
    one, alike = (side(gateway, lane, postgres.child) for gateway in gateways)
    two = replace(alike, times=PROCESSES)
    busy_lane = replace(lane, title=f"each process as busy as the one: {lane.title}")
    same_lane = replace(lane, title=f"the same load in all: {lane.title}", target=None)
    busy, same = (
        measure(asked, one, other, stage.loader, tally, rounds=rounds, quick=quick)
        for asked, other in ((busy_lane, two), (same_lane, alike))
    )
    places = places_on(free)
    if places is None:
        return Pair(busy, same, None)
    children = (*(gateway.child for gateway in gateways), stage.loader, stage.vendor)
    for child, place in zip((*children, postgres.child), places, strict=True):
        child.move(place)
    rates: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for target, found in zip((one, two), rates, strict=True):
            sample = one_round(lane, target, stage.loader, tally, lane.requests(quick=quick))
            found.append(sample.result.completed / sample.result.seconds)
    return Pair(busy, same, Throughput(tuple(rates[0]), tuple(rates[1])))


def places_on(free: list[int]) -> tuple[list[int], ...] | None:
    """Return the cores of one process, of two, of load, vendor and database; None when too few."""
    if len(free) < CORES_MIN:
        return None
    gateways, load, vendor, database = free[:2], free[2:3], free[3:4], free[4:]
    return gateways, gateways, load, vendor, database
