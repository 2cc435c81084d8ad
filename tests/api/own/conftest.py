"""Gives the tests of this folder the shop's people and their tokens, on SQLite or on each engine."""

from tests.api.admin.conftest import each_office, office
from tests.services.control_plane import database_url, engine, secrets
from tests.services.shop import each_shop, shop, shop_template

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
