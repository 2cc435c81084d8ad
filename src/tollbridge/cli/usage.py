"""Owns `tollbridge usage …`: usage rows that leave the house, as a file or to the sink again."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import click

from tollbridge.cli.options import CONFIG, DATABASE, ask, existing, stop

_STDOUT = "-"


class Moment(click.ParamType[int]):
    """A day or a moment in ISO 8601; without a zone it is UTC. Becomes milliseconds since 1970."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the milliseconds; a usage error for anything else, and for times before 1970."""
        if isinstance(value, int):
            return value
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no ISO 8601 time such as 2026-01-31T08:00:00Z", param, ctx)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        if at.timestamp() < 0:
            self.fail(f"{value!r} is before 1970", param, ctx)
        return int(at.timestamp()) * 1000 + at.microsecond // 1000


_TO = click.option(
    "--to", "to_ms", type=Moment(), help="Only calls that began before; default: now."
)


@click.group()
def usage() -> None:
    """Usage rows for other programs."""


@usage.command()
@CONFIG
@DATABASE
@click.option(
    "--from", "from_ms", type=Moment(), default=0, help="Only calls that began from then on."
)
@_TO
@click.option("--user", "email", metavar="EMAIL", help="Only the calls of this user.")
@click.option("--format", "kind", type=click.Choice(["csv", "parquet"]), default="csv")
@click.option("--output", metavar="FILE", default=_STDOUT, help="Where to; - is standard output.")
def export(
    config: Path | None,
    database: str | None,
    from_ms: int,
    to_ms: int | None,
    email: str | None,
    kind: str,
    output: str,
) -> None:
    """Write every call of a span of time once; harmless at any time, also while serving.

    A call that still runs has no row yet. Columns: docs/export.md.
    """
    if kind == "parquet" and output == _STDOUT:
        stop(RuntimeError("Parquet needs a file: name one with --output"))
    to_ms = _now_ms() if to_ms is None else to_ms
    calls = ask(
        config, database, lambda engine: _export(engine, (from_ms, to_ms), email, kind, output)
    )
    click.echo(f"exported {calls:,} calls", err=True)


@usage.command()
@CONFIG
@DATABASE
@click.option(
    "--from", "from_ms", type=Moment(), required=True, help="Calls that began from then on."
)
@_TO
def resend(config: Path | None, database: str | None, from_ms: int, to_ms: int | None) -> None:
    """Send calls to the sink once more: those of before there was one, or that it has lost."""
    if not existing(config, database).sink_url:
        stop(RuntimeError("there is no sink: the settings have no sink_url"))
    end_ms = _now_ms() if to_ms is None else to_ms
    calls = ask(config, database, lambda engine: _resend(engine, from_ms, end_ms))
    click.echo(f"{calls:,} calls wait for the sink")


def _now_ms() -> int:
    from tollbridge.core.clock import now_ms

    return now_ms()


async def _resend(engine: Any, from_ms: int, to_ms: int) -> int:
    from tollbridge.storage.sink_feed import resend as run

    return await run(engine, from_ms, to_ms)


async def _export(
    engine: Any, span: tuple[int, int], email: str | None, kind: str, output: str
) -> int:
    from tollbridge.cli.usage_files import CsvFile, NoParquet, ParquetFile, UsageFile
    from tollbridge.storage.usage_export import usage_chunks

    user_id = None if email is None else await _user_id(engine, email)
    calls = 0
    with _opened(output) as out:
        try:
            file: UsageFile = ParquetFile(out) if kind == "parquet" else CsvFile(out)
        except NoParquet as error:
            stop(error)
        async for rows in usage_chunks(engine, *span, user_id):
            with _saying_what_is_full(output):
                file.add(rows)
            calls += len(rows)
        with _saying_what_is_full(output):
            file.end()
            out.flush()
    return calls


async def _user_id(engine: Any, email: str) -> int:
    from tollbridge.identity.users import find_user
    from tollbridge.storage.unit_of_work import reading

    async with reading(engine) as connection:
        row = await find_user(connection, email)
    if row is None:
        stop(RuntimeError(f"there is no user {email}"))
    return int(row["id"])


@contextmanager
def _opened(output: str) -> Iterator[BinaryIO]:
    """Open a file that has its name only when it is whole and that its owner alone can read."""
    if output == _STDOUT:
        yield sys.stdout.buffer
        return
    path = Path(output)
    # A pipe or a device stays what it is.
    special = path.exists() and not path.is_file()
    part = path if special else path.with_name(path.name + ".part")
    with _saying_what_is_full(output):
        file = os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
    try:
        yield file
        with _saying_what_is_full(output):
            file.close()
            if not special:
                part.replace(path)
    finally:
        # It tries again to write what did not fit.
        with suppress(OSError):
            file.close()
        if not special:
            part.unlink(missing_ok=True)


@contextmanager
def _saying_what_is_full(output: str) -> Iterator[None]:
    """Tell trouble of the file from trouble of the database, which looks the same."""
    try:
        yield
    except BrokenPipeError:
        # Whoever reads has enough. What is still in the buffer goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        stop(RuntimeError(f"{output}: cannot be written: {error.strerror}"))
