"""Owns how a user gets another e-mail address: asking, a letter to the new one, the change.

Whoever asks is told the same whether or not the new address has an account; only its owner's letter
differs. The old address is told when it is done. Functions over the caller's transaction. Must not
know pages.
"""

from typing import Final

from sqlalchemy import RowMapping
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.secrets import Secrets
from tollbridge.identity.one_time import OneTime, Purpose, issue, look_at, revoke, use
from tollbridge.identity.sessions import end_sessions
from tollbridge.identity.users import change_user, normalised_email
from tollbridge.notify.letters import letter
from tollbridge.notify.outbox import post_mail
from tollbridge.people.joining import TURN, Place, account_of, tell_known
from tollbridge.people.telling import Voice, tell
from tollbridge.people.user_changes import locked_user
from tollbridge.storage.unit_of_work import take_turns

LINK_HOURS: Final = 2
LINK_PATH: Final = "/console/profile/email/confirm"
_LINK_MS: Final = LINK_HOURS * 3_600_000


class LinkOver(Exception):
    """The link was used, is too old, was replaced by a newer one, or is another user's."""


class AddressTaken(Exception):
    """The address has got an account since."""


class SameAddress(Exception):
    """It is the address that the user has."""


async def ask_new_email(
    connection: AsyncConnection,
    secrets: Secrets,
    user_id: int,
    email: str,
    place: Place,
    voice: Voice,
    at_ms: int,
) -> None:
    """Write to the new address: a link that moves the account there, or that it has one already.

    Earlier links of the user are worthless then. SameAddress, NoSuchUser.
    """
    user = await locked_user(connection, user_id)
    if user["email"] == email:
        raise SameAddress
    await revoke(connection, Purpose.NEW_EMAIL, user_id)
    language = user["language"] or voice.language
    known = await account_of(connection, email, folds=place.folds)
    if known is not None and known["id"] != user_id:
        await tell_known(connection, known, email, voice.language, place)
        return
    word = await issue(
        connection,
        secrets,
        Purpose.NEW_EMAIL,
        at_ms=at_ms,
        life_ms=_LINK_MS,
        user_id=user_id,
        data={"email": email},
    )
    url = f"{place.url}{LINK_PATH}?token={word}"
    mail = letter("new_email", language, email, place.name, url=url, hours=LINK_HOURS)
    await post_mail(connection, mail)


async def new_email_of(
    connection: AsyncConnection, secrets: Secrets, user_id: int, word: str, at_ms: int
) -> str:
    """Return the address that a link of this user is for and leave it good; LinkOver."""
    return _address(await look_at(connection, secrets, Purpose.NEW_EMAIL, word, at_ms), user_id)


async def change_email(
    connection: AsyncConnection,
    secrets: Secrets,
    user_id: int,
    session_id: int,
    word: str,
    place: Place,
    voice: Voice,
    at_ms: int,
) -> RowMapping:
    """Use a link up and move the account to its address; return the user's row as before.

    All sessions but this one end, and links that the old address was sent are worthless. LinkOver,
    AddressTaken, NoSuchUser: the caller lets them end the transaction. Only inside `writing`.
    """
    await take_turns(connection, TURN)
    found = await use(connection, secrets, Purpose.NEW_EMAIL, word, at_ms)
    email = _address(found, user_id)
    user = await locked_user(connection, user_id)
    known = await account_of(connection, email, folds=place.folds)
    if known is not None and known["id"] != user_id:
        raise AddressTaken
    columns = {"email": email, "email_norm": normalised_email(email), "verified_ms": at_ms}
    try:
        await change_user(connection, user_id, columns)
    except IntegrityError:
        # Somebody else than a visitor took it just now: the configuration, or an operator.
        raise AddressTaken from None
    for purpose in (Purpose.NEW_EMAIL, Purpose.RESET):
        await revoke(connection, purpose, user_id)
    await end_sessions(connection, user_id, but=session_id)
    await tell(connection, user, voice, "email_changed", new=masked(email))
    return user


def masked(email: str) -> str:
    """Return an address as others may see it: its first character, and its domain."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1]}…@{domain}"


def _address(found: OneTime | None, user_id: int) -> str:
    if found is None or found.user_id != user_id:
        raise LinkOver
    email: str = found.data["email"]
    return email
