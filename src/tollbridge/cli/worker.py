"""Owns `tollbridge worker`: background work in a process of its own, until SIGTERM or SIGINT."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import click

from tollbridge.cli.options import CONFIG, DATABASE, existing, saying_what_is_wrong, stop


@click.command()
@CONFIG
@DATABASE
def worker(config: Path | None, database: str | None) -> None:
    """Do background work until SIGTERM; any number of these may run beside serve."""
    import uvloop

    from tollbridge.core.telemetry import configure_logging, install_excepthooks

    settings = existing(config, database)
    configure_logging(settings.log_level, settings.log_format)
    install_excepthooks()
    with (
        saying_what_is_wrong(),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(_work(settings))


async def _work(settings: Any) -> None:
    from tollbridge.core.settings import SettingsError
    from tollbridge.storage.engine import open_engine
    from tollbridge.storage.migrate import schema_is_current
    from tollbridge.worker.jobs import handlers, periodic_jobs
    from tollbridge.worker.runner import Worker

    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    engine = open_engine(settings.database)
    try:
        if not await schema_is_current(engine):
            stop(RuntimeError("the schema is not this version's: run tollbridge migrate"))
        try:
            running = Worker(engine, settings, handlers(settings), periodic_jobs(engine, settings))
        except SettingsError as error:
            stop(error)
        running.start()
        click.echo("tollbridge works", err=True)
        await ended.wait()
        await running.stop()
    finally:
        await engine.dispose()
