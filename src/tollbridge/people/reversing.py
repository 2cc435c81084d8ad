"""Owns the reversal of a call as an operator orders it: the money, and its line in the log.

Needs a transaction of `working` that has locked nothing yet. Must not know pages, nor how money
moves.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.billing.reversals import Reversal, reverse
from tollbridge.core.clock import first_id
from tollbridge.core.money import format_usd
from tollbridge.identity.audit import Actor, Subject, note
from tollbridge.storage.people_tables import audit_log

ACTION: Final = "call.reverse"
KIND: Final = "call"
REASON_MAX: Final = 500
# The line's id is made a moment after the time that both the journal and the log have.
_MOMENT_MS: Final = 3_600_000


async def reverse_call(
    connection: AsyncConnection, actor: Actor, tid: str, reason: str, at_ms: int
) -> Reversal:
    """Give back all that a call was charged, once; what is repeated moves and notes nothing.

    NotReversible as `billing.reversals.reverse`; ValueError without a reason of 1 to REASON_MAX
    characters.
    """
    if not 0 < len(reason.strip()) <= REASON_MAX:
        raise ValueError("a reason is needed")
    by = actor.via if actor.user_id is None else f"user:{actor.user_id}"
    done = await reverse(connection, tid, reason, by, at_ms)
    if not done.repeated:
        await note(
            connection,
            actor,
            ACTION,
            Subject(KIND, None, tid),
            at_ms,
            reason=reason,
            amount=format_usd(done.amount),
            user_id=done.user_id,
        )
    return done


async def notes_of(connection: AsyncConnection, tid: str, at_ms: int) -> Sequence[RowMapping]:
    """Return the log's lines of a call that was given back at a moment of the journal."""
    near = (first_id(at_ms - _MOMENT_MS), first_id(at_ms + _MOMENT_MS))
    query = (
        select(audit_log)
        .where(
            audit_log.c.action == ACTION,
            audit_log.c.id.between(*near),
            audit_log.c.subject == tid,
        )
        .order_by(audit_log.c.id)
    )
    return (await connection.execute(query)).mappings().all()
