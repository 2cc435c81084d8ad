"""Owns the fixtures that every part of the suite shares: recorded traffic and real services.

What is missing on the machine is a failure under CI=true, and a skip with its reason elsewhere.
"""

import asyncio
import gc
import logging
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.services import nursery, postgres, redis
from tollbridge.storage.migrate import migrate

ROOT = Path(__file__).resolve().parent.parent

# No test judges by time: the machine may be busy. Nothing is left behind on disk.
settings.register_profile(
    "house", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Spare the collector what lives as long as the process: the tests themselves."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True)
def _logging_given_back() -> Iterator[None]:
    """Undo what a test made of the process's logging: a later one would write to a closed stream."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    if structlog.is_configured():
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()


def _missing(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(f"{reason} (under CI nothing is skipped)")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Return the folder of recorded traffic, read-only: TOLLBRIDGE_CORPUS or ../shared/corpus."""
    named = os.environ.get("TOLLBRIDGE_CORPUS")
    folder = Path(named) if named else ROOT.parent / "shared" / "corpus"
    if not (folder / "manifest.jsonl").is_file():
        _missing("no corpus of recorded traffic: set TOLLBRIDGE_CORPUS to its folder")
    return folder


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """Run one PostgreSQL for this process of the suite."""
    try:
        server = postgres.Server()
    except postgres.NotInstalledError as error:
        _missing(str(error))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def postgres_url(postgres_server: postgres.Server) -> Iterator[str]:
    """Give the test a fresh, empty database: postgresql://postgres@127.0.0.1:port/name."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres_server: postgres.Server) -> Iterator[str]:
    """Return the URL of a migrated database that tests get copies of; nobody connects to it."""
    with postgres_server.database() as url:
        environ = {**os.environ, "TOLLBRIDGE_KEY_FILE": "unused"}
        done = nursery.run(("migrate", "--database", url), environ)
        assert done.returncode == 0, done.stderr
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a SQLite file with this version's schema, to be copied: that takes no time."""
    file = tmp_path_factory.mktemp("template") / "tollbridge.db"
    asyncio.run(migrate(f"sqlite:///{file}"))
    return file


@pytest.fixture
def migrated_postgres_url(
    postgres_server: postgres.Server, postgres_template: str
) -> Iterator[str]:
    """Give the test a fresh database with this version's schema."""
    with postgres_server.database(postgres_template) as url:
        yield url


@pytest.fixture(scope="session")
def redis_server() -> Iterator[redis.Server]:
    """Run one Redis for this process of the suite."""
    try:
        server = redis.Server()
    except redis.NotInstalledError as error:
        _missing(str(error))
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def redis_url(redis_server: redis.Server) -> str:
    """Give the test an empty Redis: redis://127.0.0.1:port/0."""
    redis_server.ask("FLUSHALL")
    return redis_server.url
