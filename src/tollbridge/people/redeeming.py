"""Owns redeem codes: making a batch of them, revoking what is left of it, and redeeming one.

A code is credit for whoever types it first. Only its HMAC and last six characters are stored, so
it is shown when it is made and never again (docs/decisions/0048-adjustments-and-codes.md). Amounts
are nano-dollars, times milliseconds since 1970. Must not know pages.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from secrets import choice
from typing import Final, NamedTuple

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.billing.grants import grant
from tollbridge.core.clock import new_id
from tollbridge.core.language import N_
from tollbridge.core.money import NANO, format_usd
from tollbridge.core.secrets import Secrets, last6
from tollbridge.identity.audit import Actor, Subject, note
from tollbridge.identity.doors import Door
from tollbridge.people.user_changes import NoSuchUser
from tollbridge.storage.people_tables import redeem_codes
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import take_turns

PREFIX: Final = "tbr_"
CODES_MAX: Final = 1_000
AMOUNT_MAX: Final = 100_000 * NANO
BATCH_MAX: Final = 64
CREDIT_DAYS_MAX: Final = 3_650
_DAY_MS: Final = 86_400_000
# Neither 0 and O, nor 1, I and L: a code may be read out or copied by hand.
_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_CHARS: Final = 24
_FORM: Final = re.compile(f"[{_ALPHABET}]{{{_CHARS}}}")
_TYPED_MAX: Final = 100
_DOMAIN: Final = "redeem code"
REDEEM_BY_USER: Final = Door("redeem", 5, 30)
REDEEM_BY_ADDRESS: Final = Door("redeem address", 10, 100)
"""How often codes may be tried: callers knock at both before `redeem`."""
_TURN: Final = 0x636F646573
"""Batches are made one after the other, so that no name is given twice."""


class BatchTaken(Exception):
    """There is a batch of this name."""


class Reason(StrEnum):
    """Why a code cannot be redeemed, as far as whoever typed it may know."""

    UNUSABLE = "unusable"
    """No code of ours, used by somebody else, or revoked: a guesser learns nothing."""
    YOURS = "yours"
    """The same user has redeemed it before."""
    EXPIRED = "expired"


REASON_TEXTS: Final = {
    Reason.UNUSABLE: N_("This code cannot be used. Check whether you typed all of it."),
    Reason.YOURS: N_("You have redeemed this code already."),
    Reason.EXPIRED: N_("This code has expired."),
}
"""What to tell whoever typed the code."""


class NotRedeemed(Exception):
    """The code is not redeemed; `reason` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class Redeemed(NamedTuple):
    """What a code gave, and when what is left of it ends (None = never)."""

    amount: int
    expires_ms: int | None


@dataclass(frozen=True, slots=True)
class Batch:
    """What to make: `count` codes of `amount` each. They can be redeemed before `expires_ms`, and
    the credit lasts `credit_days`; None = for ever. ValueError when something is out of range.
    """

    name: str
    count: int
    amount: int
    expires_ms: int | None = None
    credit_days: int | None = None

    def __post_init__(self) -> None:
        """Refuse what is no batch."""
        if not 0 < len(self.name) <= BATCH_MAX or not self.name.isprintable():
            raise ValueError("a batch has a name")
        if not 0 < self.count <= CODES_MAX or not 0 < self.amount <= AMOUNT_MAX:
            raise ValueError("too few, too many, or of an amount that is none")
        if self.credit_days is not None and not 0 < self.credit_days <= CREDIT_DAYS_MAX:
            raise ValueError("credit lasts some days")


async def make_codes(
    connection: AsyncConnection, secrets: Secrets, actor: Actor, batch: Batch, at_ms: int
) -> list[str]:
    """Make a batch and return its codes, which nobody can find out again.

    BatchTaken for a name that was used before: so a form that is sent twice makes nothing twice.
    """
    await take_turns(connection, _TURN)
    taken = select(redeem_codes.c.id).where(redeem_codes.c.batch == batch.name).limit(1)
    if (await connection.execute(taken)).first() is not None:
        raise BatchTaken
    codes = [PREFIX + "".join(choice(_ALPHABET) for _ in range(_CHARS)) for _ in range(batch.count)]
    common = {
        "batch": batch.name,
        "amount_nano": batch.amount,
        "credit_days": batch.credit_days,
        "created_by": actor.user_id,
        "created_ms": at_ms,
        "expires_ms": batch.expires_ms,
    }
    rows = [
        {**common, "id": new_id(), "hash": secrets.mark(_DOMAIN, code), "last6": last6(code)}
        for code in codes
    ]
    await connection.execute(insert(redeem_codes), rows)
    await note(
        connection,
        actor,
        "codes.make",
        Subject("codes", None, batch.name),
        at_ms,
        count=batch.count,
        amount=format_usd(batch.amount),
        expires_ms=batch.expires_ms,
        credit_days=batch.credit_days,
    )
    return codes


