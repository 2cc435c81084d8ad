"""Owns monthly statements: what a wallet began with, what came and went, and what was left.

A call is on the statement of the month in which it began, as it is in statistics, whenever it was
settled; everything else is dated as the journal has it. So opening + credits - debits - charges is
closing to the last nano-dollar, and closing is the next month's opening. Charges come from the
roll-ups, all else from the journal. Must not know how a statement is written.
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.billing.statistics import Unanswerable, not_kept_text
from tollbridge.core import zones
from tollbridge.core.clock import tid_ms
from tollbridge.core.zones import Span, zone_of
from tollbridge.storage.journal_reads import (
    WalletLine,
    groups_of_calls,
    running_calls,
    wallet_lines,
)
from tollbridge.storage.ledger_audit import REVERSAL_KIND
from tollbridge.storage.rollup_cover import Kept, NotKept, Piece, read_kept
from tollbridge.storage.rollup_reads import read_charges, read_names
from tollbridge.storage.tables import users

_MONTH = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])", re.ASCII)
_BY = ("channel_id", "model")
_GONE = (0, "")
"""The channel and model of a reversed call whose row is not kept any more."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whose statement it is."""

    user_id: int
    email: str
    wallet_id: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What came (`amount` above zero) or went besides charges of calls, in nano-dollars."""

    at_ms: int
    kind: str
    ref: str
    amount: int


@dataclass(frozen=True, slots=True)
class DayCharges:
    """What the calls of a day were charged, before anything was given back."""

    day: str
    calls: int
    charge: int


@dataclass(frozen=True, slots=True)
class ModelCharges:
    """What the calls of the month to a model through a channel were charged, likewise.

    `channel` is None for one that is not there any more.
    """

    model: str
    channel_id: int
    channel: str | None
    calls: int
    charge: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One month of a wallet; amounts are nano-dollars.

    It may still change while not `is_final`: calls that began in it run, or are not added up yet.
    All that had ended and began before `complete_until_ms` are in it.
    """

    account: Account
    month: str
    zone: str
    span: Span
    opening: int
    entries: Sequence[Entry]
    days: Sequence[DayCharges]
    models: Sequence[ModelCharges]
    is_final: bool
    complete_until_ms: int

    @property
    def credited(self) -> int:
        """What came."""
        return sum(entry.amount for entry in self.entries if entry.amount > 0)

    @property
    def debited(self) -> int:
        """What went besides charges of calls."""
        return -sum(entry.amount for entry in self.entries if entry.amount < 0)

    @property
    def charged(self) -> int:
        """What calls were charged."""
        return sum(day.charge for day in self.days)

    @property
    def closing(self) -> int:
        """What was left."""
        return self.opening + self.credited - self.debited - self.charged


@dataclass(slots=True)
class _Charges:
    """What calls were charged: before the month, and in it by day and by channel and model."""

    before: int
    by_day: Counter[int]
    day_calls: Counter[int]
    by_model: Counter[tuple[int, str]]
    model_calls: Counter[tuple[int, str]]


def month_of(text: str, zone: str, now_ms: int) -> Span:
    """Return the month that a text like 2026-03 names in a zone; Unanswerable for what is none."""
    try:
        place = zone_of(zone)
    except ValueError as error:
        raise Unanswerable("zone", str(error)) from None
    match = _MONTH.fullmatch(text)
    if match is None:
        raise Unanswerable("month", "a month is written like 2026-03, from 2000-01 to 2099-12")
    span = zones.month(place, int(match[1]), int(match[2]))
    if span.start_ms > now_ms:
        raise Unanswerable("month", "this month has not begun")
    return span


async def find_account(connection: AsyncConnection, user_id: int) -> Account | None:
    """Return whose statement that of a user is, None when there is no such user."""
    query = select(users.c.id, users.c.email, users.c.wallet_id).where(users.c.id == user_id)
    row = (await connection.execute(query)).one_or_none()
    return Account(*row) if row else None


