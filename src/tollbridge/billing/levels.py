"""Owns how far users stand with what they are told about: limits, budgets, and a low balance.

All of it must be read in one state of the database to fit together. Amounts are nano-dollars, times
milliseconds since 1970. Must not know who was told, nor how.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import and_, func, or_, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.billing.stirred import Line, Span, Stirred
from tollbridge.core.periods import Period, period_at
from tollbridge.storage.ledger_tables import purse, usage, usage_feed
from tollbridge.storage.query_tables import call_index, rollup
from tollbridge.storage.rollup_cover import NotKept, Piece, read_kept
from tollbridge.storage.rollup_marks import FIVE_MINUTES, HOUR, first_tid
from tollbridge.storage.tables import api_keys, users

PACE_DAYS: Final = 7
"""How many days tell how long a balance will last."""

_DAY_MS = 86_400_000
_SLOT_MS = FIVE_MINUTES * 1000


@dataclass(frozen=True, slots=True)
class Owner:
    """An active user: where to write to, the balance, and below which it is low (0 = never).

    `language` None: none was chosen.
    """

    user_id: int
    email: str
    wallet_id: int
    available: int
    low: int
    budget: tuple[int, str] | None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """How much of a limit or budget is spent. `key_id` 0 and `name` "" = of all the user's keys.

    `window_ms` tells this window from the next: a budget's period begins then; a limit's window is
    as long as the limit stays what it is, so it is the limit.
    """

    owner: Owner
    what: str
    key_id: int
    name: str
    spent: int
    limit: int
    window_ms: int
    period: str = ""
    ends_ms: int = 0

    def reached(self, percent: int) -> bool:
        """Tell whether so many percent are spent."""
        return self.spent * 100 >= self.limit * percent

    def mark(self, percent: int) -> int:
        """Return the smallest spending that reaches so many percent."""
        return -(-self.limit * percent // 100)

    def counts(self, line: Line) -> bool:
        """Tell whether a journal line is of this level's spending."""
        if line.call is None or line.wallet_id != self.owner.wallet_id:
            return False
        if self.key_id and line.key_id != self.key_id:
            return False
        return not self.period or self.window_ms <= line.began_ms < self.ends_ms


@dataclass(frozen=True, slots=True)
class Crossing:
    """What took spending to a mark: a call, by any line of its own; None: a line about no call."""

    call: str | None


def crossing(lines: Iterable[Line], now: int, mark: int) -> Crossing | None:
    """Return the line since which spending has been at `mark` or above without a break.

    `lines` are those that count, the newest first; `now` is what is spent after all of them. None
    when it was there before the oldest of them.
    """
    for line in lines:
        now -= line.amount
        if now < mark:
            return Crossing(line.call)
    return None


async def owners_of(
    connection: AsyncConnection, wallet_ids: Collection[int], low: int
) -> list[Owner]:
    """Return the active users of some wallets; `low` is for those who said nothing of it."""
    query = (
        select(users, purse.c.available)
        .join(purse, purse.c.id == users.c.wallet_id)
        .where(users.c.wallet_id.in_(sorted(wallet_ids)), users.c.status == "active")
        .order_by(users.c.id)
    )
    return [
        Owner(
            row["id"],
            row["email"],
            row["wallet_id"],
            row["available"],
            low if row["low_balance_nano"] is None else row["low_balance_nano"],
            (row["budget_nano"], row["budget_period"]) if row["budget_nano"] else None,
            row["language"],
        )
        for row in (await connection.execute(query)).mappings()
    ]


async def levels_of(
    connection: AsyncConnection, owners: Collection[Owner], moved: Stirred, now_ms: int
) -> list[Level]:
    """Return the levels of what the calls of a piece of the journal were counted in."""
    by_user = {owner.user_id: owner for owner in owners}
    query = select(api_keys, purse.c.available)
    query = query.outerjoin(purse, purse.c.id == api_keys.c.limit_purse_id)
    # Of a key that was deleted nobody is told any more.
    there = api_keys.c.id.in_(sorted(moved.keys)), api_keys.c.deleted_ms.is_(None)
    query = query.where(*there).order_by(api_keys.c.id)
    keys = [
        row for row in (await connection.execute(query)).mappings() if row["user_id"] in by_user
    ]
    return [
        *(_limit(by_user[row["user_id"]], row) for row in keys if row["limit_nano"]),
        *await _key_budgets(connection, by_user, keys, moved),
        *await _budgets(connection, owners, moved, now_ms),
    ]


