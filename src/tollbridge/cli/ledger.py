"""Owns `tollbridge ledger …`: questions to the books, and the one correction that staff may make."""

import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from tollbridge.cli.options import CONFIG, DATABASE, ask, stop

_TID = re.compile("[0-9a-f]{32}")


@click.group()
def ledger() -> None:
    """The books."""


@ledger.command()
@CONFIG
@DATABASE
@click.option("--full", is_flag=True, help="Trust no earlier proof: prove every row.")
def verify(config: Path | None, database: str | None, *, full: bool) -> None:
    """Check every invariant of the books; exit 0 when all hold.

    Rows that an earlier run proved are not looked at again, unless something is off.
    """
    verdict = ask(config, database, lambda engine: _verify(engine, full=full))
    for finding in verdict.findings:
        word = "BROKEN" if finding.fatal else "note"
        click.echo(f"{word} {finding.invariant}: {finding.sentence}")
    click.echo(
        f"proved {verdict.calls:,} calls and {verdict.lines:,} journal lines: {_extent(verdict)}"
    )
    if not verdict.right:
        sys.exit(1)
    click.echo("the books are right")


def _extent(verdict: Any) -> str:
    if verdict.since_ms is None:
        return "all there are"
    return (
        f"those since {_moment(verdict.since_ms)}; older ones were proved before,"
        f" in full last at {_moment(verdict.full_ms)} (--full proves them again)"
    )


def _moment(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


@ledger.command()
@click.argument("tid")
@CONFIG
@DATABASE
@click.option("--json", "as_json", is_flag=True, help="Write JSON; money in nano-dollars.")
def explain(tid: str, config: Path | None, database: str | None, *, as_json: bool) -> None:
    """Tell all that the books know of the call TID; exit 1 when something of it is wrong."""
    tid = _tid(tid)
    story = ask(config, database, lambda engine: _explain(engine, tid))
    if story is None:
        stop(RuntimeError(f"the books know no call {tid}"))
    from tollbridge.cli.story import as_json as json_of
    from tollbridge.cli.story import as_text

    for line in [json_of(story)] if as_json else as_text(story):
        click.echo(line)
    if story.wrong:
        sys.exit(1)


@ledger.command()
@click.argument("tid")
@click.option("--reason", required=True, help="Why; it goes to the log.")
@CONFIG
@DATABASE
def reverse(tid: str, reason: str, config: Path | None, database: str | None) -> None:
    """Give back all that the settled call TID was charged, once; beside a running server too."""
    from tollbridge.core.money import format_usd

    tid, reason = _tid(tid), reason.strip()
    if not (reason and reason.isprintable()):
        stop(RuntimeError("a reason is a text of one line"))
    done = ask(config, database, lambda engine: _reverse(engine, tid, reason))
    what = f"${format_usd(done.amount)} of call {tid}"
    if done.repeated:
        click.echo(f"{what} had been given back before; nothing was moved")
    else:
        click.echo(f"gave back {what} to wallet {done.wallet_id}")


def _tid(text: str) -> str:
    tid = text.strip().lower().replace("-", "")
    if not _TID.fullmatch(tid):
        stop(RuntimeError("a call's id has 32 hexadecimal digits"))
    return tid


async def _reverse(engine: Any, tid: str, reason: str) -> Any:
    from tollbridge.billing.reversals import NotReversible
    from tollbridge.billing.reversals import reverse as run
    from tollbridge.core.clock import now_ms
    from tollbridge.storage.unit_of_work import working

    try:
        async with working(engine) as connection:
            return await run(connection, tid, reason, "cli", now_ms())
    except NotReversible as error:
        stop(error)


async def _verify(engine: Any, *, full: bool) -> Any:
    from tollbridge.billing.verify import audit

    return await audit(engine, full=full)


async def _explain(engine: Any, tid: str) -> Any:
    from tollbridge.billing.explain import explain as run
    from tollbridge.core.clock import now_ms
    from tollbridge.storage.unit_of_work import reading

    async with reading(engine) as connection:
        return await run(connection, tid, now_ms())
