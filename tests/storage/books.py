"""Owns what every test of the books needs: a fresh file, purses, rows and the verdict on them."""

import asyncio
import itertools
import os
import sqlite3
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from tollbridge.billing.recovery import reclaim
from tollbridge.billing.verify import Finding, verify
from tollbridge.core.clock import now_ms
from tollbridge.storage.engine import open_engine
from tollbridge.storage.ledger_items import (
    USAGE_COLUMNS,
    Figures,
    Hold,
    Item,
    Record,
    Return,
    Settle,
    Update,
    UsageRow,
)
from tollbridge.storage.ledger_sqlite import SqliteBook
from tollbridge.storage.migrate import migrate

WALLET, OTHER, LIMIT, SECOND = 1, 2, 3, 4
"""Two wallets, a key's limit, and its budget."""
NODE = 1
_TEXT_DEFAULTS = {
    "key_name": "a key",
    "channel_name": "a channel",
    "model_asked": "a model",
    "surface": "chat",
    "end_state": "complete",
    "flags": "",
}
_NULL = ("account_id", "model_sent", "model_answered", "platform", "error_kind", "items",
         "price_id", "first_token_ms", "client", "attempts", "service_tier", "factors")  # fmt: skip
_tids = itertools.count(1)


def run(coroutine: Any) -> Any:
    """Run a coroutine to its end, also where a loop runs already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


@cache
def _template() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "books.db")
        run(migrate(f"sqlite:///{path}"))
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
        return path.read_bytes()


def fresh(folder: Path, available: int = 1000, *, limit: int = 0, second: int = 0) -> Path:
    """Return a new file with two wallets of `available`, a key's limit and its budget."""
    path = folder / "books.db"
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.write_bytes(_template())
    with closing(sqlite3.connect(path)) as connection, connection:
        for purse, kind, amount in (
            (WALLET, "wallet", 0),
            (OTHER, "wallet", 0),
            (LIMIT, "key_limit", limit),
            (SECOND, "key_budget", second),
        ):
            connection.execute(
                "INSERT INTO purse (id, kind, owner_id, period_start, available, held)"
                " VALUES (?, ?, ?, 0, ?, 0)",
                (purse, kind, purse, amount),
            )
    for purse in (WALLET, OTHER):
        credit(path, purse, available)
    return path


def credit(path: Path, wallet: int, amount: int) -> None:
    """Grant (or, when negative, take back) money as another process does: by a relative change."""
    if not amount:
        return
    sides = ("promo", f"wallet:{wallet}") if amount > 0 else (f"wallet:{wallet}", "promo")
    with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
        connection.execute("PRAGMA busy_timeout = 30000")
        connection.execute(
            "UPDATE purse SET available = available + ? WHERE id = ?", (amount, wallet)
        )
        connection.execute(
            "INSERT INTO journal (id, at_ms, debit, credit, amount, kind, ref)"
            " VALUES (?, 0, ?, ?, ?, 'grant', ?)",
            (number := int.from_bytes(os.urandom(7), "big"), *sides, abs(amount), str(number)),
        )


def open_book(
    path: Path,
    book_class: type[SqliteBook] = SqliteBook,
    connection_class: type[sqlite3.Connection] = sqlite3.Connection,
) -> SqliteBook:
    """Open the books as a node does at its start, recovery included."""
    book = book_class(path, NODE, connection_class=connection_class)
    book.begin_epoch("test")
    reclaim(book, path)
    return book


def tid() -> str:
    """Return a new tid."""
    return f"{next(_tids):032x}"


def row(of: str, wallet: int = WALLET, **values: Any) -> UsageRow:
    """Return a usage row without charge and loss."""
    facts: dict[str, Any] = dict.fromkeys(USAGE_COLUMNS[:-2], 0)
    facts |= dict.fromkeys(_NULL) | _TEXT_DEFAULTS
    facts |= {
        "tid": of,
        "wallet_id": wallet,
        "stream": False,
        "status": 200,
        "multiplier_den": 1,
        "at_ms": now_ms(),
    }
    return tuple((facts | values).values())


def hold(of: str, amount: int, purses: tuple[int, ...] = (WALLET,), bill: str = "{}") -> Hold:
    """Return a wish to hold."""
    return Hold(of, purses, amount, now_ms(), bill)


def update(of: str, amount: int, covered: int, bill: str = "{}") -> Update:
    """Return a wish to checkpoint."""
    return Update(of, amount, covered, bill)


def settle(
    of: str, cost: int, wallet: int = WALLET, *, purses: tuple[int, ...] = (), **values: Any
) -> Settle:
    """Return a wish to settle."""
    return Settle(of, cost, row(of, wallet, **values), purses)


def record(of: str) -> Record:
    """Return a wish to record a refused call."""
    return Record(row(of, status=402))


def give_back(of: str, purses: tuple[int, ...] = (WALLET,)) -> Return:
    """Return a wish to give a charge back."""
    return Return(of, purses)


def one(book: SqliteBook, item: Item) -> Any:
    """Do one item in a transaction of its own and return its result."""
    return book.apply([item])[0][0]


def query(path: Path, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Read the file from outside."""
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        return connection.execute(sql, values).fetchall()


def purse(path: Path, of: int = WALLET) -> Figures:
    """Return a purse as the file has it."""
    return Figures(*query(path, "SELECT available, held FROM purse WHERE id = ?", (of,))[0])


async def judge(url: str) -> list[Finding]:
    """Return all that is off in a database."""
    engine = open_engine(url)
    try:
        return await verify(engine)
    finally:
        await engine.dispose()


def findings(path: Path) -> list[Finding]:
    """Return all that is off in a file."""
    verdict: list[Finding] = run(judge(f"sqlite:///{path}"))
    return verdict
