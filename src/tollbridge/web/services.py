"""Owns what pages are given by the composition root. Must not know where any of it comes from."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.catalog.finding import Finding
from tollbridge.catalog.snapshot import Snapshot
from tollbridge.core.secrets import Secrets
from tollbridge.core.settings import Settings
from tollbridge.identity.doors import Doors


@dataclass(frozen=True, slots=True)
class WebServices:
    """The pages' wiring.

    `snapshot` is asked at every request. `site_url` is where people reach this site, without a slash
    at the end: links in mail begin with it, never with what a request's Host says. `doors` counts
    knocks. `test_account` as in the API's wiring.
    """

    engine: AsyncEngine
    secrets: Secrets
    settings: Settings
    snapshot: Callable[[], Snapshot]
    site_url: Callable[[], str]
    doors: Doors
    test_account: Callable[[int, str | None], Awaitable[Finding | None]]
