"""Owns `tollbridge ledger …`: questions to the books. Reads only."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import click

from tollbridge.cli.options import CONFIG, DATABASE, read_settings, saying_what_is_wrong, stop


@click.group()
def ledger() -> None:
    """The books."""


@ledger.command()
@CONFIG
@DATABASE
def verify(config: Path | None, database: str | None) -> None:
    """Check every invariant of the books; exit 0 when all hold."""
    settings = _settings(config, database)
    with saying_what_is_wrong():
        findings = asyncio.run(_verify(settings))
    for finding in findings:
        word = "BROKEN" if finding.fatal else "note"
        click.echo(f"{word} {finding.invariant}: {finding.sentence}")
    if any(finding.fatal for finding in findings):
        sys.exit(1)
    click.echo("the books are right")


def _settings(config: Path | None, database: str | None) -> Any:
    settings = read_settings(config, database=database)
    file = settings.sqlite_path
    if file is not None and not file.exists():
        stop(RuntimeError(f"there is no database {file}"))
    return settings


async def _verify(settings: Any) -> list[Any]:
    from tollbridge.billing.verify import verify as run
    from tollbridge.storage.engine import open_engine
    from tollbridge.storage.migrate import schema_is_current

    engine = open_engine(settings.database)
    try:
        if not await schema_is_current(engine):
            stop(RuntimeError("the schema is not this version's: run tollbridge migrate"))
        findings: list[Any] = await run(engine)
    finally:
        await engine.dispose()
    return findings
