"""The limits themselves."""

import pytest

from tollbridge.edge.limits import Limits


def test_defaults_are_those_of_the_design():
    limits = Limits()
    assert (limits.max_head_bytes, limits.max_headers) == (65_536, 100)
    assert (limits.head_timeout_s, limits.body_progress_s) == (10, 30)


def test_a_limit_of_nothing_is_refused():
    with pytest.raises(ValueError, match="max_headers"):
        Limits(max_headers=0)


def test_deadlines_are_looked_at_often_enough():
    assert Limits(keep_alive_s=0.4).round_s == pytest.approx(0.1)
    assert Limits(linger_s=60).round_s == 1.0
