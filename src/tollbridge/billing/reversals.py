"""Owns reversals: staff give back what a settled call was charged, all of it and once.

One transaction of journal, wallet, the key's limit and budget, the usage row, the feed of the query
tables and a lot; every purse changes relatively, so it works beside servers that hold and settle
(docs/decisions/0035-reversals-and-lots.md). Amounts are nano-dollars. Must not know who may do it.
"""

from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from sqlalchemy import RowMapping, case, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.billing.lots import add_lot
from tollbridge.core.clock import new_id, tid_ms
from tollbridge.core.periods import period_at
from tollbridge.core.telemetry import get_logger
from tollbridge.storage.ledger_tables import hold, journal, purse, usage, usage_feed
from tollbridge.storage.lot_days import REVERSAL
from tollbridge.storage.purse_reads import budget_purse
from tollbridge.storage.tables import api_keys
from tollbridge.storage.usage_floor import usage_floor_ms

FLAG: Final = "reversed"
_log = get_logger(__name__)


class Reversal(NamedTuple):
    """What was given back, to which wallet; `repeated` when it had been before, so nothing moved.

    `reason` and `by` are of this request, also when it is repeated.
    """

    tid: str
    amount: int
    wallet_id: int
    user_id: int
    key_id: int
    reason: str
    by: str
    at_ms: int
    repeated: bool


class WhyNot(StrEnum):
    """Why a call cannot be reversed."""

    UNKNOWN = "the books know no such call"
    RUNNING = "the call is still running"
    CLOSED = "the call's day is kept no longer"
    NOTHING_CHARGED = "the call was charged nothing"


class NotReversible(Exception):
    """The call cannot be reversed, `why` says why."""

    def __init__(self, why: WhyNot) -> None:
        super().__init__(why)
        self.why = why


Hook = Callable[[AsyncConnection, Reversal], Awaitable[None]]
HOOKS: Final[tuple[Hook, ...]] = ()
"""What else follows from a charge, and is undone in the same transaction."""


async def reverse(
    connection: AsyncConnection,
    tid: str,
    reason: str,
    by: str,
    at_ms: int,
    *,
    hooks: Sequence[Hook] = HOOKS,
) -> Reversal:
    """Give back what the call was charged, as it is booked now; a second time moves nothing.

    Needs a writing transaction that has locked nothing yet. Raises NotReversible. `reason` and `by`
    (who does it) go to the log, not into the books.
    """
    found = await _find(connection, tid)
    if tid_ms(tid) < await usage_floor_ms(connection):
        # Its row is about to go, and statistics of its day are not made again.
        raise NotReversible(WhyNot.CLOSED)
    guards = await _locked_guards(connection, found)
    row = await _locked(connection, tid)
    before, charge = row["reversed"], row["charge"]
    if not (before or charge):
        raise NotReversible(WhyNot.NOTHING_CHARGED)
    done = Reversal(
        tid, before or charge, row["wallet_id"], row["user_id"], row["key_id"], reason, by, at_ms,
        repeated=before > 0,
    )  # fmt: skip
    if done.repeated:
        return done
    await _book(connection, done)
    await _free(connection, guards, charge)
    await _mark(connection, row)
    for hook in hooks:
        await hook(connection, done)
    _log.info("call_reversed", call=tid, amount=charge, wallet=done.wallet_id, by=by, reason=reason)
    return done


async def _find(connection: AsyncConnection, tid: str) -> RowMapping:
    query = select(usage.c.wallet_id, usage.c.key_id, usage.c.at_ms).where(usage.c.tid == tid)
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is not None:
        return row
    standing = select(hold.c.tid).where(hold.c.tid == tid)
    is_running = (await connection.execute(standing)).first() is not None
    raise NotReversible(WhyNot.RUNNING if is_running else WhyNot.UNKNOWN)


async def _locked(connection: AsyncConnection, tid: str) -> RowMapping:
    """Read the row again now that nothing can change it: a late settle writes it anew."""
    query = select(usage).where(usage.c.tid == tid).with_for_update()
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        raise NotReversible(WhyNot.UNKNOWN)
    return row


async def _locked_guards(connection: AsyncConnection, call: RowMapping) -> "_Guards":
    """Lock the key and then all purses by id, as the money writers do; return those of the key."""
    query = select(api_keys).where(api_keys.c.id == call["key_id"]).with_for_update()
    key = (await connection.execute(query)).mappings().one_or_none()
    limit = key["limit_purse_id"] if key and key["limit_nano"] is not None else None
    budget = await _budget(connection, key, call["at_ms"]) if key else None
    ids = [one for one in (call["wallet_id"], limit, budget) if one is not None]
    locked = select(purse.c.id).where(purse.c.id.in_(ids)).order_by(purse.c.id).with_for_update()
    await connection.execute(locked)
    return _Guards(key, limit, budget)


async def _budget(connection: AsyncConnection, key: RowMapping, at_ms: int) -> int | None:
    """Return the purse that the call was counted in; a budget taken away counts nothing."""
    if key["budget_period"] is None or key["budget_nano"] is None:
        return None
    start_ms = period_at(key["budget_period"], at_ms).start_ms
    found = await budget_purse(connection, key["id"], start_ms)
    return found.id if found else None


class _Guards(NamedTuple):
    key: RowMapping | None
    limit_purse: int | None
    budget_purse: int | None


async def _book(connection: AsyncConnection, done: Reversal) -> None:
    await connection.execute(
        insert(journal).values(
            id=new_id(), at_ms=done.at_ms, debit="revenue", credit=f"wallet:{done.wallet_id}",
            amount=done.amount, currency="USD", kind=REVERSAL, ref=done.tid,
        )
    )  # fmt: skip
    credited = await connection.execute(
        update(purse)
        .where(purse.c.id == done.wallet_id, purse.c.kind == "wallet")
        .values(available=purse.c.available + done.amount)
    )
    if not credited.rowcount:
        raise LookupError("there is no such wallet")
    await add_lot(connection, done.wallet_id, done.amount, REVERSAL, done.tid, done.at_ms)


async def _free(connection: AsyncConnection, guards: _Guards, charge: int) -> None:
    """Let the key spend it again, but never more than its limit and its budget grant.

    A call may have cost more than was counted, and a limit may have begun afresh since.
    """
    if guards.limit_purse is not None and guards.key is not None:
        # What an earlier, higher limit was overspent by is made good first (billing.limits).
        owed = min(guards.key["limit_excess_nano"], charge)
        if owed:
            await connection.execute(
                update(api_keys)
                .where(api_keys.c.id == guards.key["id"])
                .values(limit_excess_nano=api_keys.c.limit_excess_nano - owed)
            )
        await _raise(connection, guards.limit_purse, charge - owed, guards.key["limit_nano"])
    if guards.budget_purse is not None:
        await _raise(connection, guards.budget_purse, charge, None)


async def _raise(connection: AsyncConnection, purse_id: int, amount: int, most: int | None) -> None:
    """Let a guard have more, up to `most`, or to what it was granted."""
    bound = purse.c.granted if most is None else most
    wanted = purse.c.available + amount
    await connection.execute(
        update(purse)
        .where(purse.c.id == purse_id, purse.c.available < bound)
        .values(available=case((wanted < bound, wanted), else_=bound))
    )


async def _mark(connection: AsyncConnection, row: RowMapping) -> None:
    flags = ",".join(filter(None, (row["flags"], FLAG)))
    await connection.execute(
        update(usage).where(usage.c.tid == row["tid"]).values(reversed=row["charge"], flags=flags)
    )
    await connection.execute(insert(usage_feed).values(tid=row["tid"]))
