"""Owns what operators see of redeem codes: batches with their sums, and the codes of one batch.

Never a code itself: only its last six characters are known. Reads only. Amounts are nano-dollars. Must not know pages.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Integer, RowMapping, case, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.storage.people_tables import redeem_codes
from tollbridge.storage.tables import users

STATES: Final = ("unused", "redeemed", "expired", "revoked")


class BatchSums(NamedTuple):
    """A batch: what its codes give, until when they can be redeemed, and how many are in each state.

    `last_id` is that of its newest code, by which batches are ordered.
    """

    last_id: int
    name: str
    amount: int
    credit_days: int | None
    created_ms: int
    expires_ms: int | None
    unused: int
    redeemed: int
    expired: int
    revoked: int


async def batches(
    connection: AsyncConnection,
    at_ms: int,
    *,
    name: str = "",
    before: int | None = None,
    limit: int = 25,
) -> list[BatchSums]:
    """Return batches as of a moment, the newest first; only the one of a name when it is given.

    With `before` those behind the batch of this `last_id`: what is made meanwhile shifts nothing.
    """
    latest = func.max(redeem_codes.c.id)
    # Which batches these are is read from the index alone; only their codes are added up.
    page = select(redeem_codes.c.batch).group_by(redeem_codes.c.batch)
    if name:
        page = page.where(redeem_codes.c.batch == name)
    if before is not None:
        page = page.having(latest < before)
    page = page.order_by(latest.desc()).limit(limit)
    names = (await connection.execute(page)).scalars().all()
    state = _state(at_ms)
    query = (
        select(
            latest,
            redeem_codes.c.batch,
            func.min(redeem_codes.c.amount_nano),
            func.min(redeem_codes.c.credit_days),
            func.min(redeem_codes.c.created_ms),
            func.min(redeem_codes.c.expires_ms),
            *(cast(func.sum(case((state == one, 1), else_=0)), Integer) for one in STATES),
        )
        .where(redeem_codes.c.batch.in_(names))
        .group_by(redeem_codes.c.batch)
        .order_by(latest.desc())
    )
    return [BatchSums(*row) for row in await connection.execute(query)]


async def codes_of(
    connection: AsyncConnection,
    batch: str,
    at_ms: int,
    *,
    before: int | None = None,
    limit: int = 100,
) -> Sequence[RowMapping]:
    """Return codes of a batch: id, last6, state, redeemed_by, redeemed_ms, email of whoever did."""
    query = (
        select(
            redeem_codes.c.id,
            redeem_codes.c.last6,
            redeem_codes.c.redeemed_by,
            redeem_codes.c.redeemed_ms,
            users.c.email,
            _state(at_ms).label("state"),
        )
        .outerjoin_from(redeem_codes, users, users.c.id == redeem_codes.c.redeemed_by)
        .where(redeem_codes.c.batch == batch)
        .order_by(redeem_codes.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(redeem_codes.c.id < before)
    return (await connection.execute(query)).mappings().all()


def _state(at_ms: int) -> ColumnElement[str]:
    code = redeem_codes.c
    return case(
        (code.redeemed_ms.is_not(None), "redeemed"),
        (code.revoked_ms.is_not(None), "revoked"),
        (code.expires_ms <= at_ms, "expired"),
        else_="unused",
    )
