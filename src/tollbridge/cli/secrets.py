"""Owns `tollbridge secrets …`: which encryption keys there are, and changing them."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click

from tollbridge.cli.options import CONFIG, DATABASE, read_settings, saying_what_is_wrong, stop

_PUT = "put this into TOLLBRIDGE_KEYS of every process and restart them all"


@click.group()
def secrets() -> None:
    """The keys that seal stored credentials."""


@secrets.command("list")
@CONFIG
@DATABASE
def list_keys(config: Path | None, database: str | None) -> None:
    """Say which encryption keys there are and how much each has sealed.

    Shows ids, never a key.
    """
    settings = _settings(config, database)
    held = _load(settings)
    with saying_what_is_wrong():
        used = asyncio.run(_used(settings))
    for key_id in held.key_ids:
        word = "current" if key_id == held.current_key_id else "old"
        click.echo(f"{key_id} {word}: seals {used[key_id]} values")
    for key_id in sorted(used.keys() - set(held.key_ids)):
        click.echo(f"{key_id or 'unknown'} MISSING: {used[key_id]} values cannot be opened")
    if used.keys() - set(held.key_ids):
        sys.exit(1)


@secrets.command()
@CONFIG
@DATABASE
@click.option("--add-only", is_flag=True, help="Make the new key and seal nothing with it yet.")
@click.option("--resume", is_flag=True, help="Make no new key: seal again what older keys sealed.")
@click.option("--drop-old", is_flag=True, help="Make no new key: drop keys that seal nothing now.")
def rotate(
    config: Path | None,
    database: str | None,
    *,
    add_only: bool,
    resume: bool,
    drop_old: bool,
) -> None:
    """Make a new encryption key and seal every stored credential with it.

    Servers go on meanwhile: they read the key file again by themselves. The old keys stay in the
    file until --drop-old; backups made before need them for ever. Where each host has its own copy
    of the file: --add-only, copy the file everywhere, then --resume. With TOLLBRIDGE_KEYS the new
    content is printed, to be put there. The pepper never changes, for it would make every key of
    every user unknown.
    """
    if add_only + resume + drop_old > 1:
        stop(RuntimeError("--add-only, --resume and --drop-old exclude each other"))
    settings = _settings(config, database)
    _load(settings)
    from tollbridge.core.secrets import SecretsError

    with saying_what_is_wrong():
        try:
            asyncio.run(_rotate(settings, add=not (resume or drop_old), seal=not add_only))
            if drop_old:
                asyncio.run(_drop(settings))
        except SecretsError as error:
            stop(error)


async def _rotate(settings: Any, *, add: bool, seal: bool) -> None:
    from tollbridge.catalog.sealed import reseal
    from tollbridge.core.key_file import add_key, with_new_key

    if add and settings.keys:
        click.echo(with_new_key(settings.keys).text, nl=False)
        click.echo(f"{_PUT}; then run: tollbridge secrets rotate --resume", err=True)
        return
    if add:
        click.echo(f"new current key {add_key(settings.key_path)}")
    if not seal:
        click.echo("copy the key file to every host; then run: tollbridge secrets rotate --resume")
        return
    async with _engine(settings) as engine:
        done = await reseal(engine, _load(settings))
    click.echo(f"{done.values} values sealed again")
    for line in done.left:
        click.echo(f"left as it was: {line}")


async def _drop(settings: Any) -> None:
    from tollbridge.catalog.sealed import SEALING_TURN, count_keys
    from tollbridge.core.key_file import drop_keys, without_keys
    from tollbridge.storage.unit_of_work import take_turns, writing

    async with _engine(settings) as engine, writing(engine) as connection:
        # Nobody seals between the look and the drop.
        await take_turns(connection, SEALING_TURN)
        used = await count_keys(connection)
        held = _load(settings)
        old = [one for one in held.key_ids if one != held.current_key_id]
        idle = [one for one in old if not used[one]]
        if not settings.keys:
            drop_keys(settings.key_path, idle)
        await connection.rollback()
    if settings.keys:
        click.echo(without_keys(settings.keys, idle), nl=False)
        click.echo(_PUT, err=True)
    for one in old:
        seals = f"still seals {used[one]} values and stays"
        click.echo(f"{one} {'dropped' if one in idle else seals}", err=bool(settings.keys))


def _settings(config: Path | None, database: str | None) -> Any:
    settings = read_settings(config, database=database)
    path = settings.sqlite_path
    if path is not None and not path.exists():
        stop(RuntimeError(f"there is no database {path}"))
    return settings


def _load(settings: Any) -> Any:
    from tollbridge.core.secrets import Secrets, SecretsError, load_or_create

    path = settings.key_path
    try:
        if path is None:
            return Secrets.parse(settings.keys)
        return load_or_create(path, may_create=False)
    except SecretsError as error:
        stop(error)


@asynccontextmanager
async def _engine(settings: Any) -> AsyncIterator[Any]:
    from tollbridge.storage.engine import open_engine

    engine = open_engine(settings.database)
    try:
        yield engine
    finally:
        await engine.dispose()


async def _used(settings: Any) -> Counter[str]:
    from tollbridge.catalog.sealed import keys_in_use

    async with _engine(settings) as engine:
        return await keys_in_use(engine)
