"""Proof that the present is one value that is swapped whole."""

import pytest

from tests.relay.calls import asked, snapshot
from tollbridge.relay.world import World


def test_before_the_catalogue_was_read_there_is_nothing_to_serve_from():
    world = World()
    assert not world.draining
    with pytest.raises(AttributeError):
        _ = world.snapshot


def test_a_call_keeps_the_snapshot_that_it_began_with():
    world = World()
    world.snapshot = first = snapshot()
    call = asked(catalogue=world.snapshot)
    world.snapshot = snapshot()
    assert call.snapshot is first
    assert world.snapshot is not first


def test_it_has_no_place_for_anything_else():
    with pytest.raises(AttributeError):
        World().settings = {}
