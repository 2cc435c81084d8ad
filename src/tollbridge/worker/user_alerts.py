"""Owns when users are told of their spending: every few seconds, about those whose money moved.

What is told depends on the books and on what was told before, on nothing in this process: whoever
dies when, the next look comes to the same. Why so: docs/decisions/0037-alerts-of-users.md. Must not
know what the mail says.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.billing.levels import (
    Crossing,
    Level,
    Owner,
    crossing,
    days_left,
    levels_of,
    owners_of,
)
from tollbridge.billing.stirred import LINES_MAX, Line, Stirred, lines_of, stirred_after
from tollbridge.catalog.site_rows import site_values
from tollbridge.core.clock import first_id, now_ms
from tollbridge.core.periods import period_at
from tollbridge.core.telemetry import get_logger
from tollbridge.notify.mail import Mail, is_address
from tollbridge.notify.outbox import post_mail
from tollbridge.notify.user_mail import LowBalance, Spending, low_balance_mail, spending_mail
from tollbridge.storage.marks import read_mark, set_mark
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.storage.user_alerts import UserMark, mark_told, marks_of

EVERY_S: Final = 2.0
PERCENTS: Final = (80, 100)
LOW: Final = "low_balance"
WELL: Final = "balance_well"

_MARK = "user_alerts"
_DAY_MS = 86_400_000
# Every line of the journal is committed long before it is so old, whichever node wrote it.
_SETTLED_MS = 60_000
# Nearly every line is committed before it is so old; the rest is found by the next long look.
_LATE_MS = 5_000
_LONG_LOOK_MS = 30_000
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Telling:
    """What a user is told: the mark that says so, and the mail; None: only the mark is kept."""

    owner: Owner
    mark: UserMark
    mail: Mail | None
    call: str | None = None


class UserAlerts:
    """Tells users of limits, budgets and low balances; each run looks at what moved since the last."""

    def __init__(
        self,
        engine: AsyncEngine,
        low: int,
        *,
        clock: Callable[[], int] = now_ms,
        most: int = LINES_MAX,
    ) -> None:
        """`low` (nano-dollars) is for users who said nothing of it, 0 = they are not told."""
        self._engine = engine
        self._low = low
        self._clock = clock
        self._most = most
        # The line after which to go on; no line has been looked at yet.
        self._cursor = 0
        self._is_long = False
        self._long_ms = 0

    async def run(self) -> bool:
        """Look at a piece of the journal and tell what it led to; return whether there is more.

        Goes a little back each time, because nodes commit lines in another order than that of
        their ids, and every half minute as far back as any of them may be late.
        """
        now = self._clock()
        begins_long = not self._is_long and abs(now - self._long_ms) >= _LONG_LOOK_MS
        async with reading(self._engine) as connection:
            mark = await read_mark(connection, _MARK)
            known = mark if begins_long else self._cursor
            after = max(known, first_id(now - _DAY_MS))
            moved = await stirred_after(connection, after, most=self._most)
            tellings = await _look(connection, moved, after, self._low, now)
        for _, group in groupby(tellings, key=lambda one: one.owner.user_id):
            await self._tell(list(group), now)
        if begins_long:
            self._is_long, self._long_ms = True, now
        await self._advance(moved, mark, now)
        return moved.more

    async def _tell(self, tellings: list[Telling], now: int) -> None:
        """Write a user's marks, each with its mail: both are there afterwards, or neither."""
        async with working(self._engine) as connection:
            for telling in tellings:
                if await mark_told(connection, telling.mark, now) and telling.mail is not None:
                    await post_mail(connection, telling.mail)
                    _log.info(
                        "user_alert", kind=telling.mark.kind, user=telling.mark.user_id,
                        key=telling.mark.key_id, call=telling.call,
                    )  # fmt: skip

    async def _advance(self, moved: Stirred, mark: int, now: int) -> None:
        """Go on from here; what is kept for the next process trails by what may still be late."""
        settled = min(moved.upto, first_id(now - _SETTLED_MS))
        if self._is_long and settled > mark and moved.wallets:
            async with working(self._engine) as connection:
                await set_mark(connection, _MARK, settled)
        self._cursor = moved.upto
        if not moved.more:
            self._is_long = False
            self._cursor = min(moved.upto, first_id(now - _LATE_MS))


