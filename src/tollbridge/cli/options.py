"""Owns what commands share: the options for settings and database, and how a command says no.

A command that cannot do its work says so in one sentence on stderr and exits 1.
"""

import sys
from collections.abc import Iterator
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
