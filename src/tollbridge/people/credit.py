"""Owns the credit that an operator gives or takes by hand: its reason and its line in the log.

Needs a transaction of `working`, and whatever is raised must roll it back. Must not know pages, nor
how money moves.
"""

from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.billing import adjustments
from tollbridge.billing.adjustments import Adjustment
from tollbridge.core.money import format_usd
from tollbridge.identity.audit import Actor, Subject, note
from tollbridge.people.user_changes import NoSuchUser
from tollbridge.storage.tables import users

REASON_MAX: Final = 500


async def adjust(
    connection: AsyncConnection,
    actor: Actor,
    user_id: int,
    amount: int,
    reason: str,
    ref: str,
    at_ms: int,
) -> Adjustment:
    """Give a user `amount` nano-dollars, or take them where it is below zero, once per `ref`.

    NoSuchUser; ValueError for zero, or without a reason of 1 to REASON_MAX characters; NotEnough,
    TooMuch and ReferenceTaken as `billing.adjustments.adjust`. A repeated one is noted only once.
    """
    if not 0 < len(reason.strip()) <= REASON_MAX:
        raise ValueError("a reason is needed")
    query = select(users.c.email, users.c.wallet_id).where(
        users.c.id == user_id, users.c.deleted_ms.is_(None)
    )
    user = (await connection.execute(query)).one_or_none()
    if user is None:
        raise NoSuchUser
    done = await adjustments.adjust(connection, user.wallet_id, amount, ref, at_ms)
    if not done.repeated:
        await note(
            connection,
            actor,
            "user.credit",
            Subject("user", user_id, user.email),
            at_ms,
            reason=reason,
            amount=format_usd(amount),
            before=format_usd(done.available - amount),
            after=format_usd(done.available),
            ref=ref,
        )
    return done
