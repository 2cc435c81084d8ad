"""Owns `tollbridge doctor`: one line for everything that an installation needs, and what to do.

It reads only, works beside a running server, and prints no secret.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import click

from tollbridge.cli.options import CONFIG, DATABASE, read_settings


@click.command()
@CONFIG
@DATABASE
def doctor(config: Path | None, database: str | None) -> None:
    """Check this installation; exit 1 if something is bad."""
    from tollbridge.cli.doctor_line import Level

    settings = read_settings(config, database=database)
    worst = asyncio.run(_show(settings))
    sys.exit(1 if worst is Level.BAD else 0)


async def _show(settings: Any) -> Any:
    from tollbridge.cli.doctor_line import Level

    order = (Level.OK, Level.WARN, Level.BAD)
    worst = Level.OK
    async for line in _lines(settings):
        click.echo(f"{line.level.value:<4}  {line.what}: {line.text}")
        worst = max(worst, line.level, key=order.index)
    return worst


async def _lines(settings: Any) -> AsyncIterator[Any]:
    from tollbridge.cli import doctor_around, doctor_database

    for line in doctor_around.local(settings):
        yield line
    async for line in doctor_database.stored(settings):
        yield line
    for line in await doctor_around.services(settings):
        yield line
