"""Owns `tollbridge rollup …`: the roll-ups of usage, made anew from its rows."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from tollbridge.cli.options import CONFIG, DATABASE, ask


@click.group()
def rollup() -> None:
    """The figures that statistics are read from."""


@rollup.command()
@CONFIG
@DATABASE
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Begin with this day of UTC; without it with the first call.",
)
def rebuild(config: Path | None, database: str | None, since: datetime | None) -> None:
    """Make all figures anew from the calls; harmless at any time, also while serving."""
    since_ms = int(since.replace(tzinfo=UTC).timestamp()) * 1000 if since else 0
    slots = ask(config, database, lambda engine: _rebuild(engine, max(since_ms, 0)))
    click.echo(f"made {slots:,} spans of five minutes, hours and days anew")


async def _rebuild(engine: Any, since_ms: int) -> int:
    from tollbridge.core.clock import now_ms
    from tollbridge.storage.rollups import rebuild as run

    return await run(engine, since_ms, now_ms())
