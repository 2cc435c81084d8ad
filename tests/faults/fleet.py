"""Owns a fleet for tests: several real gateways on one PostgreSQL and one Redis, and a vendor.

Each gateway reaches the database through a proxy of its own. The test looks at the database past
the proxies. Everything ends with the test; only what was started here is ended.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from tests.faults.member import START_S, Member
from tests.faults.proxy import Proxy
from tests.services import nursery, postgres, redis
from tollbridge.billing.verify import verify
from tollbridge.demo.fake_upstream import FakeUpstream
from tollbridge.storage.engine import open_engine

BEAT_S, DEAD_S, GRACE_S = 0.25, 1.75, 6.0
QUICK = {
    "NODE_BEAT_S": str(BEAT_S),
    "NODE_DEAD_S": str(DEAD_S),
    "WRITER_DEADLINE_S": "2",
    "SETTLE_GRACE_S": str(GRACE_S),
    "HEARTBEAT_S": "0.5",
    "SHUTDOWN_GRACE_S": "15",
}
SETTLE_S = 60.0
_NAME = "fleet"
_ORPHANED = """
SELECT count(*) FROM hold h WHERE NOT EXISTS (
  SELECT 1 FROM node n WHERE n.id = h.node_id AND n.epoch = h.epoch AND NOT n.dead)
