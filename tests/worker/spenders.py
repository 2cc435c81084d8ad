"""Owns users, keys and purses under a clock of its own, moved as the money writers move them."""

from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tests.identity.rows import key_columns, user_columns
from tests.storage.books import row
from tests.storage.rollup_oracle import tid_at
from tollbridge.billing.budgets import move_budget
from tollbridge.billing.limits import move_limit
from tollbridge.billing.reversals import reverse
from tollbridge.core.clock import first_id
from tollbridge.core.periods import period_at
from tollbridge.storage.ledger_items import USAGE_COLUMNS
from tollbridge.storage.ledger_tables import journal, lot, purse, usage, usage_feed
from tollbridge.storage.query_tables import (
    audit_mark,
    call_index,
    rollup,
    rollup_dirty,
    rollup_floor,
)
from tollbridge.storage.tables import api_keys, users
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.storage.user_alerts import LIMIT_KINDS, forget_marks
from tollbridge.storage.work_tables import job, user_alert

# 2026-03-30, 22:00 UTC, a Monday: a day and a month end soon.
START = 1_774_908_000_000
LOW = 200
USERS = {1: (11, 12), 2: (21, 22)}
OWNER = {key: user for user, keys in USERS.items() for key in keys}
_EMPTIED = (
    usage, usage_feed, journal, lot, purse, api_keys, users, rollup, rollup_dirty, rollup_floor,
    call_index, audit_mark, user_alert, job,
)  # fmt: skip


def wallet_of(user: int) -> int:
    return user * 100


def limit_purse_of(key: int) -> int:
    return key * 1000


def email_of(user: int) -> str:
    return f"u{user}@example.test"


