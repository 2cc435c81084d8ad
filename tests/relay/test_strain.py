"""Proof of strain: two failures in a row begin a pause, later ones a longer one, no pause is endless."""

from hypothesis import given
from hypothesis import strategies as st

from tollbridge.relay.strain import Strain


def test_one_failure_is_no_strain():
    strain = Strain()
    strain.failed(1.0)
    assert not strain.holds(1.0)


def test_two_in_a_row_are_one_for_a_while():
    strain = Strain()
    strain.failed(1.0)
    strain.failed(9.0)
    assert strain.holds(9.0)
    assert strain.holds(23.9)
    assert not strain.holds(24.0)


def test_calls_that_were_under_way_together_count_once():
    alone, crowd = Strain(), Strain()
    for strain, times in ((alone, 1), (crowd, 50)):
        strain.failed(0.0)
        for _ in range(times):
            strain.failed(1.0)
    for now in (15.9, 16.0):
        assert alone.holds(now) == crowd.holds(now)


def test_each_further_failure_doubles_the_pause_up_to_five_minutes():
    strain, now, pauses = Strain(), 0.0, []
    strain.failed(now)
    for _ in range(7):
        strain.failed(now)
        begin = now
        while strain.holds(now):
            now += 1.0
        pauses.append(now - begin)
    assert pauses == [15, 30, 60, 120, 240, 300, 300]


@given(st.lists(st.floats(0, 1000), max_size=30))
def test_no_strain_outlives_its_last_failure_by_more_than_five_minutes(gaps: list[float]):
    strain, now = Strain(), 0.0
    for gap in gaps:
        now += gap
        strain.failed(now)
    assert not strain.holds(now + 300.0)
