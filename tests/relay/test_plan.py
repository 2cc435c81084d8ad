"""Proof of whose turn it is: priority first, then shares by weight, smooth and never the same twice."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.relay.calls import account, channel
from tollbridge.relay.plan import Plan


def anyone(_account):
    return True


def of(*weights, priority=0):
    return tuple(account(n + 1, weight=w, priority=priority) for n, w in enumerate(weights))


def turns(one, count, usable=anyone):
    plan = Plan()
    return [plan.pick(one, (), usable).id for _ in range(count)]


def test_nobody_is_picked_from_none():
    assert Plan().pick(channel(accounts=()), (), anyone) is None


def test_the_only_one_is_picked_once():
    one = channel(accounts=of(1))
    assert Plan().pick(one, (), anyone).id == 1
    assert Plan().pick(one, {1}, anyone) is None
    assert Plan().pick(one, (), lambda _: False) is None


@given(st.lists(st.integers(1, 1_000), min_size=2, max_size=30))
def test_shares_follow_the_weights(weights):
    many = 10_000
    counts = Counter(turns(channel(accounts=of(*weights)), many))
    for n, weight in enumerate(weights):
        assert abs(counts[n + 1] / many - weight / sum(weights)) < 0.002


@given(st.lists(st.integers(1, 9), min_size=2, max_size=6))
def test_few_turns_already_have_the_shares(weights):
    every = sum(weights)
    counts = Counter(turns(channel(accounts=of(*weights)), every * 4))
    for n, weight in enumerate(weights):
        assert abs(counts[n + 1] - weight * 4) <= 4


def test_accounts_without_any_weight_share_evenly():
    counts = Counter(turns(channel(accounts=of(0, 0, 0)), 300))
    assert set(counts) == {1, 2, 3}
    assert max(counts.values()) - min(counts.values()) <= 3


def test_a_weight_of_nothing_beside_others_is_only_a_spare():
    one = channel(accounts=of(0, 5))
    assert set(turns(one, 100)) == {2}
    assert Plan().pick(one, {2}, anyone).id == 1


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), min_size=1, max_size=12),
    st.sets(st.integers(1, 12)),
    st.sets(st.integers(1, 12)),
)
def test_the_best_priority_that_is_left_is_asked(accounts, tried, parked):
    made = tuple(account(n + 1, weight=w, priority=p) for n, (w, p) in enumerate(accounts))
    left = [one for one in made if one.id not in tried and one.id not in parked]
    picked = Plan().pick(channel(accounts=made), tried, lambda one: one.id not in parked)
    if not left:
        assert picked is None
    else:
        assert picked in left
        assert picked.priority == min(one.priority for one in left)


def test_every_account_is_tried_before_there_is_nobody():
    made = (*of(1, 1000), *(account(n, priority=1) for n in (3, 4)))
    plan, one, tried = Plan(), channel(accounts=made), []
    while (picked := plan.pick(one, tried, anyone)) is not None:
        tried.append(picked.id)
    assert sorted(tried[:2]) == [1, 2]
    assert sorted(tried) == [1, 2, 3, 4]


def test_those_that_are_left_share_by_their_weights():
    one = channel(accounts=of(50, 3, 1))
    counts = Counter(turns(one, 4_000, lambda each: each.id != 1))
    assert counts[1] == 0
    assert counts[2] / counts[3] == pytest.approx(3, rel=0.02)


def test_a_new_snapshot_brings_other_accounts():
    plan = Plan()
    assert plan.pick(channel(accounts=of(1, 1)), (), anyone).id in {1, 2}
    assert plan.pick(channel(accounts=(account(7), account(8))), (), anyone).id in {7, 8}


@given(st.lists(st.integers(1, 50), min_size=2, max_size=8), st.integers(0, 2**64 - 1))
def test_a_session_means_the_same_account_each_time(weights, session):
    plan, one = Plan(), channel(accounts=of(*weights))
    home = plan.pick(one, (), anyone, session)
    assert all(plan.pick(one, (), anyone, session) is home for _ in range(5))
    other = plan.pick(one, {home.id}, anyone, session)
    assert other is not None and other is not home


def test_many_sessions_follow_the_weights():
    chance, one, plan = Random(7), channel(accounts=of(1, 2, 7)), Plan()
    counts = Counter(plan.pick(one, (), anyone, chance.getrandbits(64)).id for _ in range(10_000))
    for n, weight in enumerate((1, 2, 7)):
        assert abs(counts[n + 1] / 10_000 - weight / 10) < 0.02
