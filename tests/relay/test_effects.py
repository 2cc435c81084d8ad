"""Proof of the table of effects: what passes by itself, and that no wait is longer than the cap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.relay import effects
from tollbridge.relay.effects import COOLDOWN_MAX_S, LIMIT_S, Scope, Trouble, rate_limited


def test_a_limit_without_a_reset_lasts_seconds_and_passes():
    effect = rate_limited(None)
    assert effect == (Trouble.RATE_LIMITED, Scope.MODEL, LIMIT_S, True)


@given(st.floats(0, 10**10))
def test_a_limit_lasts_until_its_reset_within_the_cap(reset):
    effect = rate_limited(reset)
    assert 1 <= effect.for_s <= COOLDOWN_MAX_S
    assert effect.for_s == min(max(reset, 1.0), COOLDOWN_MAX_S)
    assert effect.transient == (effect.for_s <= LIMIT_S)


@pytest.mark.parametrize(
    ("effect", "transient"),
    [
        (effects.FAILING, True),
        (effects.OVERLOADED, True),
        (effects.PROXY_DOWN, True),
        (effects.QUARANTINED, False),
        (effects.MODEL_GONE, False),
    ],
)
def test_which_causes_pass_by_themselves(effect, transient):
    assert effect.transient is transient
    assert effect.for_s is None or effect.for_s <= COOLDOWN_MAX_S


def test_an_account_that_cannot_sign_in_is_left_out_for_as_long_as_that_lasts():
    effect = effects.signed_out(90.5)
    assert effect == (Trouble.SIGNED_OUT, Scope.ACCOUNT, 90.5, False)
    # Where it is not known, its next call may find out.
    assert effects.signed_out(0.0) is None
