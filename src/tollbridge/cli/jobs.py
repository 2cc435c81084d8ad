"""Owns `tollbridge jobs …`: the jobs that were given up, and another try for them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from tollbridge.cli.options import CONFIG, DATABASE, ask, stop


@click.group()
def jobs() -> None:
    """Jobs of the queue that were given up."""


@jobs.command("list")
@CONFIG
@DATABASE
def list_dead(config: Path | None, database: str | None) -> None:
    """Show the dead jobs, the newest first."""
    dead = ask(config, database, _dead)
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
    if not ask(config, database, lambda engine: _revive(engine, job_id)):
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
