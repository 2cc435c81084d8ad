"""Gives the tests of this folder a migrated database on each engine, and the keys of an installation."""

from tests.services.control_plane import database_url, engine, secrets

__all__ = ["database_url", "engine", "secrets"]