"""


class Database(postgres.Server):
    """A PostgreSQL that can be ended and started again on the same port and folder."""

    def halt(self, *, immediate: bool) -> None:
        """End it: at once and with a crash recovery to come, or in order with sessions cut."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT if immediate else signal.SIGINT)
        self._process.wait(30)
        self._process = None

    def resume(self) -> None:
        """Start it again."""
        deadline = time.monotonic() + START_S
        while not self._serve():
            assert time.monotonic() < deadline, self._log.read_text()[-2000:]

    @property
    def url(self) -> str:
        """The fleet's database, past every proxy."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{_NAME}"


class Fleet:
    """The gateways (`members`) and all they need."""

    def __init__(
        self, folder: Path, database: Database, cache: redis.Server, environ: Mapping[str, str]
    ) -> None:
        self.folder = folder
        self.database = database
        self.redis = cache
        self.vendor = FakeUpstream()
        self.vendor_url = ""
        self.members: list[Member] = []
        self.noise: list[str] = []
        self.database_lock = asyncio.Lock()
        self.redis_lock = asyncio.Lock()
        self._environ = {f"TOLLBRIDGE_{name}": value for name, value in environ.items()}
        # Limits are to be seen at once; tests/relay/test_queue.py waits.
        self._environ.setdefault("TOLLBRIDGE_QUEUE_WAIT_S", "0")
        self._environ["TOLLBRIDGE_KEY_FILE"] = str(folder / "tollbridge.keys")
        self._environ["TOLLBRIDGE_REDIS_URL"] = cache.url

    async def open(self, count: int, catalogue: Callable[[str], str]) -> None:
        """Make the database, apply what `catalogue(vendor's URL)` returns, and serve."""
        self.vendor_url = await self.vendor.start()
        await asyncio.to_thread(self.database.execute, f"CREATE DATABASE {_NAME}")
        # What crashes here is a process and never the machine, so the system keeps what is written.
        durable = f"ALTER DATABASE {_NAME} SET synchronous_commit = on"
        await asyncio.to_thread(self.database.execute, durable)
        await self.apply(catalogue(self.vendor_url))
        for number in range(count):
            await self.add(f"gateway-{number + 1}")

    async def add(self, name: str, environ: Mapping[str, str] | None = None) -> Member:
        """Add a gateway and wait until it serves."""
        proxy = Proxy(self.database.port)
        await proxy.start()
        url = f"postgresql://postgres@127.0.0.1:{proxy.port}/{_NAME}"
        own = {f"TOLLBRIDGE_{key}": value for key, value in (environ or {}).items()}
        settings = {**self._environ, "TOLLBRIDGE_DATABASE": url, **own}
        member = Member(name, self.folder, proxy, settings)
        self.members.append(member)
        await member.start_ready()
        return member

    async def close(self) -> None:
        """End the gateways and the vendor; the servers are ended by who made them."""
        for member in self.members:
            member.send(signal.SIGCONT)
            await asyncio.to_thread(member.end)
            await member.proxy.stop()
        await self.vendor.stop()

    async def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a `tollbridge` command on the database to its end."""
        environ = {**os.environ, **self._environ, "TOLLBRIDGE_DATABASE": self.database.url}
        return await asyncio.to_thread(nursery.run, words, environ)

    async def apply(self, text: str, *flags: str) -> None:
        """Apply a configuration; fails the test when it is refused."""
        file = self.folder / "config.toml"
        file.write_text(text, encoding="utf-8")
        done = await self.run("apply", str(file), *flags)
        assert done.returncode == 0, done.stderr

    async def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Ask the database directly."""
        connection = await asyncpg.connect(self.database.url)
        try:
            return [dict(row) for row in await connection.fetch(query, *values)]
        finally:
            await connection.close()

    async def count(self, query: str, *values: Any) -> int:
        """Return the only value of a query."""
        (row,) = await self.rows(query, *values)
        return int(next(iter(row.values())))

    async def findings(self, *, full: bool = False) -> list[str]:
        """Return what breaks an invariant, asked as `tollbridge ledger verify` asks."""
        engine = open_engine(self.database.url)
        try:
            return [str(one) for one in await verify(engine, full=full) if one.fatal]
        finally:
            await engine.dispose()

    async def restart_database(self, down_s: float, *, immediate: bool) -> None:
        """End PostgreSQL and start it again after a while."""
        async with self.database_lock:
            await asyncio.to_thread(lambda: self.database.halt(immediate=immediate))
            await asyncio.sleep(down_s)
            await asyncio.to_thread(self.database.resume)

    async def until(
        self, true: Callable[[], Awaitable[object]], what: str, seconds: float = SETTLE_S
    ) -> None:
        """Wait until something is true; fails the test after a while, with the logs' ends."""
        deadline = time.monotonic() + seconds
        while not await true():
            if time.monotonic() > deadline:
                logs = "\n".join(f"{one.name}:\n{one.tail()}" for one in self.members)
                raise AssertionError(f"never came: {what}\n{self.noise}\n{logs}")
            await asyncio.sleep(0.05)

    async def whole(self) -> bool:
        """Whether every gateway takes calls and nothing of a dead epoch stands."""
        if not all(await asyncio.gather(*(member.ready() for member in self.members))):
            return False
        if await self.count("SELECT count(*) FROM node WHERE NOT dead") != len(self.members):
            return False
        return await self.count(_ORPHANED) == 0

    async def quiet(self) -> bool:
        """Whether no call runs and nothing waits to be written; `noise` is what does."""
        self.noise = [
            f"hold {row}"
            for row in await self.rows(
                "SELECT h.tid, h.amount, h.covered, h.node_id, h.epoch, n.epoch AS now, n.dead,"
                " u.end_state FROM hold h LEFT JOIN node n ON n.id = h.node_id"
                " LEFT JOIN usage u ON u.tid = h.tid"
            )
        ]
        for name in ("tollbridge_queue_depth", "tollbridge_streams_open", "tollbridge_holds_open"):
            for member in self.members:
                if figure := await member.figure(name):
                    self.noise.append(f"{member.name}: {name} {figure}")
        return not self.noise

    async def settled(self) -> None:
        """Wait until all is whole and quiet (money.md, "Death and time": within a minute)."""
        await self.until(self.whole, "every gateway ready, no hold of a dead epoch")
        await self.until(self.quiet, "no hold, nothing queued")


@asynccontextmanager
async def fleet(
    folder: Path,
    catalogue: Callable[[str], str],
    count: int = 3,
    environ: Mapping[str, str] | None = None,
) -> AsyncIterator[Fleet]:
    """Run `count` gateways until the end of the block."""
    database, cache = Database(), redis.Server()
    one: Fleet | None = None
    try:
        await asyncio.to_thread(database.start)
        await asyncio.to_thread(cache.start)
        one = Fleet(folder, database, cache, {**QUICK, **(environ or {})})
        await one.open(count, catalogue)
        yield one
    finally:
        if one is not None:
            await one.close()
        cache.remove()
        await asyncio.to_thread(database.stop)


@asynccontextmanager
async def fleet_in_a_folder(catalogue: Callable[[str], str], count: int) -> AsyncIterator[Fleet]:
    """Run a fleet outside a test; its folder goes with it."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fleet-")))
        async with fleet(folder, catalogue, count) as one:
            yield one
