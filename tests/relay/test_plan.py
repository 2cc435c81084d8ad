"""Proof of the order in which accounts are tried: priority first, then weight, each once."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tests.relay.calls import account
from tollbridge.relay.plan import candidates, pick


@st.composite
def pools(draw):
    shapes = st.tuples(st.integers(0, 12), st.integers(0, 3))
    return tuple(
        account(number, weight=weight, priority=priority)
        for number, (weight, priority) in enumerate(draw(st.lists(shapes, max_size=6)), start=1)
    )


chances = st.integers(0, 2**30 - 1)


@given(pools(), st.sets(st.integers(1, 6)))
def test_only_the_best_priority_that_is_left_stands_for_choice(accounts, tried):
    chosen = candidates(accounts, tried)
    left = [one for one in accounts if one.id not in tried]
    assert {one.id for one in chosen} == {
        one.id for one in left if one.priority == min(other.priority for other in left)
    }


@given(pools(), st.sets(st.integers(1, 6)), chances)
def test_who_is_picked_stands_for_choice_and_has_not_been_tried(accounts, tried, chance):
    picked = pick(accounts, tried, chance)
    assert (picked is None) == all(one.id in tried for one in accounts)
    assert picked is None or picked in candidates(accounts, tried)


@given(pools(), st.data())
def test_trying_on_ends_after_every_account_was_tried_once_in_order_of_priority(accounts, data):
    tried = []
    while (picked := pick(accounts, {one.id for one in tried}, data.draw(chances))) is not None:
        tried.append(picked)
        assert len(tried) <= len(accounts)
    assert sorted(one.id for one in tried) == [one.id for one in accounts]
    assert [one.priority for one in tried] == sorted(one.priority for one in tried)


@given(pools())
def test_over_all_chances_each_account_comes_up_exactly_by_its_weight(accounts):
    choices = candidates(accounts, ())
    total = sum(one.weight for one in choices)
    if len(choices) > 1 and total:
        drawn = Counter(pick(accounts, (), chance).id for chance in range(total))
        assert drawn == {one.id: one.weight for one in choices if one.weight}


def test_accounts_without_any_weight_share_evenly():
    accounts = [account(1, weight=0), account(2, weight=0)]
    drawn = Counter(pick(accounts, (), chance).id for chance in range(10))
    assert drawn == {1: 5, 2: 5}


def test_a_weight_below_zero_counts_as_none():
    accounts = [account(1, weight=-5), account(2, weight=1)]
    assert {pick(accounts, (), chance).id for chance in range(10)} == {2}


def test_one_account_left_is_taken_whatever_its_weight():
    assert pick([account(1, weight=0), account(2)], {2}, 7).id == 1
