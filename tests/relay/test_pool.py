"""Proof of the pool: who is parked is passed over, the last one is kept, operators are told once."""

import pytest

from tests.relay.calls import account, channel
from tollbridge.notify.kinds import Kind
from tollbridge.relay.breaker import SAMPLES_MIN
from tollbridge.relay.effects import FAILING, OVERLOADED, QUARANTINED, rate_limited
from tollbridge.relay.pool import Pool

MAIN = channel(accounts=tuple(account(n) for n in (1, 2, 3)))
ONE, TWO, THREE = MAIN.accounts


class Scene:
    def __init__(self):
        self.now = 0.0
        self.alarms = []
        self.pool = Pool(lambda: self.now, lambda *told: self.alarms.append(told))

    def asked(self, count=30, *, tried=(), serves=lambda _: True):
        found = [self.pool.next(MAIN, "m", tried, serves) for _ in range(count)]
        return {None if one is None else one.id for one in found}


@pytest.fixture
def scene():
    return Scene()


def test_everybody_has_a_turn(scene):
    assert scene.asked() == {1, 2, 3}
    assert scene.asked(tried={2}) == {1, 3}
    assert scene.asked(serves=lambda one: one.id == 3) == {3}


def test_who_is_parked_is_passed_over_until_its_time(scene):
    scene.pool.failed(MAIN, ONE, "m", rate_limited(60.0), "status_429")
    assert scene.asked() == {2, 3}
    assert scene.pool.any_left(MAIN, "m", {2, 3}, lambda _: True) is False
    scene.now = 61
    assert scene.asked() == {1, 2, 3}


def test_with_everybody_parked_the_first_to_come_back_is_known(scene):
    for one, wait in ((ONE, 300.0), (TWO, 60.0), (THREE, 90.0)):
        scene.pool.failed(MAIN, one, "m", rate_limited(wait), "status_429")
    assert scene.asked() == {None}
    assert scene.pool.wait_s(MAIN, "m", lambda _: True) == 60
    assert scene.pool.wait_s(MAIN, "m", lambda one: one.id == 1) == 300


def test_the_last_one_left_goes_on_failing_rather_than_nobody(scene):
    for one in MAIN.accounts:
        for _ in range(SAMPLES_MIN):
            scene.pool.failed(MAIN, one, "m", FAILING, "status_500")
    assert scene.asked() == {3}


def test_a_channel_is_steady_as_long_as_one_account_is(scene):
    def steady(serves=lambda _: True):
        return scene.pool.any_steady(MAIN, "m", serves)

    for one in (ONE, TWO):
        for _ in range(2):
            scene.pool.failed(MAIN, one, "m", FAILING, "status_500")
        assert steady()
    assert not steady(lambda one: one is not THREE)
    for _ in range(2):
        scene.pool.failed(MAIN, THREE, "m", FAILING, "status_500")
    assert not steady()
    assert scene.pool.any_left(MAIN, "m", (), lambda _: True)
    scene.now = 15.0
    assert steady()


def test_where_nobody_is_to_be_parked_nobody_is(scene):
    pool = Pool(lambda: scene.now, lambda *told: scene.alarms.append(told), parks=False)
    for one in MAIN.accounts:
        pool.failed(MAIN, one, "m", QUARANTINED, "account_refused")
    assert pool.any_left(MAIN, "m", (), lambda _: True) and scene.alarms == []


def test_rather_one_in_passing_trouble_than_nobody(scene):
    scene.pool.failed(MAIN, THREE, "m", OVERLOADED, "status_529")
    assert scene.asked() == {1, 2}
    for one in (ONE, TWO):
        scene.pool.failed(MAIN, one, "m", QUARANTINED, "account_refused")
    assert scene.asked() == {3}
    assert scene.pool.any_left(MAIN, "m", {1, 2}, lambda _: True)
    assert not scene.pool.any_left(MAIN, "m", {3}, lambda _: True)
    scene.pool.failed(MAIN, THREE, "m", rate_limited(60.0), "status_429")
    assert scene.asked() == {None}


def test_operators_hear_once_of_what_does_not_pass_by_itself(scene):
    for _ in range(5):
        scene.pool.failed(MAIN, ONE, "m", QUARANTINED, "account_refused")
        scene.pool.failed(MAIN, TWO, "m", rate_limited(60.0), "status_429")
    assert scene.alarms == [
        (Kind.ACCOUNT_DISABLED, "main/account 1", "quarantined: account_refused")
    ]
