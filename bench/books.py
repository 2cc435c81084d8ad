"""Owns large books to measure with: `python -m bench.books URL --calls 10000000`.

It fills an empty, migrated database of either engine with calls, journal lines and wallets that
fit together to the last nano-dollar: charges, losses, late settles, answers given back, refusals.
They are spread over the month before the last two hours, in the order in which they would come.
"""

import argparse
import asyncio
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from typing import Any

import asyncpg

from tollbridge.core.clock import first_id, now_ms
from tollbridge.storage.engine import driver_url
from tollbridge.storage.ledger_items import USAGE_COLUMNS
from tollbridge.storage.migrate import migrate

MONTH_MS = 30 * 24 * 3_600_000
QUIET_MS = 2 * 3_600_000
_AT_ONCE = 50_000
_IDS_OF_A_MS = 1 << 22
_JOURNAL = ("id", "at_ms", "debit", "credit", "amount", "currency", "kind", "ref")
_PURSE = ("id", "kind", "owner_id", "available", "held")
_NODE_FACTS: dict[str, Any] = {
    **dict.fromkeys(USAGE_COLUMNS, 0),
    **dict.fromkeys(("error_kind", "items", "price_id", "service_tier", "factors")),
    "key_name": "production",
    "channel_name": "main",
    "account_id": 4,
    "model_asked": "bench-model-large",
    "model_sent": "bench-model-large-2026-01-01",
    "model_answered": "bench-model-large-2026-01-01",
    "surface": "chat",
    "platform": "openai",
    "stream": True,
    "status": 200,
    "end_state": "complete",
    "flags": "",
    "multiplier_den": 1,
    "multiplier_num": 1,
    "first_token_ms": 400,
    "client": "bench",
    "attempts": '[[3,"rate_limited",40],[4,"ok",400]]',
}
_AT = {name: USAGE_COLUMNS.index(name) for name in USAGE_COLUMNS}

Row = tuple[Any, ...]


class Books:
    """The rows of books that are right. `usage` and `journal` grow by every `take`."""

    def __init__(self, calls: int, wallets: int, end_ms: int, seed: int = 1) -> None:
        self.spent = dict.fromkeys(range(1, wallets + 1), 0)
        self.usage: list[Row] = []
        self.journal: list[Row] = []
        self._random = random.Random(seed)
        self._start = end_ms - MONTH_MS
        self._step = MONTH_MS / max(calls, 1)
        self._lines = 0
        self._calls = iter(range(calls))

    def take(self, most: int) -> bool:
        """Put the next calls into `usage` and `journal`; tell whether there were any."""
        self.usage, self.journal = [], []
        for number in islice(self._calls, most):
            self._call(number, self._start + int(number * self._step))
        return bool(self.usage)

    def closing_lines(self) -> Iterator[Row]:
        """Grant each wallet a thousand dollars more than it spent."""
        for wallet, spent in self.spent.items():
            amount = spent + 10**12
            yield self._line(self._start, "promo", f"wallet:{wallet}", amount, "grant", str(wallet))

    def purses(self) -> Iterator[Row]:
        """Return the wallets as they stand at the end."""
        return ((wallet, "wallet", wallet, 10**12, 0) for wallet in self.spent)

    def _call(self, number: int, at_ms: int) -> None:
        dice = self._random
        tid = f"{at_ms:012x}7{dice.getrandbits(76):019x}"
        wallet = dice.randrange(len(self.spent)) + 1
        took = dice.randrange(500, 60_000)
        first = 0 if number % 20 == 7 else dice.randrange(1000, 5_000_000)
        moves = list(_moves(number % 400, first))
        for kind, amount in moves:
            purse = "operator_loss" if "loss" in kind else f"wallet:{wallet}"
            sides = (purse, "revenue") if amount > 0 else ("revenue", purse)
            self.journal.append(self._line(at_ms + took, *sides, abs(amount), kind, tid))
        charge = sum(amount for kind, amount in moves if "loss" not in kind)
        loss = sum(amount for kind, amount in moves if "loss" in kind)
        self.spent[wallet] += charge
        self.usage.append(self._usage(tid, at_ms, wallet, took, charge, loss))

    def _line(self, at_ms: int, debit: str, credit: str, amount: int, kind: str, ref: str) -> Row:
        self._lines += 1
        number = first_id(at_ms) | self._lines % _IDS_OF_A_MS
        return (number, at_ms, debit, credit, amount, "USD", kind, ref)

    def _usage(self, tid: str, at_ms: int, wallet: int, took: int, charge: int, loss: int) -> Row:
        row = list(_NODE_FACTS.values())
        for name, value in (
            ("tid", tid), ("at_ms", at_ms), ("user_id", wallet), ("key_id", wallet),
            ("wallet_id", wallet), ("channel_id", wallet % 7), ("input", took % 4000),
            ("output", took % 900), ("list_cost", charge), ("own_cost", charge // 2),
            ("held", charge + 1000), ("total_ms", took), ("charge", charge), ("loss", loss),
        ):  # fmt: skip
            row[_AT[name]] = value
        return tuple(row)


def _moves(dice: int, first: int) -> Iterator[tuple[str, int]]:
    """Return what one call in 400 of each rare sort moved, and all the others: signed amounts."""
    if not first:
        return
    yield "charge", first
    if dice % 100 == 1:
        yield "loss", 70
    if dice == 2:
        yield "late", 300
    if dice == 3:
        yield "late", -(first // 2)
    if dice in {4, 101}:
        yield "return", -first
    if dice == 101:
        yield "return_loss", -70
    if dice == 5:
        yield "late_loss", 40


async def fill(url: str, calls: int, wallets: int, end_ms: int) -> None:
    """Migrate the empty database at `url` and fill it."""
    await migrate(url)
    books = Books(calls, wallets, end_ms)
    if driver_url(url).get_backend_name() == "sqlite":
        _fill_sqlite(str(driver_url(url).database), books)
    else:
        await _fill_postgres(url, books)


def _fill_sqlite(path: str, books: Books) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -200000")
        while books.take(_AT_ONCE):
            connection.execute("BEGIN")
            _insert(connection, "usage", USAGE_COLUMNS, books.usage)
            _insert(connection, "journal", _JOURNAL, books.journal)
            connection.execute("COMMIT")
        connection.execute("BEGIN")
        _insert(connection, "journal", _JOURNAL, list(books.closing_lines()))
        _insert(connection, "purse", _PURSE, list(books.purses()))
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _insert(
    connection: sqlite3.Connection, table: str, columns: tuple[str, ...], rows: list[Row]
) -> None:
    marks = ", ".join("?" * len(columns))
    names = ", ".join(columns)
    connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)


async def _fill_postgres(url: str, books: Books) -> None:
    connection = await asyncpg.connect(url)

    async def copy(table: str, columns: tuple[str, ...], rows: list[Row]) -> None:
        await connection.copy_records_to_table(table, columns=columns, records=rows)

    try:
        while books.take(_AT_ONCE):
            await copy("usage", USAGE_COLUMNS, books.usage)
            await copy("journal", _JOURNAL, books.journal)
        await copy("journal", _JOURNAL, list(books.closing_lines()))
        await copy("purse", _PURSE, list(books.purses()))
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


def main() -> None:
    """Read the command line and fill."""
    parser = argparse.ArgumentParser(prog="python -m bench.books", description=__doc__)
    parser.add_argument("url", help="sqlite:///path or postgresql://…, empty")
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--wallets", type=int, default=1_000)
    given = parser.parse_args()
    asyncio.run(fill(given.url, given.calls, given.wallets, now_ms() - QUIET_MS))


if __name__ == "__main__":
    main()
