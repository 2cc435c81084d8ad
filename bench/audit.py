"""Owns the last word of a run: whether the books of a stopped gateway agree with what was sent.

It counts in the database itself, of either engine, and must not use the gateway's code for that.
"""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import dataclass

import asyncpg

_USAGE = "SELECT count(*), sum(charge) FROM usage"
_WALLETS = "SELECT sum(available), sum(held) FROM purse WHERE kind = 'wallet'"
_SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Books:
    """What the database says after the run; money in nano-dollars."""

    usage_rows: int
    charged: int
    spent: int
    held: int
    verified: bool
    verdict: str


def read(database: str, credit: int, *, verified: bool, verdict: str) -> Books:
    """Count in the database at a URL of either engine; `credit` is what was granted, in nano."""
    if database.startswith(_SQLITE):
        found = _on_sqlite(database.removeprefix(_SQLITE))
    else:
        found = asyncio.run(_on_postgresql(database))
    rows, charged, available, held = (int(value or 0) for value in found)
    return Books(rows, charged, credit - available, held, verified, verdict)


def faults(books: Books, calls: int) -> list[str]:
    """Return what is wrong with the books after that many answered calls; nothing when all is."""
    found = []
    if books.usage_rows != calls:
        found.append(f"{books.usage_rows} usage rows for {calls} calls")
    if books.spent <= 0 < calls:
        found.append(f"the wallet dropped by {books.spent} nano-dollars")
    if books.spent != books.charged:
        found.append(f"wallet drop {books.spent} is not the sum of charges {books.charged}")
    if books.held != 0:
        found.append(f"{books.held} nano-dollars are still held")
    if not books.verified:
        found.append(f"ledger verify: {books.verdict}")
    return found


def _on_sqlite(path: str) -> tuple[int | None, ...]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        usage = database.execute(_USAGE).fetchone()
        return *usage, *database.execute(_WALLETS).fetchone()


async def _on_postgresql(url: str) -> tuple[int | None, ...]:
    connection = await asyncpg.connect(url)
    try:
        usage = await connection.fetchrow(_USAGE)
        return *usage, *await connection.fetchrow(_WALLETS)
    finally:
        await connection.close()
