"""Two processes beside one: throughput needs a core for each and for all the others."""

from collections.abc import Iterable
from types import SimpleNamespace

from bench.lanes import two_processes
from bench.pair import Pair, Throughput, compare, places_on
from bench.rounds import Tally
from tests.bench.test_rounds import Clockwork, Meter

_COST_NS = {1: 200_000, 2: 210_000, 3: 0}


class Machine(Clockwork):
    """A loader whose results take a second, and whose cores are noted as everybody's are."""

    def __init__(self) -> None:
        super().__init__(_COST_NS)
        self.moved: list[list[int]] = []

    def move(self, cores: Iterable[int]) -> None:
        self.moved.append(list(cores))

    def child(self, port: int) -> SimpleNamespace:
        return SimpleNamespace(cpu_ns=Meter(self, port).cpu_ns, move=self.move)

    def gateway(self, name: str, port: int) -> SimpleNamespace:
        return SimpleNamespace(
            name=name, port=port, secrets={"openai": "s"}, child=self.child(port)
        )


def _compare(free: list[int]) -> tuple[Pair, Machine, Tally]:
    machine, tally = Machine(), Tally()
    found = compare(
        two_processes(),
        (machine.gateway("one", 1), machine.gateway("two", 2)),  # type: ignore[arg-type]
        SimpleNamespace(loader=machine, vendor=machine.child(3)),  # type: ignore[arg-type]
        SimpleNamespace(child=machine.child(3)),  # type: ignore[arg-type]
        tally,
        free,
        rounds=2,
        quick=True,
    )
    return found, machine, tally


def test_cost_is_compared_where_nothing_was_moved() -> None:
    found, machine, tally = _compare([0, 1])
    for figure in (found.busy, found.same):
        assert (figure.base_us, figure.gateway_us) == ((200, 200), (210, 210))
    assert found.throughput is None
    assert machine.moved == []
    assert tally.completed == {"one": 6_300, "two": 6_300}


def test_only_two_as_busy_as_one_are_judged() -> None:
    found, machine, _ = _compare([0, 1])
    assert (found.busy.lane.target, found.same.lane.target) == (1.1, None)
    assert "as busy as the one" in found.busy.lane.title
    assert "same load" in found.same.lane.title
    loads = [(job.port, job.concurrency) for job in machine.jobs]
    assert loads == [(1, 64), (2, 128)] * 3 + [(1, 64), (2, 64)] * 3


def test_throughput_is_measured_on_cores_enough() -> None:
    found, machine, tally = _compare([0, 1, 2, 3, 4, 5])
    assert found.busy.ratio == 1.05
    assert found.throughput == Throughput((1_500, 1_500), (1_500, 1_500))
    assert machine.moved == [[0, 1], [0, 1], [2], [3], [4, 5]]
    assert tally.completed == {"one": 9_300, "two": 9_300}
    assert {job.concurrency for job in machine.jobs[-4:] if job.port == 2} == {128}


def test_few_cores_measure_no_throughput() -> None:
    assert places_on([0, 1]) is None
    assert places_on([0, 1, 2, 3, 4]) is None


def test_nobody_shares_a_core_but_the_two_that_are_compared() -> None:
    places = places_on([1, 2, 3, 5, 7, 8, 9])
    assert places is not None
    one, two, *others = places
    assert one == two == [1, 2]
    assert others == [[3], [5], [7, 8, 9]]


def test_throughput_is_compared_by_medians() -> None:
    assert Throughput((100.0, 50.0, 400.0), (150.0, 190.0, 900.0)).ratio == 1.9
