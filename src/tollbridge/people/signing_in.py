"""Owns signing in and out: password, then the second factor where it is on, and the session of each.

What the page tells a visitor is the same for every address that is not the visitor's own: an unknown
address costs the same work as a wrong password. Every entry begins a new session and ends the one
that the browser had. Must not know of pages; how often somebody may try is theirs to count.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import RowMapping, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.core.secrets import Secrets
from tollbridge.identity.passwords import password_matches, password_outdated
from tollbridge.identity.sessions import (
    Session,
    Stage,
    end_session,
    find_session,
    start_session,
)
from tollbridge.identity.users import find_user
from tollbridge.people.passwords import Check, hashed, matches
from tollbridge.people.second_factor import take_code
from tollbridge.people.telling import Voice, tell
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import reading, working

HALF_MS: Final = 10 * 60_000
"""How long a session waits for the second factor."""


class NotRecognised(Exception):
    """No such address, or not its password: which of them is not told."""


class Suspended(Exception):
    """The user must not be here now; told only to who has shown to be that user."""


class SignedOut(Exception):
    """The session is over."""


@dataclass(frozen=True, slots=True)
class Browser:
    """Where somebody signs in: address and name of the browser, and the session cookie it sent."""

    address: str
    agent: str
    cookie: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Recognised:
    """Somebody whose password was right a moment ago; `password_hash` is what it was held against."""

    user_id: int
    password_hash: str


@dataclass(frozen=True, slots=True, repr=False)
class Entry:
    """A session that has begun: what the cookie is to hold, and whether a second factor is due."""

    token: str
    stage: Stage


async def recognise(
    engine: AsyncEngine, email: str, password: str, *, check: Check = password_matches
) -> Recognised:
    """Return who has this address and password. NotRecognised; Suspended after a right password.

    A hash that was made with other parameters than today's is made anew.
    """
    async with reading(engine) as connection:
        user = await find_user(connection, email)
    stored = user["password_hash"] if user and user["deleted_ms"] is None else None
    if not await matches(stored, password, check) or user is None or stored is None:
        raise NotRecognised
    if user["status"] != "active":
        raise Suspended
    if password_outdated(stored):
        stored = await _renewed(engine, user["id"], stored, password)
    return Recognised(user["id"], stored)


async def enter(
    connection: AsyncConnection,
    secrets: Secrets,
    user_id: int,
    browser: Browser,
    at_ms: int,
    *,
    password_hash: str | None = None,
) -> Entry:
    """Begin the session of somebody who was recognised, by a password (give its hash) or otherwise.

    With a second factor it is a half one, good for nothing but `finish`. Suspended when the user must
    not be here, NotRecognised when the password was changed in between.
    """
    user = await _locked(connection, user_id)
    if user["status"] != "active" or user["deleted_ms"] is not None:
        raise Suspended
    if password_hash is not None and user["password_hash"] != password_hash:
        raise NotRecognised
    stage: Stage = "full" if user["totp_secret"] is None else "second"
    await leave(connection, secrets, browser.cookie, at_ms)
    return await _begun(connection, secrets, user_id, stage, browser, at_ms)


async def half_of(
    connection: AsyncConnection, secrets: Secrets, cookie: str, at_ms: int
) -> Session | None:
    """Return the session of a cookie that waits for the second factor; None when there is none."""
    session = await find_session(connection, secrets, cookie, at_ms)
    if session is None or session.stage != "second":
        return None
    return session if at_ms - session.created_ms < HALF_MS else None


async def finish(
    connection: AsyncConnection,
    secrets: Secrets,
    half: Session,
    code: str,
    browser: Browser,
    at_ms: int,
) -> Entry:
    """Take a code and begin the full session instead of the half one. WrongCode, SignedOut."""
    user = await _locked(connection, half.user_id)
    if user["status"] != "active":
        raise SignedOut
    await take_code(connection, secrets, half.user_id, code, at_ms)
    if not await end_session(connection, half.user_id, half.id):
        raise SignedOut
    return await _begun(connection, secrets, half.user_id, "full", browser, at_ms)


async def end_half(connection: AsyncConnection, half: Session, voice: Voice) -> None:
    """End a half session that saw too many wrong codes, and tell its user: the password is known."""
    if await end_session(connection, half.user_id, half.id):
        await tell(connection, await _locked(connection, half.user_id), voice, "too_many_codes")


async def leave(connection: AsyncConnection, secrets: Secrets, cookie: str, at_ms: int) -> None:
    """End the session of a cookie, if there is one."""
    session = await find_session(connection, secrets, cookie, at_ms)
    if session is not None:
        await end_session(connection, session.user_id, session.id)


async def prove(
    engine: AsyncEngine, user_id: int, password: str, *, check: Check = password_matches
) -> bool:
    """Tell whether a password is the one of a user; outside of transactions."""
    async with reading(engine) as connection:
        query = select(users.c.password_hash).where(users.c.id == user_id)
        stored = (await connection.execute(query)).scalar_one_or_none()
    return await matches(stored, password, check)


async def _renewed(engine: AsyncEngine, user_id: int, stored: str, password: str) -> str:
    """Store a password's hash with today's parameters, unless it was changed meanwhile."""
    fresh = await hashed(password)
    same = (users.c.id == user_id) & (users.c.password_hash == stored)
    async with working(engine) as connection:
        done = await connection.execute(update(users).where(same).values(password_hash=fresh))
    return fresh if done.rowcount else stored


async def _locked(connection: AsyncConnection, user_id: int) -> RowMapping:
    query = select(users).where(users.c.id == user_id).with_for_update()
    return (await connection.execute(query)).mappings().one()


async def _begun(
    connection: AsyncConnection,
    secrets: Secrets,
    user_id: int,
    stage: Stage,
    browser: Browser,
    at_ms: int,
) -> Entry:
    token = await start_session(
        connection, secrets, user_id, stage, at_ms, address=browser.address, agent=browser.agent
    )
    return Entry(token, stage)
