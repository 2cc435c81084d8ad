"""Owns what an identity at another site may do here: come in, be linked to an account, become one.

An identity is known by the site's name and the site's own id of the person, never by an address: an
account that has the same address is not opened by it (decision 0045). Functions over the caller's
transaction. Must not know pages, cookies or protocols.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import RowMapping, delete, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.billing.grants import open_wallet
from tollbridge.core.clock import new_id
from tollbridge.core.secrets import Secrets
from tollbridge.identity.addresses import Rules, folded, refusal
from tollbridge.identity.external_identity import Identity
from tollbridge.identity.users import add_user
from tollbridge.notify.mail import is_address
from tollbridge.people.bonus import SIGN_UP, give_once
from tollbridge.people.joining import TURN, account_of
from tollbridge.storage.people_tables import external_identities
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import take_turns


class CannotComeIn(Exception):
    """The identity opens nothing here. Raised inside a transaction, it leaves everything as it was."""


class Unverified(CannotComeIn):
    """The other site does not vouch for an address, and a new account needs one."""


class AddressKnown(CannotComeIn):
    """The address has an account: its owner signs in to that and links the identity there."""


class SignUpShut(CannotComeIn):
    """Accounts are not made for everybody at the moment."""


class AddressRefused(CannotComeIn):
    """Addresses such as this one cannot sign up here."""


class LinkedElsewhere(CannotComeIn):
    """The identity belongs to another account."""


class NoSuchIdentity(Exception):
    """The user has no such identity."""


class LastWayIn(Exception):
    """Without this identity its user could not come in any more."""


@dataclass(frozen=True, slots=True)
class Admission:
    """The rules of the site for newcomers; `bonus` is nano-dollars."""

    mode: str
    rules: Rules
    bonus: int


@dataclass(frozen=True, slots=True)
class Consent:
    """What a newcomer has agreed to, and in which language."""

    terms_version: str
    language: str


async def owner_of(connection: AsyncConnection, identity: Identity) -> int | None:
    """Return the id of the user that an identity belongs to; None when it is nobody's."""
    query = select(external_identities.c.user_id).where(
        external_identities.c.provider == identity.provider,
        external_identities.c.subject == identity.subject,
    )
    return (await connection.execute(query)).scalar_one_or_none()


async def identities_of(connection: AsyncConnection, user_id: int) -> Sequence[RowMapping]:
    """Return a user's identities, the oldest first: id, provider, email (as told there), created_ms."""
    names = ("id", "provider", "email", "created_ms")
    query = (
        select(*(external_identities.c[name] for name in names))
        .where(external_identities.c.user_id == user_id)
        .order_by(external_identities.c.id)
    )
    return (await connection.execute(query)).mappings().all()


async def check_newcomer(
    connection: AsyncConnection, identity: Identity, admission: Admission
) -> None:
    """Raise the CannotComeIn that keeps an unknown identity from becoming an account, if any does."""
    if not identity.verified or not is_address(identity.email):
        raise Unverified
    if await account_of(connection, identity.email, folds=admission.rules.folds) is not None:
        raise AddressKnown
    if admission.mode != "open":
        raise SignUpShut
    if refusal(identity.email, admission.rules) is not None:
        raise AddressRefused


async def join_with(
    connection: AsyncConnection,
    secrets: Secrets,
    identity: Identity,
    admission: Admission,
    consent: Consent,
    at_ms: int,
) -> int:
    """Make a user without a password of an identity, with wallet and bonus; return its id.

    Only inside `writing`. CannotComeIn as `check_newcomer`, whose reasons may have come up since.
    """
    await take_turns(connection, TURN)
    if await owner_of(connection, identity) is not None:
        raise LinkedElsewhere
    await check_newcomer(connection, identity, admission)
    user_id = new_id()
    wallet_id = await open_wallet(connection, user_id)
    columns = {
        "role": "user",
        "group_name": "default",
        "password_hash": None,
        "wallet_id": wallet_id,
        "language": consent.language,
        "verified_ms": at_ms,
        "terms_version": consent.terms_version,
        "terms_ms": at_ms,
    }
    try:
        await add_user(connection, user_id, identity.email, at_ms, columns)
    except IntegrityError:
        # Somebody else than a visitor made it just now: the configuration, or an operator.
        raise AddressKnown from None
    await link(connection, user_id, identity, at_ms)
    whose = folded(identity.email)
    await give_once(connection, secrets, SIGN_UP, whose, wallet_id, admission.bonus, at_ms)
    return user_id


async def link(connection: AsyncConnection, user_id: int, identity: Identity, at_ms: int) -> None:
    """Let an identity open a user's account; twice is once. LinkedElsewhere when it opens another."""
    owner = await owner_of(connection, identity)
    if owner == user_id:
        return
    if owner is not None:
        raise LinkedElsewhere
    row = {
        "id": new_id(),
        "user_id": user_id,
        "provider": identity.provider,
        "subject": identity.subject,
        "email": identity.email,
        "created_ms": at_ms,
    }
    try:
        await connection.execute(insert(external_identities).values(**row))
    except IntegrityError:
        raise LinkedElsewhere from None


async def unlink(
    connection: AsyncConnection, user_id: int, identity_id: int, providers: Collection[str]
) -> None:
    """Take an identity away. NoSuchIdentity; LastWayIn when neither a password nor another identity
    at one of `providers`, the sites that are configured, is left.
    """
    # Of two at the same time the second one sees what the first has left.
    locked = select(users.c.password_hash).where(users.c.id == user_id).with_for_update()
    password_hash = (await connection.execute(locked)).scalar_one()
    own = external_identities.c.user_id == user_id
    this = own & (external_identities.c.id == identity_id)
    others = own & (external_identities.c.id != identity_id)
    if (await connection.execute(select(external_identities.c.id).where(this))).first() is None:
        raise NoSuchIdentity
    count = select(func.count()).where(others, external_identities.c.provider.in_(providers))
    if password_hash is None and not (await connection.execute(count)).scalar_one():
        raise LastWayIn
    await connection.execute(delete(external_identities).where(this))