async def _look(
    connection: AsyncConnection, moved: Stirred, after: int, low: int, now: int
) -> list[Telling]:
    """Find what users are to be told, all of it in one state of the database; user by user."""
    if not moved.wallets:
        return []
    owners = await owners_of(connection, moved.wallets, low)
    marks = await marks_of(connection, [owner.user_id for owner in owners])
    levels = await levels_of(connection, owners, moved, now)
    due = [
        level
        for level in levels
        if any(
            level.reached(percent) and _mark_of(level, percent) not in marks[level.owner.user_id]
            for percent in PERCENTS
        )
    ]
    lows = [one for one in owners if one.available < one.low and _may_tell(marks[one.user_id], now)]
    wallets = {level.owner.wallet_id for level in due} | {one.wallet_id for one in lows}
    lines = await lines_of(connection, wallets, after)
    site = (await site_values(connection))["name"] if wallets else ""
    tellings = [
        *_well(owners, marks),
        *(one for level in due for one in _spent(level, lines, marks[level.owner.user_id], site)),
    ]
    for owner in lows:
        crossed = _sunk(owner, lines)
        if crossed is not None:
            days = await days_left(connection, owner.user_id, owner.available, now)
            tellings.append(_low(owner, crossed, days, now, site))
    return sorted(tellings, key=lambda one: one.owner.user_id)


def _mark_of(level: Level, percent: int) -> UserMark:
    kind = "_".join(filter(None, (level.what, level.period, str(percent))))
    return UserMark(level.owner.user_id, level.key_id, kind, level.window_ms)


def _spent(level: Level, lines: list[Line], told: set[UserMark], site: str) -> Iterator[Telling]:
    """Tell what a level has reached; of two that the same call reached only the higher."""
    mine = [line for line in lines if level.counts(line)]
    higher: Crossing | None = None
    is_covered = False
    for percent in reversed(PERCENTS):
        mark = _mark_of(level, percent)
        if not level.reached(percent):
            continue
        crossed = crossing(mine, level.spent, level.mark(percent))
        if mark not in told:
            quiet = is_covered and crossed == higher
            call = crossed.call if crossed else None
            mail = None if quiet else _spending_mail(level, percent, call, site)
            yield Telling(level.owner, mark, mail, call)
        higher, is_covered = crossed, True


def _spending_mail(level: Level, percent: int, call: str | None, site: str) -> Mail | None:
    told = Spending(
        level.what, percent, level.name, level.spent, level.limit, call, level.period,
        level.window_ms if level.period else 0, level.ends_ms,
    )  # fmt: skip
    owner = level.owner
    if not is_address(owner.email):
        return None
    return spending_mail(owner.email, told, owner.language, site)


def _last_low(told: set[UserMark]) -> UserMark | None:
    return max((mark for mark in told if mark.kind == LOW), default=None)


def _is_open(last: UserMark | None, told: set[UserMark]) -> bool:
    """Tell whether a balance has not been seen above its mark since its owner was told."""
    return last is not None and last._replace(kind=WELL) not in told


def _may_tell(told: set[UserMark], now: int) -> bool:
    """Once until the balance has been above its mark again, and at most once a day."""
    last = _last_low(told)
    if last is None:
        return True
    return not _is_open(last, told) and last.window_ms < period_at("day", now).start_ms


def _well(owners: list[Owner], marks: Mapping[int, set[UserMark]]) -> Iterator[Telling]:
    for owner in owners:
        told = marks[owner.user_id]
        last = _last_low(told)
        if last is not None and owner.available >= owner.low and _is_open(last, told):
            yield Telling(owner, last._replace(kind=WELL), None)


def _sunk(owner: Owner, lines: list[Line]) -> Crossing | None:
    """Return the line that took a balance below its mark; None when it has been there before."""
    mine = [line for line in lines if line.wallet_id == owner.wallet_id]
    return crossing(mine, -owner.available, 1 - owner.low)


def _low(owner: Owner, crossed: Crossing, days: int | None, now: int, site: str) -> Telling:
    mark = UserMark(owner.user_id, 0, LOW, period_at("day", now).start_ms)
    told = LowBalance(owner.available, owner.low, crossed.call, days)
    mail = None
    if is_address(owner.email):
        mail = low_balance_mail(owner.email, told, owner.language, site)
    return Telling(owner, mark, mail, crossed.call)
