"""Owns a whole relay for tests: the real steps, HTTP client and vendor; books on paper; a client
that sits in the test.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from tests.relay.calls import LIMIT, WALLET, account, channel, chat, key, snapshot
from tests.relay.paper import no_budgets, paper_ledger
from tests.relay.visitor import SECRET, Visitor
from tollbridge.catalog.snapshot import Snapshot
from tollbridge.core.metrics import Metrics
from tollbridge.core.settings import Settings
from tollbridge.demo.fake_books import AccountScript
from tollbridge.demo.fake_upstream import FakeUpstream
from tollbridge.identity.keys import KeyRecord, KeyStore, digest_of
from tollbridge.relay.bound import Bound
from tollbridge.relay.pipeline import Relay
from tollbridge.relay.pool import Pool
from tollbridge.relay.queue import Queue
from tollbridge.relay.throttle import Throttle
from tollbridge.relay.world import World
from tollbridge.storage.bindings import MemoryBindings
from tollbridge.storage.counters import Counters
from tollbridge.storage.counters_memory import MemoryCounters
from tollbridge.upstreams.http1 import Http1Client

PATIENCE_S = 30
MONEY = 10**12


class Keys:
    """Knows one key by heart."""

    def __init__(self, record: KeyRecord) -> None:
        self.record = record

    def cached(self, secret: bytes) -> Any:
        """Return the record of the test's secret."""
        return self.record if secret == SECRET.encode() else KeyStore.MISSING

    def known(self, digest: bytes) -> KeyRecord | None:
        """Return the record by the digest of the test's secret."""
        return self.record if digest == digest_of(SECRET.encode()) else None

    async def find(self, _secret: bytes) -> None:
        """Find nobody else."""
        return


class Floor:
    """A relay with accounts at one pretend vendor."""

    def __init__(self, vendor: FakeUpstream, url: str, money: int, limit: int, **values: Any):
        self.vendor = vendor
        self.url = url
        self.settings = Settings(**values)
        self.ledger, self.writer = paper_ledger(**{f"w{WALLET}": money, f"w{LIMIT}": limit})
        self.metrics = Metrics()
        loop = asyncio.get_running_loop()
        self.counters: Counters = MemoryCounters(lambda: int(loop.time() * 1000))
        # Calls wait only in tests that say for how long.
        patience_s = values.get("queue_wait_s")
        self.queue = Queue(loop, patience_s) if patience_s else None
        self.client = Http1Client()
        self.keys = Keys(key())
        self.world = World()
        self.world.snapshot = self.catalogue()
        self.pool = Pool(loop.time, lambda *_: None)
        self.world.bound = Bound(MemoryBindings(), lambda *words: repr(words).encode())
        self.relay = Relay(
            self.world,
            self.ledger,
            cast("KeyStore", self.keys),
            self.client,
            self.settings,
            self.metrics,
            no_budgets(),
            Throttle(self.counters, self.metrics, self.queue),
            self.pool,
        )
        self._tasks: list[asyncio.Task[None]] = []

    def accounts(self, count: int = 1, **values: Any) -> tuple[Any, ...]:
        """Return accounts at the vendor in the order in which they are tried."""
        return tuple(
            account(number, base_url=self.url, priority=number, **values)
            for number in range(1, count + 1)
        )

    def catalogue(self, count: int = 1, *, models: tuple[Any, ...] = (), **values: Any) -> Snapshot:
        """Return a catalogue whose channel has so many accounts at the vendor."""
        main = channel(accounts=self.accounts(count, **values))
        return snapshot(main, models=models)

    def script(self, number: int, times: int | None = None, **script: Any) -> None:
        """Let an account answer all (or so many) calls by this script."""
        self.vendor.books.accounts[f"secret-{number}"] = AccountScript(script, times)

    def call(self, body: Any = None, **values: Any) -> Visitor:
        """Begin a call and return its client."""
        visitor = Visitor(chat() if body is None else body, **values)
        visitor.task = asyncio.get_running_loop().create_task(self.relay.handle(visitor))
        self._tasks.append(visitor.task)
        return visitor

    async def answered(self, body: Any = None, **values: Any) -> Visitor:
        """Make a call to its end."""
        visitor = self.call(body, **values)
        assert visitor.task is not None
        await asyncio.wait_for(visitor.task, PATIENCE_S)
        return visitor

    @property
    def row(self) -> dict[str, Any]:
        """The usage row of the only call; the call also left no hold behind."""
        assert self.writer.holds == {}
        assert self.writer.purses[WALLET].held == 0
        (row,) = self.writer.rows
        return row

    def counted(self, outcome: str) -> float | None:
        """Return how many calls ended so."""
        return self.metrics.registry.get_sample_value(
            "tollbridge_requests_total", {"surface": "chat", "outcome": outcome}
        )

    async def close(self) -> None:
        """End what still runs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.ledger.stop()
        await self.client.close()


@asynccontextmanager
async def open_floor(
    *, money: int = MONEY, limit: int = 0, **settings: Any
) -> AsyncIterator[Floor]:
    """Yield a relay; `settings` are those of the process."""
    vendor = FakeUpstream()
    floor = Floor(vendor, await vendor.start(), money, limit, **settings)
    try:
        yield floor
    finally:
        await floor.close()
        await vendor.stop()
