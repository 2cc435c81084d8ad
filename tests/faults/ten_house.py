"""Owns a whole relay before ten accounts: the real steps, pool, client and books, in one leaping loop.

The books are the real ones in a real file; they are written on the loop itself, because a thread has
no part in its clock.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from tests.billing.ledgers import Gauges
from tests.faults.ten_vendor import TenVendor
from tests.relay.calls import account, channel, key, snapshot
from tests.relay.paper import no_budgets
from tests.storage import books
from tollbridge.billing.ledger import Ledger
from tollbridge.core.metrics import Metrics
from tollbridge.core.settings import Settings
from tollbridge.identity.keys import KeyRecord, KeyStore, digest_of
from tollbridge.relay.bound import Bound
from tollbridge.relay.pipeline import Relay
from tollbridge.relay.pool import Pool
from tollbridge.relay.throttle import Throttle
from tollbridge.relay.world import World
from tollbridge.storage.bindings import MemoryBindings
from tollbridge.storage.counters_memory import MemoryCounters
from tollbridge.storage.ledger_items import Item
from tollbridge.storage.ledger_sqlite import SqliteBook
from tollbridge.upstreams.http1 import Http1Client

USERS = (books.WALLET, books.OTHER)
"""Users and their wallets have the same numbers."""
MONEY = 10**12


def secret_of(user: int) -> str:
    """Return the key of a user."""
    return f"sk-{f'of-user-{user}':-<40}"


class _Keys:
    """Knows a key of each user by heart."""

    def __init__(self) -> None:
        self._known: dict[bytes, KeyRecord] = {
            secret_of(user).encode(): key(id=100 + user, user_id=user, wallet_id=user)
            for user in USERS
        }
        self._digests = {digest_of(secret): record for secret, record in self._known.items()}

    def known(self, digest: bytes) -> KeyRecord | None:
        """Return the record of the secret with this digest."""
        return self._digests.get(digest)

    def cached(self, secret: bytes) -> Any:
        """Return the record of a secret."""
        return self._known.get(secret, KeyStore.MISSING)

    async def find(self, _secret: bytes) -> None:
        """Find nobody else."""
        return


class _Clerk:
    """Writes what is asked of the books at the loop's next turn, all of it in one transaction."""

    busy_since: float | None = None
    alive = True

    def __init__(self, book: SqliteBook, ledger: Ledger) -> None:
        self._book, self._ledger = book, ledger
        self._items: list[Item] = []

    def submit(self, item: Item) -> None:
        """Take an item."""
        if not self._items:
            asyncio.get_running_loop().call_soon(self._write)
        self._items.append(item)

    def _write(self) -> None:
        items, self._items = self._items, []
        for item in items:
            item.taken = True
        results, purses = self._book.apply(items)
        self._ledger.published(list(zip(items, results, strict=True)), purses, 0.0)


class House:
    """A relay whose channel `main` has ten accounts of one weight and priority."""

    def __init__(self, vendor: TenVendor, tls: ssl.SSLContext, ledger: Ledger, settings: Settings):
        loop = asyncio.get_running_loop()
        self.ledger = ledger
        self.client = Http1Client(tls=tls)
        self.accounts = tuple(account(number, base_url=url) for number, url in vendor.urls.items())
        self.channel = channel(accounts=self.accounts)
        self.pool = Pool(loop.time, lambda *_: None)
        world, metrics = World(), Metrics()
        world.snapshot = snapshot(self.channel)
        world.bound = Bound(MemoryBindings(), lambda *words: repr(words).encode())
        self.relay = Relay(
            world,
            ledger,
            cast("KeyStore", _Keys()),
            self.client,
            settings,
            metrics,
            no_budgets(),
            Throttle(MemoryCounters(), metrics),
            self.pool,
        )


@asynccontextmanager
async def open_house(
    path: Path, vendor: TenVendor, tls: ssl.SSLContext, **settings: Any
) -> AsyncIterator[House]:
    """Yield a relay whose books are in a file; every user has `MONEY` there."""
    # What a power cut leaves is no question here, and thousands of syncs would take minutes.
    book = books.open_book(path)
    book._connection.execute("PRAGMA synchronous = OFF")
    ledger = Ledger(Gauges(), deadline_s=1000.0, grace_s=1000.0, on_broken=str, admits=lambda: True)
    ledger.start(_Clerk(book, ledger))
    house = House(vendor, tls, ledger, Settings(**settings))
    try:
        yield house
    finally:
        await house.client.close()
        ledger.stop()
        book.close()


def usage_rows(path: Path, columns: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return those columns of every usage row, by tid."""
    rows = books.query(path, f"SELECT tid, {', '.join(columns)} FROM usage")
    return {tid: dict(zip(columns, rest, strict=True)) for tid, *rest in rows}