async def read_statement(
    connection: AsyncConnection, account: Account, month: str, zone: str, now_ms: int
) -> Statement:
    """Return a month's statement; Unanswerable where there is none, or no figures so small any more."""
    span = month_of(month, zone, now_ms)
    kept = await read_kept(connection, now_ms)
    days = _days(zone, span)
    lines = await wallet_lines(connection, account.wallet_id)
    charges = await _charges(connection, account, kept, days)
    await _give_back(connection, charges, lines, days)
    before = sum(line.amount for line in lines if line.at_ms < span.start_ms)
    running = await running_calls(connection, account.wallet_id, span.end_ms)
    names = await read_names(connection, "channel_id", {which[0] for which in charges.by_model})
    return Statement(
        account=account,
        month=month,
        zone=zone,
        span=span,
        opening=before - charges.before,
        entries=_entries(lines, span),
        days=[
            DayCharges(day.day.isoformat(), charges.day_calls[at], charges.by_day[at])
            for at, day in enumerate(days)
            if charges.day_calls[at] or charges.by_day[at]
        ],
        models=_models(charges, names),
        is_final=not running and kept.complete_until_ms >= span.end_ms,
        complete_until_ms=kept.complete_until_ms,
    )


def _days(zone: str, span: Span) -> list[Span]:
    return list(zones.days(zone_of(zone), span.day, zones.next_month(span.day.replace(day=1))))


def _entries(lines: Iterable[WalletLine], span: Span) -> list[Entry]:
    return [
        Entry(line.at_ms, line.kind, line.ref, line.amount)
        for line in lines
        if span.start_ms <= line.at_ms < span.end_ms
    ]


async def _charges(
    connection: AsyncConnection, account: Account, kept: Kept, days: Sequence[Span]
) -> _Charges:
    """Add up what calls were charged, net of what was given back."""
    mine: dict[str, int | str] = {"user_id": account.user_id}
    earlier = [(0, piece) for piece in _pieces(kept, 0, days[0].start_ms)]
    before = sum(row[3] for row in await read_charges(connection, earlier, (), mine))
    charges = _Charges(before, Counter(), Counter(), Counter(), Counter())
    these = [
        (at, piece)
        for at, day in enumerate(days)
        for piece in _pieces(kept, day.start_ms, day.end_ms)
    ]
    for at, _, calls, charge in await read_charges(connection, these, (), mine):
        charges.by_day[at] += charge
        charges.day_calls[at] += calls
    # The month as a whole is made of larger slots: models are many, so their rows should be few.
    whole = [(0, piece) for piece in _pieces(kept, days[0].start_ms, days[-1].end_ms)]
    for _, group, calls, charge in await read_charges(connection, whole, _BY, mine):
        charges.by_model[group] += charge
        charges.model_calls[group] += calls
    return charges


def _pieces(kept: Kept, start_ms: int, end_ms: int) -> list[Piece]:
    try:
        return kept.pieces(start_ms, end_ms)
    except NotKept as lost:
        raise Unanswerable("zone", not_kept_text(lost)) from None


async def _give_back(
    connection: AsyncConnection,
    charges: _Charges,
    lines: Iterable[WalletLine],
    days: Sequence[Span],
) -> None:
    """Make charges gross: what was given back, whenever that was, has lines of its own."""
    reversed_calls = {line.ref: line.amount for line in lines if line.kind == REVERSAL_KIND}
    start_ms, end_ms = days[0].start_ms, days[-1].end_ms
    charges.before += sum(
        amount for tid, amount in reversed_calls.items() if tid_ms(tid) < start_ms
    )
    mine = {tid: at for tid in reversed_calls if start_ms <= (at := tid_ms(tid)) < end_ms}
    groups = await groups_of_calls(connection, mine)
    starts = [day.start_ms for day in days]
    for tid, at_ms in mine.items():
        charges.by_day[bisect_right(starts, at_ms) - 1] += reversed_calls[tid]
        charges.by_model[groups.get(tid, _GONE)] += reversed_calls[tid]


def _models(charges: _Charges, names: Mapping[int, str]) -> list[ModelCharges]:
    """Return the charges by model and channel, the most expensive first."""
    rows = [
        ModelCharges(model, channel, names.get(channel), charges.model_calls[which], charge)
        for which, charge in charges.by_model.items()
        for channel, model in (which,)
    ]
    return sorted(rows, key=lambda row: (-row.charge, row.model, row.channel_id))
