"""Owns memory: what each process of an idle gateway holds, and what thousands of calls add to it."""

from dataclasses import dataclass

from bench.gateway import Gateway
from bench.lanes import Lane
from bench.rounds import Loader, Side, Tally, one_round

RSS_TARGET_MB = 130.0
GROWTH_TARGET_MB = 2.0
_WARM_CALLS, _CALLS, _QUICK_CALLS = 20_000, 100_000, 10_000
_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Idle:
    """Resident MB of each process of a gateway that was just started, the parent first."""

    gateway: str
    processes_mb: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Growth:
    """By how many MB a gateway of one process grew over so many calls."""

    calls: int
    mb: float

    @property
    def target(self) -> float | None:
        """What it may grow; a short run without a warm-up is only told."""
        return GROWTH_TARGET_MB if self.calls >= _CALLS else None


def idle(gateway: Gateway) -> Idle:
    """Look at a gateway before its first call."""
    return Idle(gateway.name, tuple(gateway.child.rss_mb()))


def growth(
    lane: Lane, gateway: Gateway, target: Side, loader: Loader, tally: Tally, *, quick: bool
) -> Growth:
    """Send calls and compare the memory before and after; in full, after a warm-up."""
    if not quick:
        _send(lane, target, loader, tally, _WARM_CALLS - tally.completed.get(target.name, 0))
    before = sum(gateway.child.rss_mb())
    calls = _QUICK_CALLS if quick else _CALLS
    _send(lane, target, loader, tally, calls)
    return Growth(calls, sum(gateway.child.rss_mb()) - before)


def _send(lane: Lane, target: Side, loader: Loader, tally: Tally, calls: int) -> None:
    """Send the calls in rounds, none of which comes near its time limit."""
    for begun in range(0, calls, _AT_ONCE):
        one_round(lane, target, loader, tally, max(lane.concurrency, min(_AT_ONCE, calls - begun)))
