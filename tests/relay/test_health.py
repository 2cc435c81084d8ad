"""Proof of which accounts may be asked: every state has an end, causes hit what they concern."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.relay.calls import account
from tollbridge.relay.breaker import SAMPLES_MIN
from tollbridge.relay.effects import (
    COOLDOWN_MAX_S,
    FAILING,
    LIMIT_S,
    MODEL_GONE,
    OVERLOADED,
    PROXY_DOWN,
    QUARANTINE_S,
    QUARANTINED,
    Trouble,
    rate_limited,
)
from tollbridge.relay.health import Health, Standing

ONE, TWO = account(1), account(2)
EFFECTS = [
    FAILING,
    OVERLOADED,
    QUARANTINED,
    MODEL_GONE,
    PROXY_DOWN,
    rate_limited(None),
    rate_limited(90.0),
]


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def health(clock):
    return Health(clock)


def test_everybody_begins_in_good_standing(health):
    assert health.usable(ONE, "m")
    assert health.standings(ONE) == []
    assert health.wait_s(ONE, "m") == 0


@pytest.mark.parametrize(
    ("effect", "for_s", "others"),
    [
        (rate_limited(None), LIMIT_S, True),
        (rate_limited(90.0), 90.0, True),
        (OVERLOADED, 30.0, False),
        (QUARANTINED, QUARANTINE_S, False),
        (MODEL_GONE, 600.0, True),
    ],
)
def test_a_cause_lasts_as_long_as_it_says_and_concerns_what_it_says(
    health, clock, effect, for_s, others
):
    standing = health.failed(ONE, "m", effect, "why", last=False)
    assert (standing.trouble, standing.reason) == (effect.trouble, "why")
    assert not health.usable(ONE, "m")
    assert health.usable(ONE, "other") == others
    assert health.usable(TWO, "m")
    assert health.wait_s(ONE, "m") == pytest.approx(for_s)
    clock.now += for_s - 0.01
    assert not health.usable(ONE, "m")
    clock.now += 0.02
    assert health.usable(ONE, "m")
    assert health.standings(ONE) == []


def test_no_reset_of_a_vendor_parks_longer_than_the_cap(health, clock):
    health.failed(ONE, "m", rate_limited(10.0**9), "why", last=False)
    assert health.wait_s(ONE, "m") == COOLDOWN_MAX_S


@pytest.mark.parametrize("effect", [FAILING, OVERLOADED, PROXY_DOWN, rate_limited(None)])
def test_the_last_account_is_not_parked_for_what_passes(health, effect):
    for _ in range(SAMPLES_MIN * 2):
        assert health.failed(ONE, "m", effect, "why", last=True) is None
    assert health.usable(ONE, "m")


@pytest.mark.parametrize("effect", [FAILING, OVERLOADED, PROXY_DOWN, rate_limited(None)])
@pytest.mark.parametrize("last", [True, False])
def test_an_account_that_fails_in_a_row_is_not_steady_until_it_answers(health, clock, effect, last):
    assert health.steady(ONE, "m")
    for _ in range(2):
        health.failed(ONE, "m", effect, "why", last=last)
    assert not health.steady(ONE, "m")
    assert health.steady(TWO, "m")
    health.succeeded(ONE, "m")
    clock.now += 31.0
    assert health.steady(ONE, "m")
    health.failed(ONE, "m", effect, "why", last=True)
    assert health.steady(ONE, "m")


def test_who_may_not_be_asked_is_not_steady(health):
    health.failed(ONE, "m", QUARANTINED, "why", last=True)
    assert not health.steady(ONE, "m")


@pytest.mark.parametrize("effect", [QUARANTINED, MODEL_GONE, rate_limited(90.0)])
def test_the_last_account_is_parked_for_what_lasts(health, effect):
    assert health.failed(ONE, "m", effect, "why", last=True) is not None
    assert not health.usable(ONE, "m")


def test_a_plain_failure_parks_nobody_but_many_open_the_breaker(health, clock):
    told = [health.failed(ONE, "m", FAILING, "status_500", last=False) for _ in range(SAMPLES_MIN)]
    assert told[:-1] == [None] * (SAMPLES_MIN - 1)
    assert told[-1].trouble is Trouble.FAILING
    assert not health.usable(ONE, "m")
    clock.now += 15
    assert health.usable(ONE, "m")
    health.began(ONE)
    assert not health.usable(ONE, "m")
    health.succeeded(ONE, "m")
    assert health.usable(ONE, "m")
    assert health.standings(ONE) == []


def test_a_quarantine_doubles_each_time_in_a_row_until_it_works(health, clock):
    waits = []
    for _ in range(7):
        health.failed(ONE, "m", QUARANTINED, "why", last=False)
        waits.append(health.wait_s(ONE, "m"))
        clock.now += waits[-1] + 1
    assert waits == [600, 1_200, 2_400, 4_800, 9_600, 19_200, COOLDOWN_MAX_S]
    health.succeeded(ONE, "m")
    health.failed(ONE, "m", QUARANTINED, "why", last=False)
    assert health.wait_s(ONE, "m") == 600


def test_calls_under_way_together_count_as_one_cause(health):
    assert health.failed(ONE, "m", QUARANTINED, "why", last=False) is not None
    for _ in range(50):
        assert health.failed(ONE, "m", QUARANTINED, "why", last=False) is None
    assert health.wait_s(ONE, "m") == 600


def test_an_account_that_was_changed_starts_anew(health):
    health.failed(ONE, "m", QUARANTINED, "why", last=False)
    assert not health.usable(account(1), "m")
    fixed = account(1, secret="another")
    assert health.usable(fixed, "m")
    assert health.standings(fixed) == []
    assert health.failed(fixed, "m", QUARANTINED, "why", last=False) is not None
    assert not health.usable(fixed, "m")


def test_a_shorter_cause_does_not_end_a_longer_one(health):
    health.failed(ONE, "m", rate_limited(500.0), "long", last=False)
    assert health.failed(ONE, "m", rate_limited(None), "short", last=False) is None
    assert health.wait_s(ONE, "m") == 500


def test_a_proxy_is_judged_as_a_proxy(health, clock):
    shared = [account(n, proxy="http://p:1") for n in (1, 2, 3)]
    direct = account(4)
    assert health.failed(shared[0], "m", PROXY_DOWN, "proxy_failed", last=False) is not None
    assert [health.usable(one, "m") for one in (*shared, direct)] == [False, False, False, True]
    assert health.failed(shared[1], "m", PROXY_DOWN, "proxy_failed", last=False) is None
    assert health.standings(shared[2])[0].trouble is Trouble.PROXY_DOWN
    clock.now += 31
    assert all(health.usable(one, "m") for one in shared)


def recovered(one, at_ms=1):
    return replace(one, recovered_ms=one.recovered_ms + at_ms)


def test_an_operator_can_bring_an_account_back(health):
    health.adopt([ONE, TWO])
    for effect in (QUARANTINED, MODEL_GONE, *[FAILING] * SAMPLES_MIN):
        health.failed(ONE, "m", effect, "why", last=False)
        health.failed(TWO, "m", effect, "why", last=False)
    assert len(health.standings(ONE)) == 3
    well = recovered(ONE)
    health.adopt([well, TWO])
    assert health.usable(well, "m") and health.standings(well) == []
    assert not health.usable(TWO, "m")
    assert {one.account.id for one in health.every_standing()} == {2}


def test_a_recovered_account_frees_its_proxy(health):
    shared = [account(n, proxy="http://p:1") for n in (1, 2)]
    health.adopt(shared)
    health.failed(shared[0], "m", PROXY_DOWN, "proxy_failed", last=False)
    well = recovered(shared[1])
    health.adopt([shared[0], well])
    assert health.usable(shared[0], "m") and health.usable(well, "m")


def test_calls_that_began_before_a_recovery_say_nothing_after_it(health):
    old = account(1, proxy="http://p:1")
    health.adopt([old])
    well = recovered(old)
    health.adopt([well])
    for effect in EFFECTS * SAMPLES_MIN:
        assert health.failed(old, "m", effect, "why", last=False) is None
    assert health.usable(well, "m") and health.every_standing() == []


def test_a_change_of_shares_lets_go_of_nothing(health):
    health.adopt([ONE])
    health.failed(ONE, "m", QUARANTINED, "why", last=False)
    heavier = replace(ONE, weight=7, priority=1, rpm=5, name="other")
    health.adopt([heavier])
    assert not health.usable(heavier, "m")


def test_a_token_that_was_fetched_again_lets_go_of_nothing(health):
    signed_in = account(1, auth="oauth", secret="")
    health.adopt([signed_in])
    health.failed(signed_in, "m", QUARANTINED, "why", last=False)
    health.adopt([replace(signed_in, secret="token")])
    assert not health.usable(signed_in, "m")


@pytest.mark.parametrize(
    "change",
    [
        {"secret": "x"},
        {"base_url": "http://127.0.0.1:10"},
        {"proxy": "http://q:1"},
        {"auth": "oauth"},
        {"platform": "gemini"},
        {"params_drop": ("user",)},
        {"headers": {"x-team": "a"}},
        {"compatible": True},
        {"recovered_ms": 1},
    ],
)
def test_breakers_and_what_doubles_begin_anew_with_another_account(health, clock, change):
    health.adopt([ONE])
    for _ in range(3):
        health.failed(ONE, "m", QUARANTINED, "why", last=False)
        clock.now += COOLDOWN_MAX_S
    for _ in range(SAMPLES_MIN):
        health.failed(ONE, "m", FAILING, "why", last=False)
    other = replace(ONE, **change)
    health.adopt([other])
    assert health.usable(other, "m")
    for _ in range(SAMPLES_MIN - 1):
        assert health.failed(other, "m", FAILING, "why", last=False) is None
    health.failed(other, "m", QUARANTINED, "why", last=False)
    assert health.wait_s(other, "m") == QUARANTINE_S


def test_what_is_taken_over_ends_when_it_says(health, clock):
    health.adopt([ONE])
    standing = Standing(ONE, Trouble.RATE_LIMITED, "m", clock.now + 90, "status_429")
    health.take_over(standing)
    health.take_over(standing._replace(until_s=clock.now + 9))
    assert health.wait_s(ONE, "m") == 90 and health.usable(ONE, "n")
    health.take_over(standing._replace(model="n", until_s=clock.now))
    health.take_over(standing._replace(model="o", until_s=clock.now + 10.0**9))
    assert health.usable(ONE, "n")
    assert health.wait_s(ONE, "o") == COOLDOWN_MAX_S


def test_nothing_is_taken_over_of_what_an_account_was(health, clock):
    health.adopt([recovered(ONE)])
    health.take_over(Standing(ONE, Trouble.QUARANTINED, "", clock.now + 90, "account_refused"))
    assert health.every_standing() == []


def test_the_time_since_when_is_that_of_the_first_cause_in_a_row(health, clock):
    for _ in range(3):
        health.failed(ONE, "m", rate_limited(90.0), "why", last=False)
        clock.now += 50
    (standing,) = health.standings(ONE)
    assert standing.since_s == 100 and standing.until_s == 290


@given(
    st.lists(
        st.tuples(
            st.sampled_from([ONE, TWO, account(3, proxy="http://p:1")]),
            st.sampled_from(["m", "n"]),
            st.sampled_from([*EFFECTS, None]),
            st.booleans(),
            st.floats(0, 100),
        ),
        max_size=60,
    )
)
def test_nobody_is_out_for_longer_than_any_cause_can_last(steps):
    clock = Clock()
    health = Health(clock)
    for one, model, effect, last, later in steps:
        clock.now += later
        if effect is None:
            health.succeeded(one, model)
        else:
            health.began(one)
            health.failed(one, model, effect, "why", last=last)
        for standing in health.standings(one):
            assert standing.until_s - clock.now <= COOLDOWN_MAX_S
    clock.now += COOLDOWN_MAX_S + 1
    assert all(health.usable(one, "m") for one in (ONE, TWO))


PROXIED = account(3, proxy="http://p:1")
STEPS = st.lists(
    st.tuples(
        st.sampled_from([1, 2, 3]),
        st.sampled_from(["m", "n"]),
        st.sampled_from([*EFFECTS, None, "recover"]),
        st.booleans(),
        st.floats(0, 100),
    ),
    max_size=60,
)


def play(health, clock, steps):
    """Return the accounts as they are after any history."""
    accounts = {one.id: one for one in (ONE, TWO, PROXIED)}
    health.adopt(accounts.values())
    for number, model, effect, last, later in steps:
        clock.now += later
        one = accounts[number]
        if effect == "recover":
            accounts[number] = recovered(one)
            health.adopt(accounts.values())
        elif effect is None:
            health.succeeded(one, model)
        else:
            health.began(one)
            health.failed(one, model, effect, "why", last=last)
    return accounts


@given(STEPS, st.sampled_from([1, 2, 3]))
def test_whatever_happened_nothing_of_before_is_held_after_a_recovery(steps, number):
    clock = Clock()
    health = Health(clock)
    accounts = play(health, clock, steps)
    old, well = accounts[number], recovered(accounts[number])
    health.adopt({**accounts, number: well}.values())
    assert health.standings(well) == [] and health.wait_s(well, "m") == 0
    assert health.usable(well, "m") and health.usable(well, "n")
    # As if it were new: what came before has no part in what is held from now on.
    fresh = Health(clock)
    for effect in (*[FAILING] * SAMPLES_MIN, QUARANTINED, MODEL_GONE, PROXY_DOWN):
        clock.now += 1
        health.failed(old, "m", effect, "why", last=False)
        for one in (health, fresh):
            one.failed(well, "m", effect, "why", last=False)
    assert health.standings(well) == fresh.standings(well) != []


@given(STEPS, STEPS)
def test_what_is_held_changes_with_the_revision_or_by_time_alone(before, after):
    clock = Clock()
    health = Health(clock)
    play(health, clock, before)
    accounts = {one.id: one for one in (ONE, TWO, PROXIED)}
    health.adopt(accounts.values())
    for number, model, effect, last, _ in after:
        held, revision = health.every_standing(), health.revision
        if effect is None:
            health.succeeded(accounts[number], model)
        elif effect != "recover":
            health.began(accounts[number])
            health.failed(accounts[number], model, effect, "why", last=last)
        if health.every_standing() != held:
            assert health.revision > revision
