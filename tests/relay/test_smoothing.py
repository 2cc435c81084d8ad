"""Proof of a channel's pace: a burst passes, the rest is spread evenly, too much is refused."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.relay.smoothing import BURST_MIN, BURST_S, Smoother


def test_small_limits_feel_no_pace():
    smoother = Smoother()
    assert [smoother.delay_s(1, 10, 0.0, 8) for _ in range(BURST_MIN)] == [0.0] * BURST_MIN


def test_after_the_burst_calls_come_evenly_until_it_is_too_long():
    smoother = Smoother()
    delays = [smoother.delay_s(1, 600, 0.0, 8) for _ in range(300)]
    assert delays[: 10 * BURST_S] == [0.0] * 100
    assert delays[100:180] == pytest.approx([0.1 * number for number in range(1, 81)])
    assert all(delay > 8 for delay in delays[181:])
    # A refused call is not counted: the pace is the same afterwards.
    assert smoother.delay_s(1, 600, 1.0, 8) == pytest.approx(7.1)
    assert smoother.delay_s(2, 600, 0.0, 8) == 0.0


@given(st.integers(1, 6_000), st.lists(st.floats(0, 5), min_size=1, max_size=300))
def test_no_second_has_more_than_the_pace_and_one_burst(rpm, pauses):
    smoother, now, starts = Smoother(), 0.0, []
    for pause in pauses:
        now += pause
        delay = smoother.delay_s(7, rpm, now, 8)
        assert delay >= 0
        if delay <= 8:
            starts.append(now + delay)
    assert all(a <= b + 1e-6 for a, b in pairwise(starts))
    burst = max(BURST_MIN, rpm * BURST_S // 60)
    for first in range(0, len(starts), 7):
        for last in range(first, len(starts), 5):
            length = starts[last] - starts[first]
            assert last - first + 1 <= burst + length * rpm / 60 + 1 + 1e-6
