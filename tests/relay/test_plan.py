"""Proof of whose turn it is: priority first, then shares by weight, smooth and never the same twice."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
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


def sessions(count, seed=7):
    chance = Random(seed)
    return [chance.getrandbits(64) for _ in range(count)]


@given(st.lists(st.integers(1, 50), min_size=3, max_size=8), st.integers(0, 2**64 - 1))
def test_while_its_first_account_is_out_a_session_stays_together_at_its_second(weights, session):
    plan, one = Plan(), channel(accounts=of(*weights))
    home = plan.pick(one, (), anyone, session)
    second = plan.pick(one, {home.id}, anyone, session)
    for tried, parked in (({home.id}, None), ((), home.id)):
        picked = {
            plan.pick(one, tried, lambda each, out=parked: each.id != out, session).id
            for _ in range(20)
        }
        assert picked == {second.id}
    assert plan.pick(one, (), anyone, session) is home


@given(
    st.lists(st.integers(1, 3), min_size=3, max_size=9),
    st.integers(0, 2**64 - 1),
    st.sets(st.integers(1, 9)),
)
def test_who_else_is_out_does_not_move_a_session(weights, session, out):
    plan, one = Plan(), channel(accounts=of(*weights))
    chosen = plan.pick(one, (), lambda each: each.id not in out, session)
    if chosen is not None:
        for other in {each.id for each in one.accounts} - out - {chosen.id}:
            assert plan.pick(one, {other}, lambda each: each.id not in out, session) is chosen


def test_the_sessions_of_one_that_is_out_are_shared_by_weight():
    plan, one = Plan(), channel(accounts=of(10, 1, 2, 7))
    moved = [each for each in sessions(20_000) if plan.pick(one, (), anyone, each).id == 1]
    counts = Counter(plan.pick(one, {1}, anyone, each).id for each in moved)
    for number, weight in ((2, 1), (3, 2), (4, 7)):
        assert abs(counts[number] / len(moved) - weight / 10) < 0.02


def test_a_session_goes_to_a_spare_when_nobody_else_is_left():
    one = channel(accounts=of(0, 0, 5))
    for session in sessions(20):
        plan = Plan()
        assert plan.pick(one, (), anyone, session).id == 3
        spares = {plan.pick(one, {3}, anyone, session).id for _ in range(10)}
        assert len(spares) == 1 and spares < {1, 2}


def test_sessions_take_nobodys_turn():
    one = channel(accounts=of(1, 2, 3))
    plan, alone = Plan(), Plan()
    for session in sessions(50):
        plan.pick(one, {1}, anyone, session)
        assert plan.pick(one, (), anyone) is alone.pick(one, (), anyone)


# 10,000 picks in parts, each with others left out.
_PARTS, _TURNS = 4, 2_500


@given(
    st.lists(st.tuples(st.integers(1, 100), st.integers(0, 1)), min_size=2, max_size=10),
    st.lists(st.sets(st.integers(1, 10)), min_size=_PARTS, max_size=_PARTS),
)
@settings(max_examples=25, deadline=None)
def test_shares_follow_the_weights_while_some_are_parked_for_parts_of_the_run(accounts, parked):
    """Of 10,000 picks each account has its share of every part in which it may be asked, within 2 %.

    Its share of a part is its weight among those of the best priority that is left then.
    """
    made = tuple(account(n + 1, weight=w, priority=p) for n, (w, p) in enumerate(accounts))
    one, plan = channel(accounts=made), Plan()
    counts: Counter[int] = Counter()
    due: Counter[int] = Counter()
    for out in parked:
        left = [each for each in made if each.id not in out]
        best = [each for each in left if each.priority == min(other.priority for other in left)]
        every = sum(each.weight for each in best)
        for each in best:
            due[each.id] += _TURNS * each.weight / every
        picks = (plan.pick(one, (), lambda each: each.id not in out) for _ in range(_TURNS))  # noqa: B023
        counts.update(None if pick is None else pick.id for pick in picks)
    assert counts.pop(None, 0) == sum(_TURNS for out in parked if {each.id for each in made} <= out)
    for each in made:
        assert abs(counts[each.id] - due[each.id]) <= 0.02 * _PARTS * _TURNS
