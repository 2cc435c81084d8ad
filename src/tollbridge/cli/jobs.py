"""Owns `tollbridge jobs …`: the jobs that were given up, and another try for them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from tollbridge.cli.options import CONFIG, DATABASE, read_settings, saying_what_is_wrong, stop


@click.group()
def jobs() -> None:
    """Jobs of the queue that were given up."""


@jobs.command("list")
@CONFIG
@DATABASE
def list_dead(config: Path | None, database: str | None) -> None:
    """Show the dead jobs, the newest first."""
    dead = _ask(config, database, _dead)
    for job in dead:
        made = datetime.fromtimestamp(job.created_ms // 1000, UTC)
        click.echo(f"{job.id} {job.kind} {made:%Y-%m-%d %H:%M:%S} {job.attempts} x {job.error}")
    if not dead:
        click.echo("there are no dead jobs")


@jobs.command()
@click.argument("job_id", metavar="ID", type=int)
@CONFIG
@DATABASE
def revive(job_id: int, config: Path | None, database: str | None) -> None:
    """Let a dead job run again."""
    if not _ask(config, database, lambda engine: _revive(engine, job_id)):
        stop(RuntimeError(f"there is no dead job {job_id}"))
    click.echo(f"job {job_id} is due now")


async def _dead(engine: Any) -> Any:
    from tollbridge.storage.queue import dead_jobs
    from tollbridge.storage.unit_of_work import reading

    async with reading(engine) as connection:
        return await dead_jobs(connection)


async def _revive(engine: Any, job_id: int) -> bool:
    from tollbridge.storage.queue import revive as run
    from tollbridge.storage.unit_of_work import working

    async with working(engine) as connection:
        return await run(connection, job_id)


def _ask(
    config: Path | None, database: str | None, question: Callable[[Any], Awaitable[Any]]
) -> Any:
    settings = read_settings(config, database=database)
    file = settings.sqlite_path
    if file is not None and not file.exists():
        stop(RuntimeError(f"there is no database {file}"))
    with saying_what_is_wrong():
        return asyncio.run(_answer(settings, question))


async def _answer(settings: Any, question: Callable[[Any], Awaitable[Any]]) -> Any:
    from tollbridge.storage.engine import open_engine
    from tollbridge.storage.migrate import schema_is_current

    engine = open_engine(settings.database)
    try:
        if not await schema_is_current(engine):
            stop(RuntimeError("the schema is not this version's: run tollbridge migrate"))
        return await question(engine)
    finally:
        await engine.dispose()
