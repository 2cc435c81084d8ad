"""Gives the tests of this folder a migrated database on each engine, and a shop."""

from tests.services.control_plane import database_url, engine, secrets
from tests.services.shop import each_shop, shop

__all__ = ["database_url", "each_shop", "engine", "secrets", "shop"]
