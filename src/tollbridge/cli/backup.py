"""Owns `tollbridge backup FILE` and `tollbridge restore FILE`: one file that either engine takes."""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from tollbridge.cli.options import CONFIG, DATABASE, read_settings, saying_what_is_wrong, stop

_FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))


@click.command()
@_FILE
@CONFIG
@DATABASE
def backup(file: Path, config: Path | None, database: str | None) -> None:
    """Save the whole database to FILE while the gateway runs.

    The backup is of one moment and fits SQLite and PostgreSQL alike. It never has the key file:
    keep that too, but not in the same place.
    """
    from tollbridge.storage.archive import ArchiveError

    settings = read_settings(config, database=database)
    path = settings.sqlite_path
    if path is not None and not path.exists():
        stop(RuntimeError(f"there is no database {path}"))
    with saying_what_is_wrong():
        try:
            manifest = asyncio.run(_backup(settings, file))
        except ArchiveError as error:
            stop(error)
    click.echo(
        f"{file}: {manifest.rows} rows of {len(manifest.tables)} tables,"
        f" {file.stat().st_size} bytes"
    )
    click.echo(_about_keys(settings, manifest))


async def _backup(settings: Any, file: Path) -> Any:
    from tollbridge.catalog.sealed import SEALED_COLUMNS
    from tollbridge.storage.backup import backup as run
    from tollbridge.storage.engine import open_engine

    engine = open_engine(settings.database)
    try:
        manifest = await run(engine, file, SEALED_COLUMNS)
        await _remember(engine)
        return manifest
    finally:
        await engine.dispose()


async def _remember(engine: Any) -> None:
    """Note that a backup was made, for who asks later; the file is good without it."""
    from tollbridge.core.clock import now_ms
    from tollbridge.people.checklist import note_backup
    from tollbridge.storage.engine import DATABASE_ERRORS
    from tollbridge.storage.unit_of_work import working

    with suppress(*DATABASE_ERRORS):
        async with working(engine) as connection:
            await note_backup(connection, now_ms())


def _about_keys(settings: Any, manifest: Any) -> str:
    where = "the content of TOLLBRIDGE_KEYS" if settings.keys else f"the file {settings.key_path}"
    needed = f", with the encryption keys {', '.join(manifest.key_ids)}" if manifest.key_ids else ""
    return (
        f"keep {where} too{needed}: without it no key of a user is known"
        " and no stored credential opens"
    )


@click.command()
@_FILE
@CONFIG
@DATABASE
@click.option("--yes", is_flag=True, help="Replace what the database holds without asking.")
def restore(file: Path, config: Path | None, database: str | None, *, yes: bool) -> None:
    """Replace everything in the database by what FILE holds.

    Either all of it happens or nothing. Calls that ran when the backup was made are void and cost
    nothing; servers that run on the database now have to be started again. A database that holds
    something is replaced only after its name was typed, or with --yes.
    """
    from tollbridge.storage.archive import ArchiveError
    from tollbridge.storage.disk import DatabaseInUse

    settings = read_settings(config, database=database)
    with saying_what_is_wrong():
        try:
            findings = asyncio.run(_restore(settings, file, yes=yes))
        except (ArchiveError, DatabaseInUse) as error:
            stop(error)
    for finding in findings:
        click.echo(f"BROKEN {finding.invariant}: {finding.sentence}")
    if findings:
        click.echo("the books are as they were when the backup was made, and not right")
        sys.exit(1)
    click.echo("the books are right")


async def _restore(settings: Any, file: Path, *, yes: bool) -> list[Any]:
    from tollbridge.billing.restored import void_holds
    from tollbridge.billing.verify import verify
    from tollbridge.storage.archive import Archive
    from tollbridge.storage.engine import open_engine
    from tollbridge.storage.restore import look_at
    from tollbridge.storage.restore import restore as run

    archive = Archive(file)
    try:
        target = await look_at(settings.database)
        if target.has_data and not yes:
            _ask(target.name)
        done = await run(settings.database, archive, void_holds)
    finally:
        archive.close()
    click.echo(
        f"{target.name}: {done.rows} rows, {done.voided} running calls voided,"
        f" incarnation {done.incarnation}"
    )
    _compare_keys(settings, archive.manifest.key_ids)
    engine = open_engine(settings.database)
    try:
        return [finding for finding in await verify(engine) if finding.fatal]
    finally:
        await engine.dispose()


def _ask(name: str) -> None:
    """Go on when the person at the terminal typed the name; nobody there is no consent."""
    if not sys.stdin.isatty():
        stop(RuntimeError(f"the database {name} is not empty; use --yes to replace what it holds"))
    typed = click.prompt(f"Everything in {name} will be replaced. Type its name to go on")
    if typed != name:
        stop(RuntimeError("that is not its name; nothing was changed"))


def _compare_keys(settings: Any, needed: tuple[str, ...]) -> None:
    """Say now what would otherwise be found out by a server that does not start."""
    from tollbridge.core.secrets import Secrets, SecretsError, load_or_create

    path = settings.key_path
    try:
        secrets = (
            Secrets.parse(settings.keys) if path is None else load_or_create(path, may_create=False)
        )
    except SecretsError as error:
        click.echo(f"note: {error}")
        return
    missing = sorted(set(needed) - set(secrets.key_ids))
    if missing:
        click.echo(
            "note: these are not the keys of this backup; put its key file back, for stored"
            f" credentials need {', '.join(missing)}"
        )