async def revoke_batch(connection: AsyncConnection, actor: Actor, batch: str, at_ms: int) -> int:
    """Make the codes of a batch worthless that nobody has redeemed; return how many these were.

    LookupError when there is no such batch.
    """
    known = select(redeem_codes.c.id).where(redeem_codes.c.batch == batch).limit(1)
    if (await connection.execute(known)).first() is None:
        raise LookupError("there is no such batch")
    unused = (
        redeem_codes.c.batch == batch,
        redeem_codes.c.redeemed_ms.is_(None),
        redeem_codes.c.revoked_ms.is_(None),
    )
    revoked = await connection.execute(update(redeem_codes).where(*unused).values(revoked_ms=at_ms))
    if revoked.rowcount:
        subject = Subject("codes", None, batch)
        await note(connection, actor, "codes.revoke", subject, at_ms, count=revoked.rowcount)
    return revoked.rowcount


async def redeem(
    connection: AsyncConnection, secrets: Secrets, user_id: int, code: str, at_ms: int
) -> Redeemed:
    """Credit a user with a code, once and for the first who asks; blanks, dashes and case do not
    matter. NotRedeemed, NoSuchUser; either must roll the transaction back.

    Whoever lets people try codes counts the tries (identity.doors).
    """
    query = select(users.c.wallet_id).where(users.c.id == user_id, users.c.deleted_ms.is_(None))
    wallet_id = (await connection.execute(query)).scalar_one_or_none()
    if wallet_id is None:
        raise NoSuchUser
    body = _typed(code)
    if body is None:
        raise NotRedeemed(Reason.UNUSABLE)
    mark = secrets.mark(_DOMAIN, PREFIX + body)
    row = await _taken(connection, mark, user_id, at_ms)
    if row is None:
        raise NotRedeemed(await _why_not(connection, mark, user_id))
    days = row["credit_days"]
    expires_ms = None if days is None else at_ms + days * _DAY_MS
    ref = f"code:{row['id']}"
    await grant(connection, wallet_id, row["amount_nano"], ref, at_ms, expires_ms=expires_ms)
    return Redeemed(row["amount_nano"], expires_ms)


def _typed(code: str) -> str | None:
    """Return the characters of a code as people type it, without the prefix; None for no code."""
    if len(code) > _TYPED_MAX or not code.isascii():
        return None
    body = re.sub(r"[\s-]", "", code).upper().removeprefix(PREFIX.upper())
    return body if _FORM.fullmatch(body) else None


async def _taken(
    connection: AsyncConnection, mark: bytes, user_id: int, at_ms: int
) -> RowMapping | None:
    """Mark the code as redeemed in one statement: of two at the same time one has it."""
    this = redeem_codes.c
    taken = (
        update(redeem_codes)
        .where(
            this.hash == mark,
            this.redeemed_ms.is_(None),
            this.revoked_ms.is_(None),
            this.expires_ms.is_(None) | (this.expires_ms > at_ms),
        )
        .values(redeemed_by=user_id, redeemed_ms=at_ms)
        .returning(this.id, this.amount_nano, this.credit_days)
    )
    return (await connection.execute(taken)).mappings().one_or_none()


async def _why_not(connection: AsyncConnection, mark: bytes, user_id: int) -> Reason:
    columns = (redeem_codes.c.redeemed_by, redeem_codes.c.redeemed_ms, redeem_codes.c.revoked_ms)
    row = (await connection.execute(select(*columns).where(redeem_codes.c.hash == mark))).first()
    if row is None or row.revoked_ms is not None:
        return Reason.UNUSABLE
    if row.redeemed_ms is None:
        return Reason.EXPIRED
    return Reason.YOURS if row.redeemed_by == user_id else Reason.UNUSABLE
