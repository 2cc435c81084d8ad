"""Two processes beside one: throughput needs a core for each and for all the others."""

from bench.pair import Throughput, places_on


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
