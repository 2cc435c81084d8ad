"""Owns sums of the journal by kind, of all lines but the charges of calls.

Those are by far the most, and what they come to is in the roll-ups. Every other line has one of our
own accounts on one side at least, so all of them are found by the partial indexes. Must not know
what a kind of line means.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from sqlalchemy import Select, case, func, literal, select, text, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.clock import first_id
from tollbridge.storage.ledger_tables import journal

OURS: Final = ("operator_loss", "promo", "revenue")
"""The ledger accounts that are nobody's wallet."""
CODE: Final = "code"
"""What grants are called here that somebody redeemed a code for."""

_DAY_MS: Final = 86_400_000
# A line's id is made near the time that the line has.
_NEAR_MS: Final = 3_600_000
# As the partial indexes have it, to the letter; a parameter would not be recognised as the same.
_RARE: Final = text("journal.kind <> 'charge'")


class KindSum(NamedTuple):
    """What the lines of a kind of a day of UTC come to: nano-dollars into wallets less those out.

    Between two accounts of ours it is what the operator lost less what came back.
    """

    day_ms: int
    kind: str
    lines: int
    amount: int


async def sums_by_kind(
    connection: AsyncConnection, start_ms: int, end_ms: int | None = None
) -> list[KindSum]:
    """Return the sums of lines of [start_ms, end_ms), by day of UTC and kind."""
    part = union_all(*pieces(start_ms, end_ms)).subquery("part")
    day = (part.c.at_ms - part.c.at_ms % _DAY_MS).label("day")
    query = (
        select(day, part.c.kind, func.count(), func.sum(part.c.amount))
        .group_by(day, part.c.kind)
        .order_by(day, part.c.kind)
    )
    return [KindSum(row[0], row[1], row[2], int(row[3])) for row in await connection.execute(query)]


def pieces(start_ms: int, end_ms: int | None) -> Iterator[Select[Any]]:
    """Yield the questions for lines with one of our accounts on each side, every line in one of them."""
    when: list[Any] = [
        _RARE,
        journal.c.id >= first_id(start_ms - _NEAR_MS),
        journal.c.at_ms >= start_ms,
    ]
    if end_ms is not None:
        when += [journal.c.id < first_id(end_ms + _NEAR_MS), journal.c.at_ms < end_ms]
    lost = (journal.c.credit.in_(OURS)) & (journal.c.debit != literal("operator_loss"))
    from_code = (journal.c.kind == "grant") & journal.c.ref.startswith("code:")
    kind = case((from_code, CODE), else_=journal.c.kind).label("kind")
    for account in OURS:
        signed = case((lost, -journal.c.amount), else_=journal.c.amount)
        columns = (journal.c.at_ms, kind, signed.label("amount"))
        yield select(*columns).where(journal.c.debit == account, *when)
        columns = (journal.c.at_ms, kind, (-journal.c.amount).label("amount"))
        yield select(*columns).where(
            journal.c.credit == account, journal.c.debit.not_in(OURS), *when
        )
