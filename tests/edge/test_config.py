"""The defaults of the wiring."""

from tests.edge.lane import echo, relayed
from tollbridge.core.errors import Profile
from tollbridge.edge.config import EdgeConfig


def test_without_settings_nobody_is_trusted_and_nothing_drains():
    edge = EdgeConfig(diverts=relayed, handle=echo)
    assert edge.trusted_proxies() == () and not edge.draining()
    assert edge.profile() is Profile.STRICT
    assert (edge.load.in_flight, edge.load.open_streams) == (0, 0)
