"""Owns a user with a wallet, a key with a limit and a budget, and calls of any day, on either engine."""

from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sqlalchemy import delete, insert, select, update

from tests.identity.rows import key_columns, user_columns
from tests.storage.books import row
from tests.storage.rollup_oracle import catch_up, tid_at
from tollbridge.billing.budgets import open_budget
from tollbridge.billing.grants import grant, open_wallet
from tollbridge.billing.limits import open_limit
from tollbridge.billing.lots import attribute, expire
from tollbridge.billing.reversals import reverse
from tollbridge.core.clock import new_id
from tollbridge.core.periods import period_at
from tollbridge.identity.keys import KeyRecord
from tollbridge.storage import account_tables, ledger_tables, query_tables, tables
from tollbridge.storage.ledger_items import USAGE_COLUMNS
from tollbridge.storage.ledger_tables import journal, lot, lot_use, purse, usage, usage_feed
from tollbridge.storage.rollups import begin
from tollbridge.storage.tables import api_keys, users
from tollbridge.storage.unit_of_work import reading, working

DAY_MS = 86_400_000
TODAY = 20_000 * DAY_MS
USER, KEY = 5, 6
_EMPTIED = (
    usage, usage_feed, journal, lot, lot_use, purse, api_keys, users, query_tables.rollup,
    query_tables.rollup_dirty, query_tables.rollup_floor, query_tables.call_index,
    query_tables.audit_mark, query_tables.audit_sum,
)  # fmt: skip
_LOADED = (account_tables, ledger_tables, tables)


