"""Gives the tests of this folder the shop's office, on SQLite or on each engine."""

from collections.abc import AsyncIterator

import pytest

from tests.api.admin.office import Office
from tests.services.control_plane import database_url, engine, secrets
from tests.services.shop import Shop, each_shop, shop, shop_template

__all__ = [
    "database_url",
    "each_office",
    "each_shop",
    "engine",
    "office",
    "secrets",
    "shop",
    "shop_template",
]


@pytest.fixture
async def office(shop: Shop) -> AsyncIterator[Office]:
    """Return the office on SQLite, for tests that are not about the database."""
    opened = Office(shop)
    await opened.hire()
    yield opened
    await shop.services.access_tokens.stop()


@pytest.fixture
async def each_office(each_shop: Shop) -> AsyncIterator[Office]:
    """Return the office on each engine."""
    opened = Office(each_shop)
    await opened.hire()
    yield opened
    await each_shop.services.access_tokens.stop()
