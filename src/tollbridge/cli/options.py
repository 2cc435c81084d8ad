"""Owns what commands share: the options for settings and database, and how a command says no.

A command that cannot do its work says so in one sentence on stderr and exits 1.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

DATABASE = click.option("--database", metavar="URL", help="sqlite:///path/to.db or postgresql://…")
CONFIG = click.option("--config", type=click.Path(path_type=Path), help="Settings file (TOML).")


def stop(error: Exception) -> NoReturn:
    """Say what is wrong and exit 1."""
    click.echo(f"tollbridge: {error}", err=True)
    sys.exit(1)


@contextmanager
def saying_what_is_wrong() -> Iterator[None]:
    """Turn trouble of the database into one sentence."""
    from tollbridge.storage.engine import DATABASE_ERRORS, reason_of

    try:
        yield
    except DATABASE_ERRORS as error:
        stop(RuntimeError(f"the database cannot be used: {reason_of(error)}"))


def read_settings(config: Path | None, **overrides: Any) -> Any:
    """Return the settings, the command line's above the environment's above the file's."""
    from tollbridge.core.settings import SettingsError, load_settings

    try:
        return load_settings(config, **overrides)
    except SettingsError as error:
        stop(error)


def existing(config: Path | None, database: str | None) -> Any:
    """Return the settings of a database that is there; a command that asks must not make one."""
    settings = read_settings(config, database=database)
    file = settings.sqlite_path
    if file is not None and not file.exists():
        stop(RuntimeError(f"there is no database {file}"))
    return settings


def ask(
    config: Path | None, database: str | None, question: Callable[[Any], Awaitable[Any]]
) -> Any:
    """Return what `question` answers of the engine of a database with this version's schema."""
    settings = existing(config, database)
    with saying_what_is_wrong():
        return asyncio.run(_asked(settings.database, question))


async def _asked(url: str, question: Callable[[Any], Awaitable[Any]]) -> Any:
    from tollbridge.storage.engine import open_engine
    from tollbridge.storage.migrate import schema_is_current

    engine = open_engine(url)
    try:
        if not await schema_is_current(engine):
            stop(RuntimeError("the schema is not this version's: run tollbridge migrate"))
        return await question(engine)
    finally:
        await engine.dispose()
