"""The numbers that bound a call."""

from dataclasses import FrozenInstanceError

import pytest

from tollbridge.upstreams.limits import Deadlines, Limits


def test_limits_cannot_be_changed_under_a_running_client():
    with pytest.raises(FrozenInstanceError):
        Limits().headers = 1
    with pytest.raises(FrozenInstanceError):
        Deadlines(1, 2, 3, 4).idle_s = 9


def test_a_head_is_bounded_as_strictly_as_the_edge_bounds_its_own():
    assert Limits().head_bytes == 65_536
    assert Limits().tick_s < Limits().resend_within_s < Limits().idle_keep_s