@dataclass
class Till:
    """The user's purses; `tids` are all calls in their order."""

    engine: object
    wallet: int = 0
    limit: int = 0
    budget: int = 0
    tids: list[str] = field(default_factory=list)

    async def open(self, credit=1000, limit=500, budget=400, at_ms=TODAY):
        """Make all rows anew."""
        async with working(self.engine) as connection:
            for table in _EMPTIED:
                await connection.execute(delete(table))
            self.wallet = await open_wallet(connection, USER)
            self.limit = await open_limit(connection, KEY, limit)
            user = user_columns(email="a@b.c", email_norm="a@b.c", status="active")
            await connection.execute(
                insert(users).values(id=USER, created_ms=1, wallet_id=self.wallet, **user)
            )
            await connection.execute(
                insert(api_keys).values(
                    id=KEY, user_id=USER, hash=b"h", last6="", created_ms=1, limit_nano=limit,
                    limit_purse_id=self.limit, budget_nano=budget, budget_period="day",
                    **key_columns(),
                )
            )  # fmt: skip
            start_ms = period_at("day", at_ms).start_ms
            record = KeyRecord.__new__(KeyRecord)
            for name, value in (
                ("id", KEY), ("budget_nano", budget), ("budget_period", "day")
            ):  # fmt: skip
                object.__setattr__(record, name, value)
            self.budget = await open_budget(connection, record, start_ms)
            if credit:
                await grant(connection, self.wallet, credit, "opening", at_ms - 90 * DAY_MS)
        await begin(self.engine, at_ms)

    async def grant(self, amount, at_ms, expires_ms=None):
        """Credit the wallet."""
        async with working(self.engine) as connection:
            await grant(
                connection, self.wallet, amount, str(new_id()), at_ms, expires_ms=expires_ms
            )

    async def call(self, charge, at_ms=TODAY, *, loss=0, guarded=True, **values):
        """Settle a call of a moment; return its tid. The wallet pays what it can."""
        tid = tid_at(at_ms)
        async with working(self.engine) as connection:
            charge = min(charge, await self._free(connection))
            given = {"user_id": USER, "key_id": KEY, "at_ms": at_ms, **values}
            facts = dict(zip(USAGE_COLUMNS[:-2], row(tid, self.wallet, **given), strict=True))
            await connection.execute(insert(usage).values(facts | {"charge": charge, "loss": loss}))
            await connection.execute(insert(usage_feed).values(tid=tid))
            await self._move(connection, charge, "charge", tid)
            await self._line(connection, "operator_loss", loss, "loss", tid)
            if guarded:
                for guard in (self.limit, self.budget):
                    left = select(purse.c.available).where(purse.c.id == guard)
                    spent = min(charge, (await connection.execute(left)).scalar_one())
                    await self._change(connection, guard, -spent)
        self.tids.append(tid)
        return tid

    async def correct(self, tid, by):
        """Charge a call more or less, as a late settle does."""
        async with working(self.engine) as connection:
            query = select(usage.c.charge, usage.c.reversed, usage.c.flags)
            charge, back, flags = (await connection.execute(query.where(usage.c.tid == tid))).one()
            by = min(max(by, back - charge), await self._free(connection))
            if by and "late" not in flags:
                await connection.execute(
                    update(usage).where(usage.c.tid == tid)
                    .values(charge=charge + by, flags=f"{flags},late")
                )  # fmt: skip
                await connection.execute(insert(usage_feed).values(tid=tid))
                await self._move(connection, by, "late", tid)

    async def charged(self, tid):
        """Return what a call is charged now; a correction may have left nothing."""
        return (await self.rows(select(usage.c.charge).where(usage.c.tid == tid)))[0][0]

    async def reverse(self, tid, at_ms=TODAY, **options):
        """Give a call back."""
        async with working(self.engine) as connection:
            return await reverse(connection, tid, "a mistake", "test", at_ms, **options)

    async def attribute(self, at_ms=TODAY):
        """Bring the lots up to date."""
        async with working(self.engine) as connection:
            return await attribute(connection, self.wallet, at_ms)

    async def expire(self, at_ms=TODAY):
        """Take back what ended."""
        async with working(self.engine) as connection:
            return await expire(connection, self.wallet, at_ms)

    async def count(self):
        """Let the worker make index and roll-ups."""
        await catch_up(self.engine)

    async def available(self, purse_id=None):
        """Return what a purse has, the wallet unless named."""
        query = select(purse.c.available).where(purse.c.id == (purse_id or self.wallet))
        return (await self.rows(query))[0][0]

    async def lots(self):
        """Return (origin, amount, remaining) of all lots, those first that are spent first."""
        order = (lot.c.expires_ms.is_(None), lot.c.expires_ms, lot.c.created_ms, lot.c.id)
        query = select(lot.c.origin, lot.c.amount, lot.c.remaining).order_by(*order)
        return await self.rows(query)

    async def used(self):
        """Return what was spent of all lots by day."""
        query = select(lot_use.c.day_ms, lot_use.c.amount).where(lot_use.c.amount > 0)
        found = {}
        for day, amount in await self.rows(query):
            found[day] = found.get(day, 0) + amount
        return found

    async def rows(self, query):
        """Read anything."""
        async with reading(self.engine) as connection:
            return [tuple(found) for found in await connection.execute(query)]

    async def _free(self, connection):
        query = select(purse.c.available - purse.c.held).where(purse.c.id == self.wallet)
        return (await connection.execute(query)).scalar_one()

    async def _move(self, connection, amount, kind, ref):
        await self._change(connection, self.wallet, -amount)
        await self._line(connection, f"wallet:{self.wallet}", amount, kind, ref)

    async def _line(self, connection, account, amount, kind, ref):
        if amount:
            debit, credit = (account, "revenue") if amount > 0 else ("revenue", account)
            await connection.execute(
                insert(journal).values(
                    id=new_id(), at_ms=TODAY, debit=debit, credit=credit, amount=abs(amount),
                    kind=kind, ref=ref,
                )
            )  # fmt: skip

    async def _change(self, connection, purse_id, by):
        await connection.execute(
            update(purse).where(purse.c.id == purse_id).values(available=purse.c.available + by)
        )


@asynccontextmanager
async def till(engine, **purses):
    """Yield a till with fresh rows."""
    made = Till(engine)
    await made.open(**purses)
    yield made
