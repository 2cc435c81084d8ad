"""Proof that statements are exact: against the journal, from month to month, in every zone."""

from datetime import UTC, datetime
from itertools import count, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.services.control_plane import database_url, engine
from tests.storage.rollup_oracle import call, catch_up
from tests.storage.usage_writer import feed, recharge
from tollbridge.billing.statements import (
    Account,
    Statement,
    find_account,
    month_of,
    read_statement,
)
from tollbridge.billing.statistics import Unanswerable
from tollbridge.core.clock import new_id, tid_ms
from tollbridge.identity.users import add_user
from tollbridge.storage.call_index import index_chunk
from tollbridge.storage.ledger_tables import hold, journal, usage, usage_feed
from tollbridge.storage.query_tables import (
    rollup,
    rollup_dirty,
    rollup_floor,
    rollup_view,
    rollup_view_floor,
)
from tollbridge.storage.rollup_filling import fill_views
from tollbridge.storage.rollups import begin
from tollbridge.storage.unit_of_work import reading, working, writing

__all__ = ["database_url", "engine"]

MINE = Account(5, "ada@example.com", 77)
_DAY_MS = 86_400_000
NOW = int(datetime(2026, 5, 20, tzinfo=UTC).timestamp()) * 1000
MONTHS = ("2026-02", "2026-03", "2026-04", "2026-05")
ZONES = ("UTC", "Europe/Berlin", "America/New_York")
_refs = count()


def ms(*parts: int, zone: str = "UTC") -> int:
    return int(datetime(*parts, tzinfo=ZoneInfo(zone)).timestamp()) * 1000


# The ends of months and of days, in each zone, this side and that.
MOMENTS = [
    ms(2026, month, day, zone=zone) + beside
    for month, day in ((2, 1), (3, 1), (3, 29), (3, 30), (4, 1), (5, 1), (5, 19))
    for zone in ZONES
    for beside in (-3_600_000, -1, 0, 7_200_000)
]
_AT = st.sampled_from(MOMENTS)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("credit"), _AT, st.sampled_from(["grant", "order", "new-kind"])),
        st.tuples(st.just("debit"), _AT, st.sampled_from(["expiry", "refund"])),
        st.tuples(st.just("call"), _AT, st.integers(0, 3), st.sampled_from("ab")),
        st.tuples(st.just("stranger"), _AT),
        st.tuples(st.just("late"), st.integers(0, 9)),
        st.tuples(st.just("return_"), st.integers(0, 9)),
        st.tuples(st.just("reverse"), st.integers(0, 9), _AT),
        st.tuples(st.just("work")),
    ),
    max_size=20,
)


