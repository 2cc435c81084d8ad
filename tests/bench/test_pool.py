"""What choosing an account costs: every case is measured, few beside many."""

from bench.pool import TARGET_US, Choice, lines, measure


def test_every_case_has_both_figures() -> None:
    found = measure(quick=True)
    assert [one.case for one in found] == [
        "all well, calls alone",
        "all well, sticky sessions",
        "a third parked, calls alone",
        "a third parked, sticky sessions",
    ]
    assert all(one.few > 0 and one.many > 0 for one in found)


def test_the_target_is_for_what_the_many_cost_more() -> None:
    assert Choice("a", 3.0, 3.0 + TARGET_US).ok
    assert not Choice("a", 3.0, 3.1 + TARGET_US).ok


def test_the_figures_as_text() -> None:
    head, one, two = lines([Choice("a", 1.0, 1.5), Choice("b", 1.0, 9.0)])
    assert "10 accounts, 1000" in head
    assert one == "  a: 1.00, 1.50, +0.50 ok"
    assert two.endswith("+8.00 OVER")
    assert lines([]) == []
