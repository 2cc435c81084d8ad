"""Owns the reading of a wallet's journal lines that are none of its calls.

Those of calls are by far the most and are never read here: what calls cost is in the roll-ups. Must
not know what a kind of line means.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.storage.ledger_audit import CHARGE_KINDS
from tollbridge.storage.ledger_tables import hold, journal, usage
from tollbridge.storage.rollup_marks import first_tid

# As the partial indexes have it, to the letter; a parameter would not be recognised as the same.
_RARE = text("journal.kind <> 'charge'")
_TIDS_AT_ONCE = 500


class WalletLine(NamedTuple):
    """One journal line as its wallet sees it: `amount` in nano-dollars is below zero for a debit."""

    id: int
    at_ms: int
    kind: str
    ref: str
    amount: int


async def wallet_lines(connection: AsyncConnection, wallet_id: int) -> list[WalletLine]:
    """Return all lines of a wallet that are no charges of calls nor their corrections, by time."""
    account = f"wallet:{wallet_id}"
    lines = []
    for side, sign in ((journal.c.credit, 1), (journal.c.debit, -1)):
        query = lines_query(side, account)
        for number, at_ms, kind, ref, amount in await connection.execute(query):
            lines.append(WalletLine(number, at_ms, kind, ref, sign * amount))
    return sorted(lines, key=lambda line: (line.at_ms, line.id))


def lines_query(side: ColumnElement[str], account: str) -> Select[Any]:
    """Return the question for the lines on whose side an account is."""
    columns = (journal.c[name] for name in ("id", "at_ms", "kind", "ref", "amount"))
    return select(*columns).where(side == account, _RARE, journal.c.kind.not_in(CHARGE_KINDS))


async def groups_of_calls(
    connection: AsyncConnection, tids: Iterable[str]
) -> dict[str, tuple[int, str]]:
    """Return channel and model of calls, as roll-ups group them; calls that are gone are not in it."""
    wanted = sorted(set(tids))
    found: dict[str, tuple[int, str]] = {}
    for at in range(0, len(wanted), _TIDS_AT_ONCE):
        query = select(usage.c.tid, usage.c.channel_id, usage.c.model_asked)
        some = usage.c.tid.in_(wanted[at : at + _TIDS_AT_ONCE])
        found |= {row[0]: (row[1], row[2]) for row in await connection.execute(query.where(some))}
    return found


async def running_calls(connection: AsyncConnection, wallet_id: int, before_ms: int) -> int:
    """Return how many calls of a wallet run that began before a moment."""
    query = select(func.count()).where(
        hold.c.wallet_id == wallet_id, hold.c.tid < first_tid(before_ms)
    )
    return (await connection.execute(query)).scalar_one()
