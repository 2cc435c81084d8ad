"""Owns what the edge is given: who gets which request, and the site's settings as they stand now.

Must not know where any of it comes from: the composition root fills it in.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from tollbridge.core.errors import Profile
from tollbridge.edge.clients import Network
from tollbridge.edge.limits import Limits, Load
from tollbridge.relay.exchange import Exchange


def _never() -> bool:
    return False


def _nothing(_method: str, _path: str) -> bool:
    return False


def _nobody() -> tuple[Network, ...]:
    return ()


def _strict() -> Profile:
    return Profile.STRICT


@dataclass(frozen=True, slots=True)
class EdgeConfig:
    """The edge's wiring.

    `diverts(method, path)` says whether a request is the relay's; the path is as sent, still
    percent-encoded. `upgrades` says the same of those that may become a WebSocket; every other Upgrade
    is refused. `handle` is the relay. `trusted_proxies` must return the same tuple object until
    the site's settings change: its identity is the key of what is remembered about hops.
    """

    diverts: Callable[[str, str], bool]
    handle: Callable[[Exchange], Coroutine[Any, Any, None]]
    upgrades: Callable[[str, str], bool] = _nothing
    limits: Limits = field(default_factory=Limits)
    trusted_proxies: Callable[[], tuple[Network, ...]] = _nobody
    draining: Callable[[], bool] = _never
    profile: Callable[[], Profile] = _strict
    load: Load = field(default_factory=Load)
