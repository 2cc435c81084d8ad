"""Owns nodes that a test drives batch by batch on PostgreSQL, behind a cable that can be cut."""

import asyncio
from typing import Any

import asyncpg

from tests.storage import pg_books
from tests.storage.books import LIMIT, OTHER, SECOND, WALLET
from tests.storage.books_model import of_file
from tests.storage.books_wishes import Calls
from tollbridge.core.clock import new_id
from tollbridge.storage import ledger_nodes
from tollbridge.storage.ledger_audit import QUESTIONS
from tollbridge.storage.ledger_postgres import PostgresBook
from tollbridge.storage.postgres_commit import PostgresCommit

# Much quicker than to truncate, which makes a file anew for each table and each of its indexes.
_WIPE = "; ".join(
    f"DELETE FROM {table}" for table in ("hold", "usage", "usage_feed", "journal", "node", "purse")
)
_PURSE = (
    "INSERT INTO purse (id, kind, owner_id, period_start, available, held)"
    " VALUES ($1, $2, $1, 0, $3, 0)"
)
# Wall clocks may be wrong, so the two questions that ask for ages are not among them.
_OFF = " UNION ALL ".join(
    f"SELECT '{question.name}' FROM ({question.sql}) AS q"
    for question in QUESTIONS
    if not question.name.startswith("I4")
)
_STRANGERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND application_name = 'tollbridge-ledger' AND pid <> ALL($1::integer[])"
)
_TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    " AND application_name = 'tollbridge-ledger'"
)


class Node:
    """One node: its writer without a task, and its calls."""

    def __init__(
        self,
        url: str,
        book_class: type[PostgresBook] = PostgresBook,
        commit_class: type[PostgresCommit] = PostgresCommit,
    ) -> None:
        self._url = url
        self._book_class = book_class
        self._commit_class = commit_class
        self.watch = pg_books.Watch()
        self.calls = Calls()
        self.book: PostgresBook
        self.commit: PostgresCommit

    async def enter(self, control: asyncpg.Connection) -> None:
        """Begin with epoch 1."""
        node = (new_id(), 1)
        await ledger_nodes.enter(control, node[0], "test")
        self.book = self._book_class(self._url, node, await ledger_nodes.incarnation(control))
        self.commit = self._commit_class(self.book, self.watch)

    @property
    def epoch(self) -> tuple[int, int]:
        """What it writes under."""
        return self.book.node

    async def write(self, items: list[Any]) -> dict[Any, Any]:
        """Write one batch and return the answers by item."""
        self.watch.answers.clear()
        await self.commit._commit(items)
        assert self.watch.reasons == []
        assert len(self.watch.answers) == len(items)
        return dict(self.watch.answers)


async def wipe(control: asyncpg.Connection, available: int, limit: int, second: int) -> None:
    """Begin anew in a database that is migrated already."""
    await control.execute(_WIPE)
    for purse, kind, amount in (
        (WALLET, "wallet", 0),
        (OTHER, "wallet", 0),
        (LIMIT, "key_limit", limit),
        (SECOND, "key_budget", second),
    ):
        await control.execute(_PURSE, purse, kind, amount)
    for wallet in (WALLET, OTHER):
        await pg_books.credit(control, wallet, available)


async def state(control: asyncpg.Connection) -> Any:
    """Return all of the books, comparable with a model's."""
    rows: dict[str, Any] = {}
    of_file(lambda sql: rows.setdefault(sql, []))
    for sql in rows:
        rows[sql] = [tuple(row) for row in await control.fetch(sql)]
    return of_file(rows.__getitem__)


async def broken(control: asyncpg.Connection) -> list[str]:
    """Return the names of the invariants that do not hold."""
    return [row[0] for row in await control.fetch(_OFF)]


async def debit(control: asyncpg.Connection, wallet: int, amount: int) -> int:
    """Take back what is free, `amount` at most, as a refund does; return it."""
    async with control.transaction():
        free = await control.fetchval(
            "SELECT available - held FROM purse WHERE id = $1 FOR UPDATE", wallet
        )
        taken = min(amount, int(free))
        await pg_books.credit(control, wallet, -taken)
    return taken


async def terminate(control: asyncpg.Connection) -> None:
    """Have the server end all writers' connections."""
    await control.execute(_TERMINATE)


async def quiet(control: asyncpg.Connection, nodes: list[Node]) -> None:
    """Wait until the server has ended all connections but those that the nodes use now."""
    alive = [node.book._backend[0] for node in nodes if node.book.connected]
    async with asyncio.timeout(30):
        while await control.fetchval(_STRANGERS, [pid for pid in alive if pid]):
            await asyncio.sleep(0.002)
