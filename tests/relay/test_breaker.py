"""Proof of the breaker: it opens on a share of failures, lets one probe through, and closes again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.relay.breaker import SAMPLES_MIN, WINDOW_S, Breaker


def opened(now=0.0):
    breaker = Breaker()
    for n in range(SAMPLES_MIN):
        breaker.failed(now + n * 0.01)
    assert breaker.open_until is not None
    return breaker


def test_few_failures_say_nothing():
    breaker = Breaker()
    assert not any(breaker.failed(float(n)) for n in range(SAMPLES_MIN - 1))
    assert breaker.allows(10.0)
    assert breaker.failed(9.5)
    assert not breaker.allows(10.0)


def test_more_successes_than_failures_keep_it_closed():
    breaker = Breaker()
    for n in range(100):
        breaker.succeeded(n * 0.1)
        if n % 3 == 0:
            assert not breaker.failed(n * 0.1)
    assert breaker.allows(10.0)


def test_failures_that_are_long_past_do_not_count():
    breaker = Breaker()
    for n in range(SAMPLES_MIN - 1):
        breaker.failed(float(n))
    assert not breaker.failed(WINDOW_S + 20)


def test_one_probe_goes_ahead_when_the_pause_is_over():
    breaker = opened()
    at = breaker.open_until
    assert not breaker.allows(at - 0.1)
    assert breaker.allows(at)
    breaker.begin(at)
    assert not breaker.allows(at + 1)
    breaker.succeeded(at + 2)
    assert breaker.allows(at + 2)
    assert breaker.quiet


def test_a_probe_that_fails_doubles_the_pause_up_to_five_minutes():
    breaker, pauses = opened(), []
    now = breaker.open_until
    for _ in range(8):
        breaker.begin(now)
        assert not breaker.failed(now)
        pauses.append(breaker.open_until - now)
        now = breaker.open_until
    assert pauses == pytest.approx([30, 60, 120, 240, 300, 300, 300, 300])


def test_calls_that_began_before_it_opened_say_nothing_new():
    breaker = opened()
    until = breaker.open_until
    assert not breaker.failed(1.0)
    assert breaker.open_until == until


def test_a_probe_that_never_comes_back_is_given_up():
    breaker = opened()
    at = breaker.open_until
    breaker.begin(at)
    assert not breaker.allows(at + 100)
    assert breaker.allows(at + 200)


@given(st.lists(st.tuples(st.sampled_from(["ok", "bad", "begin"]), st.floats(0, 40))))
def test_whatever_happens_it_lets_a_call_through_in_time(steps):
    breaker, now = Breaker(), 0.0
    for what, later in steps:
        now += later
        if what == "ok":
            breaker.succeeded(now)
        elif what == "bad":
            breaker.failed(now)
        elif breaker.allows(now):
            breaker.begin(now)
    assert breaker.allows(now + 430)
