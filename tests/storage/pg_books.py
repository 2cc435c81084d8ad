"""Owns what tests of the books on PostgreSQL need: a fresh database with purses, a writer, a verdict."""

import asyncio
import contextlib
from typing import Any

import asyncpg

from tests.storage.books import LIMIT, OTHER, SECOND, WALLET
from tollbridge.billing.verify import verify
from tollbridge.core.clock import new_id
from tollbridge.storage import ledger_nodes
from tollbridge.storage.engine import open_engine
from tollbridge.storage.ledger_items import Figures
from tollbridge.storage.ledger_postgres import PostgresBook
from tollbridge.storage.postgres_commit import PostgresCommit

_PURSE = (
    "INSERT INTO purse (id, kind, owner_id, period_start, available, held)"
    " VALUES ($1, $2, $1, 0, $3, 0)"
)
_LINE = (
    "INSERT INTO journal (id, at_ms, debit, credit, amount, kind, ref)"
    " VALUES ($1, 0, $2, $3, $4, 'grant', $5)"
)


async def begin(url: str, available: int = 1000, limit: int = 0, second: int = 0) -> None:
    """Fill a migrated database: two wallets, a key's limit and its budget."""
    async with opened(url) as connection:
        for purse, kind, amount in (
            (WALLET, "wallet", 0),
            (OTHER, "wallet", 0),
            (LIMIT, "key_limit", limit),
            (SECOND, "key_budget", second),
        ):
            await connection.execute(_PURSE, purse, kind, amount)
        for wallet in (WALLET, OTHER):
            await credit(connection, wallet, available)


@contextlib.asynccontextmanager
async def opened(url: str):
    """Yield a plain connection."""
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def credit(connection: asyncpg.Connection, wallet: int, amount: int) -> None:
    """Grant (or, when negative, take back) money by a relative change, as other processes do."""
    if not amount:
        return
    sides = ("promo", f"wallet:{wallet}") if amount > 0 else (f"wallet:{wallet}", "promo")
    number = new_id()
    async with connection.transaction():
        await connection.execute(
            "UPDATE purse SET available = available + $1 WHERE id = $2", amount, wallet
        )
        await connection.execute(_LINE, number, *sides, abs(amount), str(number))


async def purses(connection: asyncpg.Connection) -> dict[int, Figures]:
    """Return all purses."""
    rows = await connection.fetch("SELECT id, available, held FROM purse")
    return {row[0]: Figures(row[1], row[2]) for row in rows}


async def findings(url: str) -> list[str]:
    """Return what is wrong with the books."""
    engine = open_engine(url)
    try:
        return [f"{one.invariant}: {one.sentence}" for one in await verify(engine, full=True)]
    finally:
        await engine.dispose()


class Watch:
    """Collects what the writer publishes; wakes who waits for items."""

    def __init__(self) -> None:
        self.answers: list[tuple[Any, Any]] = []
        self.purses: dict[int, Figures] = {}
        self.reasons: list[str] = []

    def published(self, answers, purses, took_s):
        """Note the answers."""
        self.answers += answers
        self.purses |= purses
        for item, answer in answers:
            if item.future is not None and not item.future.done():
                item.future.set_result(answer)

    def broken(self, reason):
        """Note the reason."""
        self.reasons.append(reason)


class Writer:
    """A node's writer: `do` items and have their answers."""

    def __init__(self, url: str, entrance: str = "") -> None:
        """Write at `url`; enter at `entrance` if that is a safer way to the same database."""
        self.url = url
        self.entrance = entrance or url
        self.watch = Watch()
        self.over = asyncio.Event()
        self.book: PostgresBook
        self.commit: PostgresCommit

    async def start(self) -> None:
        """Enter under a new epoch and begin to write."""
        node = (new_id(), 1)
        async with opened(self.entrance) as connection:
            await ledger_nodes.enter(connection, node[0], "test")
            incarnation = await ledger_nodes.incarnation(connection)
        self.book = PostgresBook(self.url, node, incarnation, on_over=self.over.set)
        self.commit = PostgresCommit(self.book, self.watch)
        self.commit.start()

    async def do(self, *items: Any) -> list[Any]:
        """Submit items at once, so that they are one batch, and return their answers in order."""
        for item in items:
            item.future = asyncio.get_running_loop().create_future()
            self.commit.submit(item)
        return [await asyncio.wait_for(item.future, 30) for item in items]


@contextlib.asynccontextmanager
async def writing(url: str):
    """Yield a started writer that is stopped at the end."""
    writer = Writer(url)
    await writer.start()
    try:
        yield writer
    finally:
        assert await writer.commit.stop(30)
