"""Growth is what calls add, after a warm-up in a full run."""

from bench.lanes import lanes
from bench.memory import GROWTH_TARGET_MB, Growth, growth, idle
from bench.rounds import Side, Tally
from tests.bench.test_rounds import Clockwork, Meter


class Grown:
    """A gateway and its child in one: it weighs 100 MB and one more for each 10,000 calls."""

    name = "sqlite"

    def __init__(self, clockwork: Clockwork) -> None:
        self.child = self
        self._clockwork = clockwork

    def rss_mb(self) -> list[float]:
        return [100 + self._clockwork.used[1] / 10_000, 50.0]


def _grown(*, quick: bool) -> tuple[Growth, Tally]:
    clockwork, tally = Clockwork({1: 1}), Tally()
    target = Side("sqlite", 1, b"a", Meter(clockwork, 1))
    gateway = Grown(clockwork)
    found = growth(lanes()[0], gateway, target, clockwork, tally, quick=quick)  # type: ignore[arg-type]
    return found, tally


def test_a_full_run_is_judged_after_a_warm_up() -> None:
    found, tally = _grown(quick=False)
    assert (found.calls, found.mb, found.target) == (100_000, 10, GROWTH_TARGET_MB)
    assert tally.completed["sqlite"] == 120_000


def test_a_quick_run_is_only_told() -> None:
    found, tally = _grown(quick=True)
    assert (found.calls, found.mb, found.target) == (10_000, 1, None)
    assert tally.completed["sqlite"] == 10_000


def test_idle_is_told_of_each_process() -> None:
    found = idle(Grown(Clockwork({1: 1})))  # type: ignore[arg-type]
    assert (found.gateway, found.processes_mb) == ("sqlite", (100, 50))
