"""Proof of the budget for second tries: a share of the traffic, a floor, one channel's own."""

from hypothesis import given
from hypothesis import strategies as st

from tollbridge.relay.retries import FLOOR_PER_S, SHARE_PERCENT, WINDOW_S, RetryBudget

FLOOR = FLOOR_PER_S * WINDOW_S


def spent(budget, now, most=100_000):
    return next((count for count in range(most) if not budget.may_retry(1, now)), most)


def test_a_small_channel_may_always_try_again():
    assert spent(RetryBudget(), 5.0) == FLOOR


def test_the_floor_is_a_setting():
    assert spent(RetryBudget(3), 5.0) == 3 * WINDOW_S
    assert spent(RetryBudget(0), 5.0) == 0


def test_a_large_one_may_for_a_fifth_of_its_calls():
    budget = RetryBudget()
    for number in range(10_000):
        budget.called(1, number / 1_000)
    assert spent(budget, 9.999) == 10_000 * SHARE_PERCENT // 100 + FLOOR
    assert budget.may_retry(2, 9.999)


def test_the_window_moves():
    budget = RetryBudget()
    assert spent(budget, 0.5) == FLOOR
    assert not budget.may_retry(1, WINDOW_S - 0.1)
    assert budget.may_retry(1, float(WINDOW_S))
    assert spent(budget, 1_000_000.0) == FLOOR


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 3)), max_size=200))
def test_it_counts_as_a_list_would(steps):
    budget, now = RetryBudget(), 100.0
    calls, retries = [], []
    for is_call, pause in steps:
        now += pause
        if is_call:
            budget.called(1, now)
            calls.append(int(now))
            continue
        recent = [one for one in calls if one > int(now) - WINDOW_S]
        used = [one for one in retries if one > int(now) - WINDOW_S]
        allowed = len(used) < len(recent) * SHARE_PERCENT // 100 + FLOOR
        assert budget.may_retry(1, now) == allowed
        if allowed:
            retries.append(int(now))
