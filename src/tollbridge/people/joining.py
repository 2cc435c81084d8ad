"""Owns how somebody becomes a user: asking, a letter with a link, and the account that comes of it.

Nothing of a user exists before the link was followed, and whoever asks is told the same whether or
not the address has an account (decision 0043). Functions over the caller's transaction; passwords
come in hashed. Must not know pages, cookies or requests.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from hmac import compare_digest
from typing import Any, Final, Self

from sqlalchemy import ColumnElement, RowMapping, and_, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.billing.grants import open_wallet
from tollbridge.core.clock import new_id
from tollbridge.core.secrets import Secrets
from tollbridge.identity.addresses import GMAIL, GMAIL_DOMAINS, folded
from tollbridge.identity.one_time import OneTime, Purpose, issue, look_at, use
from tollbridge.identity.users import add_user, find_user, normalised_email
from tollbridge.notify.letters import letter
from tollbridge.notify.mail import is_address
from tollbridge.notify.outbox import post_mail
from tollbridge.people.bonus import SIGN_UP, give_once
from tollbridge.people.invites import count_use
from tollbridge.people.passwords import ask_reset
from tollbridge.people.telling import Voice
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import take_turns

LINK_HOURS: Final = 24
_LINK_MS: Final = LINK_HOURS * 3_600_000
TURN: Final = 7_043
"""Joining is one after the other: two aliases of one person are two rows that no constraint holds."""


@dataclass(frozen=True, slots=True)
class Place:
    """What joining needs to know of the site; `bonus` is nano-dollars, `url` has no slash at the end."""

    name: str
    url: str
    folds: bool
    bonus: int


@dataclass(frozen=True, slots=True, repr=False)
class Application:
    """What somebody who asks has given. `flow` is a mark of the browser that asked."""

    email: str
    password_hash: str
    language: str
    terms_version: str
    invite_id: int | None
    flow: str

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Read what `asdict` has written."""
        return cls(**{field.name: data[field.name] for field in fields(cls)})


@dataclass(frozen=True, slots=True)
class Joined:
    """A user that has just been made. `trusted`: in the browser that had asked, with its password."""

    user_id: int
    trusted: bool
    bonus_given: bool


class CannotJoin(Exception):
    """No account comes of a link. Raised inside a transaction, it leaves everything as it was."""


class LinkOver(CannotJoin):
    """The link was used, is too old, or was never one."""


class AddressTaken(CannotJoin):
    """The address has got an account since."""


class InviteUsedUp(CannotJoin):
    """Others were quicker with the same invite, or it was revoked."""


async def ask_to_join(
    connection: AsyncConnection,
    secrets: Secrets,
    application: Application,
    place: Place,
    at_ms: int,
) -> None:
    """Write to the address: a link that makes the account, or that there is one already."""
    known = await account_of(connection, application.email, folds=place.folds)
    if known is not None:
        await tell_known(connection, known, application.email, application.language, place)
        return
    word = await issue(
        connection,
        secrets,
        Purpose.SIGN_UP,
        at_ms=at_ms,
        life_ms=_LINK_MS,
        data=asdict(application),
    )
    url = f"{place.url}/verify?token={word}"
    mail = letter(
        "verify", application.language, application.email, place.name, url=url, hours=LINK_HOURS
    )
    await post_mail(connection, mail)


async def address_of(
    connection: AsyncConnection, secrets: Secrets, word: str, at_ms: int
) -> str | None:
    """Return the address that a link is for and leave it good; None when it is over."""
    found = await look_at(connection, secrets, Purpose.SIGN_UP, word, at_ms)
    return None if found is None else Application.of(found.data).email


