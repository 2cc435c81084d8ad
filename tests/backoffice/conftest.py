"""Gives the tests of this folder a migrated database on each engine, and a site on it."""

from tests.services.control_plane import database_url, engine, secrets
from tests.services.pages import house

__all__ = ["database_url", "engine", "house", "secrets"]