class Books:
    """Writes calls and other lines as the product does, at moments of the past."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.charges: dict[str, int] = {}

    async def line(
        self, at_ms: int, kind: str, amount: int, ref: str = "", wallet: int = 77
    ) -> None:
        """Write a line; an amount below zero goes from the wallet."""
        sides = ("promo", f"wallet:{wallet}")[:: 1 if amount > 0 else -1]
        values = {
            "id": new_id(), "at_ms": at_ms, "debit": sides[0], "credit": sides[1], "kind": kind,
            "amount": abs(amount), "ref": ref or f"ref-{next(_refs)}", "currency": "USD",
        }  # fmt: skip
        async with working(self.engine) as connection:
            await connection.execute(insert(journal).values(values))

    async def credit(self, at_ms: int, kind: str) -> None:
        await self.line(at_ms, kind, 1_000_000_000_003)

    async def debit(self, at_ms: int, kind: str) -> None:
        await self.line(at_ms, kind, -7_000_000_001)

    async def call(self, at_ms: int, charge: int, model: str) -> None:
        tid = await call(self.engine, at_ms, user_id=5, model_asked=model, wallet_id=77)
        await self._charge(tid, charge)
        if charge:
            # Settled later than it began, perhaps in the next month.
            await self.line(at_ms + 5_000, "charge", -charge, tid)

    async def _charge(self, tid: str, charge: int) -> None:
        self.charges[tid] = charge
        async with working(self.engine) as connection:
            await recharge(connection, tid, charge)

    def _tid(self, which: int) -> str | None:
        return sorted(self.charges)[which] if which < len(self.charges) else None

    async def stranger(self, at_ms: int) -> None:
        tid = await call(self.engine, at_ms, user_id=6, wallet_id=78)
        await self.line(at_ms, "charge", -1, tid, wallet=78)
        await self.line(at_ms, "grant", 5, wallet=78)

    async def late(self, which: int) -> None:
        tid = self._tid(which)
        if tid and not await self._has("late", tid):
            await self._charge(tid, self.charges[tid] + 11)
            await self.line(NOW - 1, "late", -11, tid)

    async def return_(self, which: int) -> None:
        tid = self._tid(which)
        taken = self.charges.get(tid or "", 0)
        if tid and taken and not await self._has("return", tid) | await self._has("reversal", tid):
            await self._charge(tid, 0)
            await self.line(NOW - 1, "return", taken, tid)

    async def reverse(self, which: int, at_ms: int) -> None:
        tid = self._tid(which)
        if tid and self.charges[tid] and not await self._has("reversal", tid):
            given = self.charges[tid]
            await self.line(max(at_ms, tid_ms(tid)), "reversal", given, tid)
            async with working(self.engine) as connection:
                this = update(usage).where(usage.c.tid == tid)
                await connection.execute(this.values(reversed=given))
                await feed(connection, [tid])

    async def work(self) -> None:
        await index_chunk(self.engine)

    async def _has(self, kind: str, tid: str) -> bool:
        query = select(journal.c.id).where(journal.c.kind == kind, journal.c.ref == tid)
        async with reading(self.engine) as connection:
            return (await connection.execute(query)).first() is not None


async def fresh(engine: AsyncEngine) -> Books:
    async with working(engine) as connection:
        tables = (usage, usage_feed, journal, hold, rollup, rollup_dirty, rollup_floor)
        for table in (*tables, rollup_view, rollup_view_floor):
            await connection.execute(delete(table))
    await begin(engine, NOW)
    while await fill_views(engine):
        pass
    return Books(engine)


async def statement(engine: AsyncEngine, month: str, zone: str = "UTC") -> Statement:
    async with reading(engine) as connection:
        return await read_statement(connection, MINE, month, zone, NOW)


async def balance_at(engine: AsyncEngine, end_ms: int) -> int:
    """Return the wallet's balance by the journal alone: a call's lines count when it began."""
    async with reading(engine) as connection:
        lines = (await connection.execute(select(journal))).mappings().all()
    total = 0
    for line in lines:
        of_call = line["kind"] in {"charge", "late", "return"}
        if (tid_ms(line["ref"]) if of_call else line["at_ms"]) < end_ms:
            sides = (line["credit"] == "wallet:77") - (line["debit"] == "wallet:77")
            total += sides * line["amount"]
    return total


def adds_up(one: Statement) -> None:
    assert one.opening + one.credited - one.debited - one.charged == one.closing
    assert sum(each.charge for each in one.models) == one.charged
    assert sum(each.calls for each in one.models) == sum(day.calls for day in one.days)
    assert all(one.span.start_ms <= entry.at_ms < one.span.end_ms for entry in one.entries)
    assert all(day.day.startswith(one.month) for day in one.days)


@settings(max_examples=30, suppress_health_check=list(HealthCheck), deadline=None)
@given(steps=_STEPS, zone=st.sampled_from(ZONES))
async def test_any_history_is_exact(engine: AsyncEngine, steps, zone: str):
    books = await fresh(engine)
    for what, *how in steps:
        await getattr(books, what)(*how)
    for month in MONTHS:
        # Days and models are read from other slots and views, and agree whatever is behind.
        adds_up(await statement(engine, month, zone))
    await catch_up(engine)
    months = [await statement(engine, month, zone) for month in MONTHS]
    for one in months:
        adds_up(one)
        assert one.closing == await balance_at(engine, one.span.end_ms)
        assert one.opening == await balance_at(engine, one.span.start_ms)
        assert one.is_final == (one.span.end_ms <= NOW)
    assert all(one.closing == other.opening for one, other in pairwise(months))


async def test_what_is_on_it(engine: AsyncEngine):
    books = await fresh(engine)
    await books.line(ms(2026, 2, 3), "grant", 5_000)
    await books.call(ms(2026, 2, 28), 300, "old")
    await books.line(ms(2026, 3, 2), "order", 10_000, "order-1")
    await books.call(ms(2026, 3, 5), 1_000, "a")
    await books.call(ms(2026, 3, 5), 200, "b")
    await books.call(ms(2026, 3, 31) + _DAY_MS - 1, 50, "a")
    await books.line(ms(2026, 3, 9), "expiry", -70)
    await books.reverse(3, ms(2026, 3, 31))
    await catch_up(engine)
    one = await statement(engine, "2026-03")
    assert (one.opening, one.credited, one.debited, one.charged) == (4_700, 10_050, 70, 1_250)
    assert one.closing == 13_430
    assert [(entry.kind, entry.amount) for entry in one.entries] == [
        ("order", 10_000), ("expiry", -70), ("reversal", 50)
    ]  # fmt: skip
    assert [(day.day, day.calls, day.charge) for day in one.days] == [
        ("2026-03-05", 2, 1_200), ("2026-03-31", 1, 50)
    ]  # fmt: skip
    assert [(row.model, row.calls, row.charge) for row in one.models] == [
        ("a", 2, 1_050), ("b", 1, 200)
    ]  # fmt: skip
    # A reversal of the next month changes nothing of this one.
    await books.reverse(1, ms(2026, 4, 2))
    await catch_up(engine)
    assert await statement(engine, "2026-03") == one
    april = await statement(engine, "2026-04")
    assert (april.opening, april.credited, april.closing) == (13_430, 1_000, 14_430)


async def test_a_reversed_call_whose_row_is_gone(engine: AsyncEngine):
    books = await fresh(engine)
    await books.call(ms(2026, 3, 5), 1_000, "a")
    await catch_up(engine)
    await books.reverse(0, ms(2026, 4, 1))
    await catch_up(engine)
    async with working(engine) as connection:
        await connection.execute(delete(usage))
    one = await statement(engine, "2026-03")
    adds_up(one)
    assert one.charged == 1_000
    assert [(row.model, row.channel_id, row.charge) for row in one.models] == [
        ("", 0, 1_000), ("a", one.models[1].channel_id, 0)
    ]  # fmt: skip


async def test_a_month_is_final_once_all_its_calls_are_added_up(engine: AsyncEngine):
    books = await fresh(engine)
    await books.call(ms(2026, 3, 5), 1_000, "a")
    one = await statement(engine, "2026-03")
    assert not one.is_final
    assert one.complete_until_ms == ms(2026, 3, 5)
    await catch_up(engine)
    assert (await statement(engine, "2026-03")).is_final
    async with working(engine) as connection:
        values = {
            "tid": f"{ms(2026, 3, 31):012x}7{'0' * 19}", "wallet_id": 77, "amount": 1, "covered": 0,
            "node_id": 1, "epoch": 1, "at_ms": 0, "bill": "[]",
        }  # fmt: skip
        await connection.execute(insert(hold).values(values))
    finals = [(await statement(engine, month)).is_final for month in MONTHS]
    assert finals == [True, False, False, False]


async def test_zones_of_which_hours_are_gone(engine: AsyncEngine):
    await fresh(engine)
    assert (await statement(engine, "2024-03")).closing == 0
    with pytest.raises(Unanswerable, match="zone"):
        await statement(engine, "2024-03", "Europe/Berlin")


@pytest.mark.parametrize("month", ["", "2026-13", "2026-3", "1999-12", "2026-06", "2026-03-01"])
def test_what_is_no_month(month: str):
    with pytest.raises(Unanswerable, match="month"):
        month_of(month, "UTC", NOW)


def test_a_month_begins_where_it_is():
    assert month_of("2026-05", "Asia/Kolkata", NOW).start_ms == ms(2026, 5, 1) - 19_800_000
    last = ms(2026, 6, 1) - 1
    with pytest.raises(Unanswerable):
        month_of("2026-06", "UTC", last)
    assert month_of("2026-06", "Europe/Berlin", last)
    with pytest.raises(Unanswerable, match="zone"):
        month_of("2026-05", "Mars", NOW)


async def test_whose_it_is(engine: AsyncEngine):
    more: dict[str, Any] = {
        "role": "user", "group_name": "default", "password_hash": None, "wallet_id": 77,
    }  # fmt: skip
    async with writing(engine) as connection:
        await add_user(connection, 5, "ada@example.com", 1, more)
    async with reading(engine) as connection:
        assert await find_account(connection, 5) == MINE
        assert await find_account(connection, 6) is None
