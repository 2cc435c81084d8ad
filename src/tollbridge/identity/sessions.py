"""Owns where people are signed in: one row a browser, found by the HMAC of its cookie.

A session ends by sign-out, by its owner's or an operator's word, after a month, and after a week
without a visit. Must not know of cookies or requests.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from secrets import token_urlsafe
from typing import Final, Literal

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.clock import new_id
from tollbridge.core.secrets import Secrets
from tollbridge.storage.people_tables import sessions
from tollbridge.storage.tables import users

LIFE_MS: Final = 30 * 86_400_000
IDLE_MS: Final = 7 * 86_400_000
SEEN_EVERY_MS: Final = 60_000
"""A visit is written down at most once in so many milliseconds."""
PROOF_MS: Final = 15 * 60_000
"""How long a proof of being the owner is good for what is dangerous."""

Stage = Literal["second", "full"]
_DOMAIN = "session"
_AGENT_MAX, _ADDRESS_MAX = 200, 64
_TOKEN_MAX = 128


@dataclass(frozen=True, slots=True)
class Session:
    """A session and its user, as pages need them. Times are milliseconds since 1970."""

    id: int
    stage: Stage
    created_ms: int
    seen_ms: int
    proved_ms: int
    user_id: int
    email: str
    role: str
    group: str
    wallet_id: int
    language: str | None
    zone: str | None
    second_factor: bool

    def proved(self, at_ms: int) -> bool:
        """Tell whether the owner has proved to be the owner a moment ago."""
        return at_ms - self.proved_ms < PROOF_MS


async def start_session(
    connection: AsyncConnection,
    secrets: Secrets,
    user_id: int,
    stage: Stage,
    at_ms: int,
    *,
    address: str,
    agent: str,
) -> str:
    """Begin a session and return what the browser's cookie is to hold. Always a new one: a cookie
    that was there before somebody signed in is worth nothing afterwards (fixation).
    """
    token = token_urlsafe(32)
    await connection.execute(
        insert(sessions).values(
            id=new_id(),
            user_id=user_id,
            hash=secrets.mark(_DOMAIN, token),
            stage=stage,
            created_ms=at_ms,
            seen_ms=at_ms,
            expires_ms=at_ms + LIFE_MS,
            proved_ms=at_ms,
            address=address[:_ADDRESS_MAX],
            agent=agent[:_AGENT_MAX],
        )
    )
    return token


async def find_session(
    connection: AsyncConnection, secrets: Secrets, token: str, at_ms: int
) -> Session | None:
    """Return the session of a cookie; None when it is over or its user must not be here any more."""
    if not token or len(token) > _TOKEN_MAX or not token.isascii():
        return None
    query = _QUERY.where(
        sessions.c.hash == secrets.mark(_DOMAIN, token),
        sessions.c.expires_ms > at_ms,
        sessions.c.seen_ms > at_ms - IDLE_MS,
        users.c.status == "active",
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    return _session(row) if row else None


async def note_visit(connection: AsyncConnection, session_id: int, at_ms: int) -> None:
    """Write down that a session was used."""
    this = update(sessions).where(sessions.c.id == session_id)
    await connection.execute(this.values(seen_ms=at_ms))


async def note_proof(connection: AsyncConnection, session_id: int, at_ms: int) -> None:
    """Write down that the owner has just proved to be the owner."""
    this = update(sessions).where(sessions.c.id == session_id)
    await connection.execute(this.values(proved_ms=at_ms))


async def sessions_of(
    connection: AsyncConnection, user_id: int, at_ms: int
) -> Sequence[RowMapping]:
    """Return a user's living sessions, the last used first: id, created, seen, address, agent."""
    query = (
        select(*(sessions.c[name] for name in ("id", "created_ms", "seen_ms", "address", "agent")))
        .where(
            sessions.c.user_id == user_id,
            sessions.c.stage == "full",
            sessions.c.expires_ms > at_ms,
            sessions.c.seen_ms > at_ms - IDLE_MS,
        )
        .order_by(sessions.c.seen_ms.desc(), sessions.c.id.desc())
    )
    return (await connection.execute(query)).mappings().all()


async def end_session(connection: AsyncConnection, user_id: int, session_id: int) -> bool:
    """End one session of a user; tell whether there was one."""
    this = (sessions.c.id == session_id) & (sessions.c.user_id == user_id)
    return bool((await connection.execute(delete(sessions).where(this))).rowcount)


async def end_sessions(connection: AsyncConnection, user_id: int, *, but: int | None = None) -> int:
    """End all sessions of a user, but perhaps one; return how many there were."""
    those = sessions.c.user_id == user_id
    if but is not None:
        those &= sessions.c.id != but
    return (await connection.execute(delete(sessions).where(those))).rowcount


async def forget_ended(connection: AsyncConnection, at_ms: int) -> int:
    """Remove the rows of sessions that are over; return how many."""
    over = (sessions.c.expires_ms <= at_ms) | (sessions.c.seen_ms <= at_ms - IDLE_MS)
    return (await connection.execute(delete(sessions).where(over))).rowcount


_QUERY = select(
    sessions.c.id,
    sessions.c.stage,
    sessions.c.created_ms,
    sessions.c.seen_ms,
    sessions.c.proved_ms,
    users.c.id.label("user_id"),
    users.c.email,
    users.c.role,
    users.c.group_name,
    users.c.wallet_id,
    users.c.language,
    users.c.zone,
    users.c.totp_secret.is_not(None).label("second_factor"),
).join_from(sessions, users, sessions.c.user_id == users.c.id)


def _session(row: RowMapping) -> Session:
    values = dict(row)
    return Session(group=values.pop("group_name"), **values)