def _limit(owner: Owner, key: Any) -> Level:
    limit: int = key["limit_nano"]
    # A limit lowered below what was spent leaves the excess as a debt (billing.limits).
    spent = limit + key["limit_excess_nano"] - key["available"]
    return Level(owner, "key_limit", key["id"], key["name"], spent, limit, limit)


async def _key_budgets(
    connection: AsyncConnection, owners: dict[int, Owner], keys: Collection[Any], moved: Stirred
) -> list[Level]:
    wanted = {
        (key["id"], window.start_ms): (key, window)
        for key in keys
        if key["budget_nano"]
        for window in _windows(key["budget_period"], moved.keys[key["id"]])
    }
    if not wanted:
        return []
    query = select(purse).where(
        purse.c.kind == "key_budget",
        purse.c.owner_id.in_(sorted({key_id for key_id, _ in wanted})),
        purse.c.period_start.in_(sorted({start for _, start in wanted})),
    )
    found = {
        (row["owner_id"], row["period_start"]): row["granted"] - row["available"]
        for row in (await connection.execute(query)).mappings()
    }
    return [
        Level(
            owners[key["user_id"]], "key_budget", key["id"], key["name"], found[spot],
            key["budget_nano"], window.start_ms, key["budget_period"], window.end_ms,
        )
        for spot, (key, window) in wanted.items()
        if spot in found
    ]  # fmt: skip


async def _budgets(
    connection: AsyncConnection, owners: Collection[Owner], moved: Stirred, now_ms: int
) -> list[Level]:
    levels = []
    for owner in owners:
        span = moved.callers.get(owner.wallet_id)
        if owner.budget is None or span is None:
            continue
        amount, period = owner.budget
        for window in _windows(period, span):
            spent = await spent_within(connection, owner.user_id, window, now_ms)
            levels.append(
                Level(owner, "budget", 0, "", spent, amount, window.start_ms, period, window.end_ms)
            )
    return levels


def _windows(period: str, span: Span) -> Iterator[Period]:
    """Return the periods that calls began in: one, or two around midnight."""
    first, last = (period_at(period, at_ms) for at_ms in span)
    yield first
    if last != first:
        yield last


async def spent_within(
    connection: AsyncConnection, user_id: int, window: Period, now_ms: int
) -> int:
    """Return what a user's calls of a period were charged in all, as the books have it now.

    From the roll-ups as far as they are complete, from the calls themselves after that.
    """
    kept = await read_kept(connection, now_ms)
    since = min(max(kept.complete_until_ms // _SLOT_MS * _SLOT_MS, window.start_ms), window.end_ms)
    try:
        pieces = kept.pieces(window.start_ms, since)
    except NotKept:
        pieces, since = [], window.start_ms
    total = await _rolled_up(connection, user_id, pieces) if pieces else 0
    if since < window.end_ms:
        total += await _called(connection, user_id, first_tid(since), first_tid(window.end_ms))
    return total


async def _rolled_up(connection: AsyncConnection, user_id: int, pieces: Iterable[Piece]) -> int:
    within = or_(
        *(
            and_(
                rollup.c.span == piece.span,
                rollup.c.start_ms >= piece.start_ms,
                rollup.c.start_ms < piece.end_ms,
            )
            for piece in pieces
        )
    )
    query = select(func.sum(rollup.c.charge)).where(rollup.c.user_id == user_id, within)
    return int((await connection.execute(query)).scalar_one() or 0)


async def _called(connection: AsyncConnection, user_id: int, first: str, end: str) -> int:
    """Add up the calls of a range of tids: those in the index, and those on their way to it."""
    mine, fed = call_index.c, usage_feed.c
    tids = union(
        select(mine.tid).where(mine.user_id == user_id, mine.tid >= first, mine.tid < end),
        select(fed.tid).where(fed.tid >= first, fed.tid < end),
    ).subquery()
    query = select(func.sum(usage.c.charge - usage.c.reversed)).join(
        tids, tids.c.tid == usage.c.tid
    )
    return int(
        (await connection.execute(query.where(usage.c.user_id == user_id))).scalar_one() or 0
    )


async def days_left(
    connection: AsyncConnection, user_id: int, available: int, now_ms: int
) -> int | None:
    """Return how many whole days a balance lasts at the pace of the last seven, None without one."""
    query = select(func.sum(rollup.c.charge)).where(
        rollup.c.user_id == user_id,
        rollup.c.span == HOUR,
        rollup.c.start_ms >= now_ms - PACE_DAYS * _DAY_MS,
    )
    spent = int((await connection.execute(query)).scalar_one() or 0)
    return available * PACE_DAYS // spent if spent > 0 else None