@dataclass
class Spenders:
    """Two users with two keys each. A call's line is written `now`; it may have begun before."""

    engine: AsyncEngine
    now: int = START
    lines: int = 0
    calls: dict[str, int] = field(default_factory=dict)

    async def open(self, balance: int = 1000, **key: Any) -> None:
        """Make all rows anew; `key` are columns of every key."""
        async with working(self.engine) as connection:
            for table in _EMPTIED:
                await connection.execute(delete(table))
            for user, keys in USERS.items():
                await self._purse(connection, wallet_of(user), "wallet", user, balance)
                mine = {"email": email_of(user), "email_norm": email_of(user), "status": "active"}
                await connection.execute(
                    insert(users).values(
                        id=user, created_ms=1, wallet_id=wallet_of(user), **user_columns(**mine)
                    )
                )
                for one in keys:
                    if "limit_nano" in key:
                        purse_id = limit_purse_of(one)
                        await self._purse(connection, purse_id, "key_limit", one, key["limit_nano"])
                        key["limit_purse_id"] = purse_id
                    columns = key_columns(name=f"k{one}", hash=b"%d" % one, last6="", **key)
                    await connection.execute(
                        insert(api_keys).values(id=one, user_id=user, created_ms=1, **columns)
                    )

    async def call(self, key: int, charge: int, began_ms: int | None = None) -> tuple[str, int]:
        """Settle a call that costs at most `charge`, as much as all its purses have."""
        began = self.now if began_ms is None else began_ms
        tid = tid_at(began)
        async with working(self.engine) as connection:
            purses = await self._purses(connection, key, began)
            charge = min(charge, *[left for _, left in purses])
            given = {"user_id": OWNER[key], "key_id": key, "at_ms": began}
            facts = row(tid, wallet_of(OWNER[key]), **given)
            values = dict(zip(USAGE_COLUMNS[:-2], facts, strict=True)) | {"stream": False}
            await connection.execute(insert(usage).values(values | {"charge": charge, "loss": 0}))
            await self._moved(connection, tid, purses, charge, "charge")
        self.calls[tid] = key
        return tid, charge

    async def late(self, tid: str, by: int) -> int:
        """Charge a call more, or less, once; return what it came to."""
        async with working(self.engine) as connection:
            row_ = (await connection.execute(select(usage).where(usage.c.tid == tid))).one()
            purses = await self._purses(connection, row_.key_id, row_.at_ms)
            by = max(min(by, *[left for _, left in purses]), -row_.charge)
            if not by or row_.reversed or row_.flags:
                return 0
            values = {"charge": row_.charge + by, "flags": "late"}
            await connection.execute(update(usage).where(usage.c.tid == tid).values(**values))
            await self._moved(connection, tid, purses, by, "late")
        return by

    async def reverse(self, tid: str) -> int:
        """Give a call back; return how much."""
        async with working(self.engine) as connection:
            charge, back = (
                await connection.execute(
                    select(usage.c.charge, usage.c.reversed).where(usage.c.tid == tid)
                )
            ).one()
            if back or not charge:
                return 0
            await reverse(connection, tid, "a mistake", "test", self.now)
            which = (journal.c.kind == "reversal", journal.c.ref == tid)
            await connection.execute(update(journal).where(*which).values(id=self._line_id()))
        return charge

    async def grant(self, user: int, amount: int) -> None:
        """Credit a wallet."""
        wallet = wallet_of(user)
        async with working(self.engine) as connection:
            await self._change(connection, wallet, amount)
            ref = f"grant {self.lines}"
            await self._line(connection, "promo", f"wallet:{wallet}", amount, "grant", ref)

    async def set_limit(self, key: int, limit: int) -> bool:
        """Change a limit as a configuration file does; tell whether it was raised."""
        async with working(self.engine) as connection:
            row_ = (await connection.execute(select(api_keys).where(api_keys.c.id == key))).one()
            by = limit - row_.limit_nano - row_.limit_excess_nano
            excess = await move_limit(connection, row_.limit_purse_id, by)
            if limit > row_.limit_nano:
                await forget_marks(connection, row_.user_id, key, LIMIT_KINDS)
            values = {"limit_nano": limit, "limit_excess_nano": excess}
            await connection.execute(update(api_keys).where(api_keys.c.id == key).values(**values))
        return bool(limit > row_.limit_nano)

    async def set_key_budget(self, key: int, budget: int, period: str) -> None:
        """Change a key's budget, of the same period."""
        async with working(self.engine) as connection:
            await connection.execute(
                update(api_keys).where(api_keys.c.id == key).values(budget_nano=budget)
            )
            await move_budget(connection, key, budget, period_at(period, self.now))

    async def set_user(self, user: int, **values: Any) -> None:
        """Change columns of a user."""
        async with working(self.engine) as connection:
            await connection.execute(update(users).where(users.c.id == user).values(**values))

    async def mails(self) -> list[Any]:
        """Return what waits in the outbox, in its order."""
        async with reading(self.engine) as connection:
            found = await connection.execute(select(job.c.payload).order_by(job.c.id))
            return [msgspec.json.decode(text) for text in found.scalars()]

    async def marks(self) -> set[tuple[int, int, str, int]]:
        """Return what is marked as told."""
        async with reading(self.engine) as connection:
            columns = [user_alert.c[name] for name in ("user_id", "key_id", "kind", "window_ms")]
            return {tuple(found) for found in await connection.execute(select(*columns))}

    async def _purses(
        self, connection: AsyncConnection, key: int, began: int
    ) -> list[tuple[int, int]]:
        row_ = (await connection.execute(select(api_keys).where(api_keys.c.id == key))).one()
        ids = [wallet_of(row_.user_id)]
        if row_.limit_nano is not None:
            ids.append(row_.limit_purse_id)
        if row_.budget_nano is not None:
            ids.append(await self._budget(connection, row_, began))
        query = select(purse.c.id, purse.c.available).where(purse.c.id.in_(ids))
        return [(one.id, one.available) for one in await connection.execute(query)]

    async def _budget(self, connection: AsyncConnection, key: Any, began: int) -> int:
        start = period_at(key.budget_period, began).start_ms
        which = (purse.c.kind == "key_budget", purse.c.owner_id == key.id)
        query = select(purse.c.id).where(*which, purse.c.period_start == start)
        found = (await connection.execute(query)).scalar_one_or_none()
        if found is None:
            found = key.id * 10**9 + start // 86_400_000
            await self._purse(connection, found, "key_budget", key.id, key.budget_nano, start)
        return int(found)

    async def _moved(
        self,
        connection: AsyncConnection,
        tid: str,
        purses: list[tuple[int, int]],
        charge: int,
        kind: str,
    ) -> None:
        await connection.execute(insert(usage_feed).values(tid=tid))
        wallet = next(f"wallet:{purse_id}" for purse_id, _ in purses if purse_id < 1000)
        sides = (wallet, "revenue") if charge > 0 else ("revenue", wallet)
        if charge:
            await self._line(connection, *sides, abs(charge), kind, tid)
        for purse_id, _ in purses:
            await self._change(connection, purse_id, -charge)

    async def _line(
        self, connection: AsyncConnection, debit: str, credit: str, amount: int, kind: str, ref: str
    ) -> None:
        values = {"id": self._line_id(), "at_ms": self.now, "debit": debit, "credit": credit}
        await connection.execute(
            insert(journal).values(**values, amount=amount, kind=kind, ref=ref)
        )

    def _line_id(self) -> int:
        self.lines += 1
        return first_id(self.now) + self.lines

    async def _purse(
        self, connection: AsyncConnection, purse_id: int, kind: str, owner: int, amount: int,
        start: int = 0,
    ) -> None:  # fmt: skip
        await connection.execute(
            insert(purse).values(
                id=purse_id, kind=kind, owner_id=owner, period_start=start, available=amount,
                held=0, granted=amount,
            )
        )  # fmt: skip

    async def _change(self, connection: AsyncConnection, purse_id: int, by: int) -> None:
        await connection.execute(
            update(purse).where(purse.c.id == purse_id).values(available=purse.c.available + by)
        )
