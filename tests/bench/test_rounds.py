"""Rounds alternate, read CPU time around the load alone, and give medians."""

from dataclasses import replace

import msgspec
import pytest

from bench.lanes import lanes
from bench.load import Job, Result
from bench.rounds import Figure, Side, Tally, measure, percentile_us


class Clockwork:
    """A loader and a meter in one: each request costs its side's CPU time."""

    def __init__(self, cost_ns: dict[int, int], *, errors: int = 0) -> None:
        self.cost_ns = cost_ns
        self.errors = errors
        self.jobs: list[Job] = []
        self.used: dict[int, int] = dict.fromkeys(cost_ns, 0)
        self.lines: list[bytes] = []

    def say(self, line: bytes) -> None:
        if line != b"go":
            self.jobs.append(msgspec.json.decode(line, type=Job))
            self.lines.append(b"{}")
            return
        job = self.jobs[-1]
        self.used[job.port] += self.cost_ns[job.port] * job.count
        done = job.count - self.errors
        result = Result(done, self.errors, 0, 1.0, [1] * done, "no" if self.errors else "")
        self.lines.append(msgspec.json.encode(result))

    def line(self) -> bytes:
        return self.lines.pop(0)


class Meter:
    def __init__(self, clockwork: Clockwork, port: int) -> None:
        self.clockwork = clockwork
        self.port = port

    def cpu_ns(self) -> int:
        return self.clockwork.used[self.port]


def sides(clockwork: Clockwork) -> tuple[Side, Side]:
    nginx = Side("nginx", 1, b"a", Meter(clockwork, 1))
    return nginx, Side("gateway", 2, b"b", Meter(clockwork, 2))


def test_rounds_alternate_and_are_divided() -> None:
    clockwork, tally = Clockwork({1: 20_000, 2: 60_000}), Tally()
    figure = measure(lanes()[0], *sides(clockwork), clockwork, tally, rounds=3, quick=True)
    assert [job.port for job in clockwork.jobs] == [1, 2] * 4
    assert (figure.base, figure.gateway, figure.ratio) == (20, 60, 3)
    assert figure.ok
    assert tally.completed == {"nginx": 9_300, "gateway": 9_300}
    assert tally.samples == []


def test_a_database_server_is_read_beside() -> None:
    clockwork = Clockwork({1: 20_000, 2: 60_000})
    nginx, gateway = sides(clockwork)
    # The server works as much as the gateway does.
    gateway = replace(gateway, database=Meter(clockwork, 2))
    figure = measure(lanes()[0], nginx, gateway, clockwork, Tally(), rounds=2, quick=True)
    assert (figure.base_us, figure.gateway_us) == ((20, 20), (60, 60))
    assert (figure.base_database_us, figure.database_us) == ((), (60, 60))


def test_a_side_may_get_more_calls_at_once() -> None:
    clockwork = Clockwork({1: 20_000, 2: 60_000})
    nginx, gateway = sides(clockwork)
    twice = replace(gateway, times=2)
    figure = measure(lanes()[0], nginx, twice, clockwork, Tally(), rounds=1, quick=True)
    assert [job.concurrency for job in clockwork.jobs] == [64, 128] * 2
    assert [job.count for job in clockwork.jobs] == [300, 300, 3_000, 3_000]
    assert figure.ratio == 3


def test_a_side_may_have_its_own_number_of_events() -> None:
    lane = replace(lanes()[0], unit="event", events=9)
    clockwork, tally = Clockwork({1: 1, 2: 1}), Tally()
    nginx, gateway = sides(clockwork)
    # This loader counts no events at all.
    measure(lane, nginx, replace(gateway, events=8), clockwork, tally, rounds=1, quick=True)
    assert [sample.rpartition(" ")[2] for sample in tally.samples[:2]] == ["2700", "2400"]


def test_a_lane_without_a_target_is_ok() -> None:
    lane = replace(lanes()[0], target=None)
    assert Figure(lane, (1.0,), (99.0,)).ok


def test_errors_are_tallied() -> None:
    clockwork, tally = Clockwork({1: 1, 2: 1}, errors=2), Tally()
    measure(lanes()[1], *sides(clockwork), clockwork, tally, rounds=1, quick=True)
    assert tally.errors == {"nginx": 4, "gateway": 4}
    assert tally.samples[0] == "nginx: no"


def test_missing_events_are_errors() -> None:
    clockwork, tally = Clockwork({1: 1, 2: 1}), Tally()
    lane = next(lane for lane in lanes() if lane.unit == "event")
    measure(lane, *sides(clockwork), clockwork, tally, rounds=1, quick=True)
    assert tally.errors == {"nginx": 2, "gateway": 2}


def test_figures_are_medians() -> None:
    figure = Figure(lanes()[0], (10.0, 20.0, 90.0), (80.0, 30.0, 90.0))
    assert (figure.base, figure.gateway, figure.ratio) == (20, 80, 4)
    assert figure.spread == (1.0, 8.0)
    assert not figure.ok


def test_percentiles_are_nearest_rank() -> None:
    values = [1_000 * n for n in range(100, 0, -1)]
    assert (percentile_us(values, 50), percentile_us(values, 99)) == (50, 99)
    assert percentile_us([7_000], 99) == 7
    with pytest.raises(ValueError, match="no latencies"):
        percentile_us([], 50)