async def join(
    connection: AsyncConnection, secrets: Secrets, word: str, flow: str, place: Place, at_ms: int
) -> Joined:
    """Make the account that a link stands for, its wallet and its bonus. Only inside `writing`.

    `flow` is the mark of the browser that followed it. In another than the one that asked the account
    has no password, for a stranger may have chosen it, and a letter lets its owner set one.
    LinkOver, AddressTaken or InviteUsedUp; the caller lets them end the transaction.
    """
    await take_turns(connection, TURN)
    found = await use(connection, secrets, Purpose.SIGN_UP, word, at_ms)
    if found is None:
        raise LinkOver
    application = Application.of(found.data)
    if await account_of(connection, application.email, folds=place.folds) is not None:
        raise AddressTaken
    invite_id = application.invite_id
    if invite_id is not None and not await count_use(connection, invite_id, found.created_ms):
        raise InviteUsedUp
    trusted = compare_digest(flow.encode(), application.flow.encode())
    user_id = new_id()
    wallet_id = await open_wallet(connection, user_id)
    columns = _columns(found, wallet_id, at_ms)
    if not trusted:
        columns["password_hash"] = None
    try:
        await add_user(connection, user_id, application.email, at_ms, columns)
    except IntegrityError:
        # Somebody else than a visitor made it just now: the configuration, or an operator.
        raise AddressTaken from None
    given = await give_once(
        connection, secrets, SIGN_UP, folded(application.email), wallet_id, place.bonus, at_ms
    )
    if not trusted:
        voice = Voice(place.name, application.language)
        await ask_reset(connection, secrets, application.email, place.url, voice, at_ms)
    return Joined(user_id, trusted, given)


async def tell_known(
    connection: AsyncConnection, known: RowMapping, email: str, language: str, place: Place
) -> None:
    """Write that somebody gave an address of this account, which was typed as `email`.

    The account's own address is written to, so that no alias is told anything about it.
    """
    to = known["email"] if is_address(known["email"]) else email
    urls = {"sign_in_url": f"{place.url}/sign-in", "reset_url": f"{place.url}/reset"}
    mail = letter("known", known["language"] or language, to, place.name, **urls)
    await post_mail(connection, mail)


async def account_of(connection: AsyncConnection, email: str, *, folds: bool) -> RowMapping | None:
    """Return the account of an address; with `folds` also that of another alias of the same person.

    No column has the folded form, because operators and the configuration may give two aliases an
    account each. This reads the index of addresses once, and only when somebody signs up.
    """
    if not folds:
        return await find_user(connection, email)
    # Two columns of one index: the rows themselves are not read.
    query = select(users.c.id, users.c.email_norm).where(_alike(folded(email)))
    rows = (await connection.execute(query.order_by(users.c.id))).all()
    same = [row for row in rows if folded(row.email_norm) == folded(email)]
    if not same:
        return None
    exact = (row.id for row in same if row.email_norm == normalised_email(email))
    found = select(users).where(users.c.id == next(exact, same[0].id))
    return (await connection.execute(found)).mappings().one_or_none()


def _alike(base: str) -> ColumnElement[bool]:
    """Match the addresses that may fold to `base`, and some more: SQL has no words for all of it."""
    local, _, domain = base.rpartition("@")
    norm: ColumnElement[str] = users.c.email_norm
    if domain != GMAIL:
        return or_(norm == base, norm.like(_pattern(local, domain), escape="\\"))
    # Cheap to tell and true of one in twenty: the rest is not looked at any closer.
    near = func.substr(norm, 1, 1).in_([local[0], "."])
    plain, dotless = local.replace(".", ""), func.replace(norm, ".", "")
    forms = []
    for name in (each.replace(".", "") for each in GMAIL_DOMAINS):
        forms.append(dotless == f"{plain}@{name}")
        forms.append(dotless.like(_pattern(plain, name), escape="\\"))
    return and_(near, or_(*forms))


def _pattern(local: str, domain: str) -> str:
    """Return the pattern of addresses with a tag."""
    for special in ("\\", "%", "_"):
        local, domain = (text.replace(special, "\\" + special) for text in (local, domain))
    return f"{local}+%@{domain}"


def _columns(found: OneTime, wallet_id: int, at_ms: int) -> dict[str, Any]:
    application = Application.of(found.data)
    return {
        "role": "user",
        "group_name": "default",
        "password_hash": application.password_hash,
        "wallet_id": wallet_id,
        "language": application.language,
        "verified_ms": at_ms,
        "terms_version": application.terms_version,
        "terms_ms": found.created_ms,
    }
