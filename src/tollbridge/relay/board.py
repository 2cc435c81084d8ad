"""Owns telling other processes what this one holds against accounts, and learning it from them.

One task looks once a second and writes what changed, so calls never wait for it. At start it takes
over what lasts, so that a restart does not storm an account that is limited for hours; and what a
dead node knew, when its rows are cleared away. Must not know what a failure means.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.catalog.snapshot import Account
from tollbridge.core.telemetry import get_logger
from tollbridge.relay.effects import LIMIT_S, Trouble
from tollbridge.relay.health import Health, Standing, identity_of
from tollbridge.storage import account_troubles
from tollbridge.storage.account_troubles import Held, Key
from tollbridge.storage.engine import DATABASE_ERRORS
from tollbridge.storage.unit_of_work import reading, working

LOOK_S: Final = 1.0
TAKEN_OVER: Final = frozenset({Trouble.RATE_LIMITED, Trouble.QUARANTINED, Trouble.MODEL_BLOCKED})
"""What lasts: breakers and what passes in seconds every process finds out for itself."""

_SWEEP_S: Final = 30.0
# Under wildcards there can be any number of model names; nobody reads more than this.
_ROWS_MAX: Final = 1_000
_MODEL_MAX: Final = 256
_log = get_logger(__name__)


class Board:
    """Writes and reads the rows of one node; `open` it inside the loop, `stop` it at the end."""

    def __init__(
        self,
        engine: AsyncEngine,
        node_id: int,
        health: Health,
        clock: Callable[[], float],
        mark: Callable[[str], bytes],
        *,
        look_s: float = LOOK_S,
        sweep_s: float = _SWEEP_S,
    ) -> None:
        """`clock` is the health's. `mark` stands for a text and tells nothing of it."""
        self._engine = engine
        self._node_id = node_id
        self._health = health
        self._clock = clock
        self._mark = mark
        self._look_s = look_s
        self._sweep_s = sweep_s
        self._accounts: dict[int, Account] = {}
        self._revision = -1
        self._written: dict[Key, Standing] = {}
        self._first_end_s = float("inf")
        self._swept_s = 0.0
        self._trouble = ""
        self._takes_over = True
        self._task: asyncio.Task[None] | None = None

    def adopt(self, accounts: Iterable[Account]) -> None:
        """The catalogue changed."""
        self._accounts = {one.id: one for one in accounts}
        self._health.adopt(self._accounts.values())

    async def open(self, *, takes_over: bool = True) -> None:
        """Take over what is still in force, unless nothing is to be held, and begin to write.

        A database that cannot be asked now is no reason not to serve.
        """
        self._takes_over = takes_over
        try:
            async with reading(self._engine) as connection:
                found = await account_troubles.held_by_anybody(connection, TAKEN_OVER)
                self._take_over(found, await account_troubles.database_ms(connection))
        except DATABASE_ERRORS as error:
            self._report(type(error).__name__)
        # The rows of its own last life are nothing that it has written.
        self._doubt()
        self._task = asyncio.create_task(self._keep(), name="account board")

    async def stop(self) -> None:
        """Write what changed last and end."""
        if self._task is None:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._task = None
        with contextlib.suppress(*DATABASE_ERRORS):
            await self.look()

    async def look(self) -> None:
        """Write what changed since the last time; nothing is asked while nothing did."""
        now_s = self._clock()
        if now_s - self._swept_s >= self._sweep_s:
            await self._sweep()
            self._swept_s = now_s
        revision = self._health.revision
        if revision == self._revision and now_s < self._first_end_s:
            return
        await self._write(self._held(), now_s)
        self._revision = revision

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._look_s)
            try:
                await self.look()
            except DATABASE_ERRORS as error:
                # Whether it was written is not known.
                self._doubt()
                self._report(type(error).__name__)
            else:
                self._report("")

    def _held(self) -> dict[Key, Standing]:
        standings = sorted(self._health.every_standing(), key=lambda one: -one.until_s)
        storable = (one for one in standings if one.model.isprintable())
        keyed = {
            (one.account.id, one.model[:_MODEL_MAX], one.trouble.value): one for one in storable
        }
        return dict([*keyed.items()][:_ROWS_MAX])

    async def _write(self, held: dict[Key, Standing], now_s: float) -> None:
        before = self._written
        gone = [key for key in before if key not in held]
        new = {key: one for key, one in held.items() if before.get(key) != one}
        whole = self._revision == -1
        if gone or new or whole:
            async with working(self._engine) as connection:
                if whole:
                    await account_troubles.clear_troubles(connection, self._node_id)
                now_ms = await account_troubles.database_ms(connection)
                rows = [self._row(key, one, now_ms, now_s) for key, one in new.items()]
                await account_troubles.write_troubles(connection, self._node_id, gone, rows)
        self._written = held
        ends = (one.until_s for one in held.values() if one.trouble is not Trouble.FAILING)
        self._first_end_s = min(ends, default=float("inf"))

    async def _sweep(self) -> None:
        """Inherit from nodes that died, and see whether our own rows are what we wrote."""
        async with reading(self._engine) as connection:
            ours = await account_troubles.keys_of(connection, self._node_id)
            dead = await account_troubles.any_of_the_dead(connection)
        if ours != self._written.keys():
            # We were taken for dead, or an operator took rows away.
            self._doubt()
        if dead:
            async with working(self._engine) as connection:
                found = await account_troubles.held_by_anybody(connection, TAKEN_OVER, dead=True)
                now_ms = await account_troubles.database_ms(connection)
                await account_troubles.clear_the_dead(connection)
            self._take_over(found, now_ms)

    def _take_over(self, found: Iterable[Held], now_ms: int) -> None:
        now_s = self._clock()
        for held in found if self._takes_over else ():
            account = self._accounts.get(held.account_id)
            lasts_s = (held.until_ms - held.since_ms) / 1000
            if account is None or held.mark != self._mark_of(account) or lasts_s <= LIMIT_S:
                continue
            until_s = now_s + (held.until_ms - now_ms) / 1000
            since_s = now_s - (now_ms - held.since_ms) / 1000
            trouble = Trouble(held.trouble)
            self._health.take_over(
                Standing(
                    account,
                    trouble,
                    held.model,
                    until_s,
                    held.reason,
                    transient=False,
                    since_s=since_s,
                )
            )

    def _row(self, key: Key, standing: Standing, now_ms: int, now_s: float) -> Held:
        since_ms = now_ms + round((standing.since_s - now_s) * 1000)
        # Down: what is taken over must not last longer than its cause.
        until_ms = now_ms + int((standing.until_s - now_s) * 1000)
        mark = self._mark_of(standing.account)
        return Held(*key, standing.reason, mark, since_ms, until_ms)

    def _mark_of(self, account: Account) -> str:
        return self._mark(repr(identity_of(account))).hex()[:16]

    def _doubt(self) -> None:
        """Write all of it anew next time."""
        self._written, self._revision = {}, -1

    def _report(self, trouble: str) -> None:
        """Log the beginning and the end of trouble, not each look in it."""
        if trouble == self._trouble:
            return
        if trouble:
            _log.warning("states of accounts not written", fault=trouble)
        else:
            _log.info("states of accounts written again")
        self._trouble = trouble
