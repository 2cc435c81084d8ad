"""Owns the second factor of users: switching it on and off, and taking a code of either kind once.

The secret is sealed in the user's row. A code of the app counts for one half minute, and the row's
last half minute only grows, so that neither a code seen over a shoulder nor two requests at once get
in with the same one. Use cases run in the caller's transaction (`working`).
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import RowMapping, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.secrets import Secrets, SecretsError
from tollbridge.core.telemetry import get_logger
from tollbridge.identity import one_time, recovery, totp
from tollbridge.identity.one_time import Purpose
from tollbridge.identity.users import change_user
from tollbridge.people.telling import Voice, tell
from tollbridge.storage.tables import users

_LIFE_MS: Final = 30 * 60_000
_log = get_logger(__name__)


class WrongCode(Exception):
    """The code is not right now, or was used before."""


class EnrolmentOver(Exception):
    """It was begun too long ago or anew since, or a second factor is on by now: begin again."""


@dataclass(frozen=True, slots=True, repr=False)
class Enrolment:
    """A second factor about to be switched on. `word` comes back with the form, the secret does not.

    `picture` is an SVG for the page, `secret` the same to type.
    """

    word: str
    secret: str
    uri: str
    picture: str


async def begin_totp(
    connection: AsyncConnection,
    secrets: Secrets,
    user_id: int,
    site_name: str,
    label: str,
    at_ms: int,
) -> Enrolment:
    """Make a secret that a code confirms within half an hour; EnrolmentOver when one is on already.

    `label` is what the picture says to those who do not see it.
    """
    user = await _locked(connection, user_id)
    if user["totp_secret"] is not None:
        raise EnrolmentOver
    await one_time.revoke(connection, Purpose.TOTP, user_id)
    secret = totp.new_secret()
    word = await one_time.issue(
        connection,
        secrets,
        Purpose.TOTP,
        at_ms=at_ms,
        life_ms=_LIFE_MS,
        user_id=user_id,
        data={"secret": secrets.seal(secret, _row(user_id))},
    )
    return _enrolment(word, secret, user["email"], site_name, label)


async def enrolment_of(
    connection: AsyncConnection,
    secrets: Secrets,
    user_id: int,
    word: str,
    site_name: str,
    label: str,
    at_ms: int,
) -> Enrolment:
    """Return what was begun, to be shown again after a wrong code; EnrolmentOver when it is over.

    Needs no more than `reading`.
    """
    secret = await _begun(connection, secrets, user_id, word, at_ms)
    query = select(users.c.email).where(users.c.id == user_id)
    email = (await connection.execute(query)).scalar_one()
    return _enrolment(word, secret, email, site_name, label)


async def confirm_totp(
    connection: AsyncConnection,
    secrets: Secrets,
    user_id: int,
    word: str,
    code: str,
    voice: Voice,
    at_ms: int,
) -> list[str]:
    """Switch the second factor on and return the recovery codes, which are shown once.

    WrongCode, EnrolmentOver: nothing was done. The code that confirms cannot be used to sign in.
    """
    user = await _locked(connection, user_id)
    secret = await _begun(connection, secrets, user_id, word, at_ms)
    if user["totp_secret"] is not None:
        raise EnrolmentOver
    step = totp.step_of(secret, code, at_ms)
    if step is None:
        raise WrongCode
    await one_time.revoke(connection, Purpose.TOTP, user_id)
    sealed = secrets.seal(secret, _row(user_id))
    await change_user(connection, user_id, {"totp_secret": sealed, "totp_step": step})
    await tell(connection, user, voice, "totp_changed", what="on")
    return await recovery.replace_codes(connection, secrets, user_id)


async def disable_totp(connection: AsyncConnection, user_id: int, voice: Voice) -> bool:
    """Switch the second factor off, its recovery codes with it; False when it was off."""
    user = await _locked(connection, user_id)
    if user["totp_secret"] is None:
        return False
    await change_user(connection, user_id, {"totp_secret": None, "totp_step": None})
    await recovery.forget_codes(connection, user_id)
    await tell(connection, user, voice, "totp_changed", what="off")
    return True


async def new_recovery_codes(
    connection: AsyncConnection, secrets: Secrets, user_id: int
) -> list[str]:
    """Return new recovery codes, which are shown once, instead of the old ones; [] when it is off."""
    user = await _locked(connection, user_id)
    if user["totp_secret"] is None:
        return []
    return await recovery.replace_codes(connection, secrets, user_id)


async def take_code(
    connection: AsyncConnection, secrets: Secrets, user_id: int, typed: str, at_ms: int
) -> None:
    """Use up a code of the app or a recovery code; WrongCode when it is neither, or was used."""
    query = select(users.c.totp_secret).where(users.c.id == user_id)
    sealed = (await connection.execute(query)).scalar_one_or_none()
    if sealed is None:
        raise WrongCode
    if not totp.looks_typed(typed):
        if not await recovery.use_code(connection, secrets, user_id, typed, at_ms):
            raise WrongCode
        return
    step = totp.step_of(_opened(secrets, sealed, user_id), typed, at_ms)
    if step is None or not await _took_step(connection, user_id, step):
        raise WrongCode


def _opened(secrets: Secrets, sealed: str, user_id: int) -> str:
    """Return the secret. WrongCode where the key file is not the one it was sealed with: then no code
    can be right, and the operator hears of it in the log.
    """
    try:
        return secrets.open(sealed, _row(user_id))
    except SecretsError:
        _log.warning("second_factor_does_not_open", user=user_id)
        raise WrongCode from None


async def _took_step(connection: AsyncConnection, user_id: int, step: int) -> bool:
    newer = or_(users.c.totp_step.is_(None), users.c.totp_step < step)
    this = (users.c.id == user_id) & users.c.totp_secret.is_not(None) & newer
    taken = await connection.execute(update(users).where(this).values(totp_step=step))
    return taken.rowcount > 0


async def _begun(
    connection: AsyncConnection, secrets: Secrets, user_id: int, word: str, at_ms: int
) -> str:
    found = await one_time.look_at(connection, secrets, Purpose.TOTP, word, at_ms)
    if found is None or found.user_id != user_id:
        raise EnrolmentOver
    try:
        return secrets.open(found.data["secret"], _row(user_id))
    except SecretsError:
        # The key that sealed it was dropped meanwhile.
        raise EnrolmentOver from None


async def _locked(connection: AsyncConnection, user_id: int) -> RowMapping:
    query = select(users).where(users.c.id == user_id).with_for_update()
    return (await connection.execute(query)).mappings().one()


def _enrolment(word: str, secret: str, email: str, site_name: str, label: str) -> Enrolment:
    uri = totp.uri_of(secret, email, site_name)
    return Enrolment(word, secret, uri, totp.picture_of(uri, label))


def _row(user_id: int) -> str:
    """Return what the secret is sealed to; rotation seals it anew under the same (catalog.sealed)."""
    return f"user:{user_id}:totp_secret"
