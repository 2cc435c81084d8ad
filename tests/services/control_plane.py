"""Owns fixtures of a migrated database on each engine, for tests of the control plane."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.core.secrets import Secrets
from tollbridge.storage.engine import open_engine


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database, once on each engine; `engine` gets it migrated."""
    if request.param == "postgresql":
        migrated = "engine" in request.fixturenames
        name = "migrated_postgres_url" if migrated else "postgres_url"
        url: str = request.getfixturevalue(name)
        return url
    return f"sqlite:///{tmp_path}/tollbridge.db"


@pytest.fixture
async def engine(database_url: str, sqlite_template: Path) -> AsyncIterator[AsyncEngine]:
    """Return an engine on a migrated database."""
    if database_url.startswith("sqlite:"):
        shutil.copyfile(sqlite_template, database_url.removeprefix("sqlite:///"))
    opened = open_engine(database_url)
    yield opened
    await opened.dispose()


def the_secrets() -> Secrets:
    """Make the secrets of an installation, always the same ones."""
    return Secrets(b"p" * 32, {"k1": b"k" * 32}, "k1")


@pytest.fixture
def secrets() -> Secrets:
    """Return the secrets of an installation."""
    return the_secrets()
