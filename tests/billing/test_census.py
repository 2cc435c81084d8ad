"""The twin of billing/census.py: who is dead, whatever gaps and outages the looker has."""

from hypothesis import example, given
from hypothesis import strategies as st

from tollbridge.billing.census import Census

DEAD_S, BEAT_S = 30.0, 5.0
GAP_S = 2 * BEAT_S


def test_silence_is_death_only_when_it_lasts():
    census = Census(DEAD_S, BEAT_S)
    looks = [census.look([(7, 1, 100)], at * BEAT_S) for at in range(8)]
    assert looks == [[]] * 6 + [[((7, 1), 100)]] * 2


def test_a_beat_or_a_new_epoch_begins_the_count_anew():
    census = Census(DEAD_S, BEAT_S)
    for at in range(6):
        assert census.look([(7, 1, 100), (8, 1, 5)], at * BEAT_S) == []
    assert census.look([(7, 1, 101), (8, 2, 5)], 6 * BEAT_S) == []
    for at in range(7, 12):
        assert census.look([(7, 1, 101), (8, 2, 5)], at * BEAT_S) == []
    dead = census.look([(7, 1, 101), (8, 2, 5)], 12 * BEAT_S)
    assert dead == [((7, 1), 101), ((8, 2), 5)]


def test_who_was_away_in_between_is_counted_anew():
    census = Census(DEAD_S, BEAT_S)
    for at in range(6):
        census.look([(7, 1, 100)], at * BEAT_S)
    assert census.look([], 6 * BEAT_S) == []
    assert census.look([(7, 1, 100)], 7 * BEAT_S) == []


def test_time_in_which_nobody_could_look_proves_nothing():
    census = Census(DEAD_S, BEAT_S)
    for at in range(6):
        census.look([(7, 1, 100)], at * BEAT_S)
    # The database, or we, were away for an hour; the other needs time to come back as well.
    assert census.look([(7, 1, 100)], 3600.0) == []
    assert census.look([(7, 1, 100)], 3600.0 + BEAT_S) == [((7, 1), 100)]


# What happens between two looks, in seconds: on time, a little late, or an outage for everybody.
_STEPS = st.lists(
    st.one_of(st.floats(0.1, GAP_S), st.sampled_from([BEAT_S] * 3), st.floats(GAP_S + 0.1, 7200)),
    max_size=80,
)


@given(_STEPS, st.floats(0, BEAT_S))
def test_who_beats_whenever_the_database_is_there_is_never_dead(steps, phase):
    census, at_s, beats, beaten_at = Census(DEAD_S, BEAT_S), 0.0, 0, -phase
    for gap_s in steps:
        at_s += gap_s
        if gap_s > GAP_S:
            # An outage: the other's next beat is up to an interval after its end.
            beaten_at = at_s - phase
        else:
            while at_s - beaten_at >= BEAT_S:
                beaten_at += BEAT_S
                beats += 1
        assert census.look([(7, 1, beats)], at_s) == []


@example([1.0, 1.0, 3.0, 9.274731457517083, 10.0, 6.0])
@given(_STEPS)
def test_who_is_dead_is_found_out_in_the_time_that_could_be_looked_at(steps):
    census, at_s, lookable_s = Census(DEAD_S, BEAT_S), 0.0, 0.0
    census.look([(7, 1, 100)], at_s)
    for gap_s in steps:
        # What lies between two times is not quite the gap that was added.
        before_s, at_s = at_s, at_s + gap_s
        lookable_s += at_s - before_s if at_s - before_s <= GAP_S else 0.0
        dead = census.look([(7, 1, 100)], at_s)
        if lookable_s < DEAD_S - 0.001:
            assert dead == []
        if lookable_s > DEAD_S + 0.001:
            assert dead == [((7, 1), 100)]
