"""Owns personal access tokens: making and revoking them, and recognising one in a request.

A token is stored as an HMAC with its last six characters. Recognised ones are remembered until
`clear`. Must not know what is asked with a token.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from secrets import choice

from sqlalchemy import RowMapping, Select, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.core.clock import new_id, now_ms
from tollbridge.core.secrets import Secrets, last6
from tollbridge.core.telemetry import get_logger
from tollbridge.identity.scopes import Scope
from tollbridge.storage.engine import DATABASE_ERRORS
from tollbridge.storage.rows import names_from_json, to_json
from tollbridge.storage.tables import access_tokens, users
from tollbridge.storage.unit_of_work import reading, working

PREFIX = "tbp_"
NAME_MAX = 64
USED_EVERY_MS = 60_000
"""A token's last use is written at most once in so many milliseconds."""

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_CHARS = 40
_TAG_CHARS = 6
_FORM = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM_CHARS + _TAG_CHARS}}}", re.ASCII)
# Domains of the pepper, so that neither can be taken for a customer's key nor for each other.
_HASH, _TAG = "access token", "access token tag"
_REMEMBERED_MAX = 10_000
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token and its user, as requests need them. Times are milliseconds since 1970.

    `scopes` are the words it was made with; what they give now is `scopes.effective`'s to say.
    """

    id: int
    user_id: int
    email: str
    role: str
    user_active: bool
    name: str
    last6: str
    scopes: tuple[str, ...]
    created_ms: int
    expires_ms: int | None
    revoked_ms: int | None
    used_ms: int | None

    def dead(self, at_ms: int) -> str:
        """Say in one word why it must not be used; "" when it may."""
        if self.revoked_ms is not None:
            return "revoked"
        if self.expires_ms is not None and self.expires_ms <= at_ms:
            return "expired"
        return "" if self.user_active else "suspended"


def mint(secrets: Secrets) -> str:
    """Return a new token: prefix, 40 random characters, 6 of check tag."""
    stem = PREFIX + "".join(choice(_BASE62) for _ in range(_RANDOM_CHARS))
    return stem + _tag(secrets, stem)


def tag_ok(secrets: Secrets, token: str) -> bool:
    """Tell whether this installation made a token; a random guess never reaches the database."""
    if not _FORM.fullmatch(token):
        return False
    return compare_digest(_tag(secrets, token[:-_TAG_CHARS]), token[-_TAG_CHARS:])


def _tag(secrets: Secrets, stem: str) -> str:
    number = int.from_bytes(secrets.mark(_TAG, stem), "big")
    tag = ""
    for _ in range(_TAG_CHARS):
        number, digit = divmod(number, len(_BASE62))
        tag += _BASE62[digit]
    return tag


async def add_token(
    connection: AsyncConnection,
    secrets: Secrets,
    user_id: int,
    name: str,
    scopes: Iterable[Scope],
    *,
    at_ms: int,
    expires_ms: int | None = None,
) -> tuple[int, str]:
    """Insert a new token; return its id, and the token itself, which is shown once.

    What its user's role allows is the caller's to check (`scopes.beyond`).
    """
    token, token_id = mint(secrets), new_id()
    await connection.execute(
        insert(access_tokens).values(
            id=token_id,
            user_id=user_id,
            name=name,
            hash=secrets.mark(_HASH, token),
            last6=last6(token),
            scopes=to_json(sorted(scopes)),
            created_ms=at_ms,
            expires_ms=expires_ms,
        )
    )
    return token_id, token


async def find_token(connection: AsyncConnection, token_id: int) -> AccessToken | None:
    """Return a token by its id, None when there is none."""
    row = (await connection.execute(_QUERY.where(access_tokens.c.id == token_id))).mappings()
    found = row.one_or_none()
    return _record(found) if found else None


async def list_tokens(
    connection: AsyncConnection,
    *,
    user_id: int | None = None,
    after: int | None = None,
    limit: int | None = None,
) -> list[AccessToken]:
    """Return tokens by id, of all users or one, those after an id."""
    query = _QUERY.order_by(access_tokens.c.id).limit(limit)
    if user_id is not None:
        query = query.where(access_tokens.c.user_id == user_id)
    if after is not None:
        query = query.where(access_tokens.c.id > after)
    return [_record(row) for row in (await connection.execute(query)).mappings()]


async def revoke_token(connection: AsyncConnection, token_id: int, at_ms: int) -> bool:
    """Make a token useless for ever; False when it was so before. It stays in the list."""
    live = (access_tokens.c.id == token_id) & access_tokens.c.revoked_ms.is_(None)
    changed = await connection.execute(update(access_tokens).where(live).values(revoked_ms=at_ms))
    return changed.rowcount > 0


class TokenStore:
    """Remembers tokens until `clear`, which the owner calls whenever `change.version` moves.

    Lives on one event loop; `stop` waits for the last notes of use.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        secrets: Secrets,
        *,
        clock_ms: Callable[[], int] = now_ms,
        remembered_max: int = _REMEMBERED_MAX,
    ) -> None:
        self._engine = engine
        self._secrets = secrets
        self._clock_ms = clock_ms
        self._remembered_max = remembered_max
        # None: rightly formed, and yet no such token.
        self._remembered: OrderedDict[bytes, AccessToken | None] = OrderedDict()
        self._noted: dict[int, int] = {}
        # The loop keeps no strong reference to a task.
        self._tasks: set[asyncio.Task[None]] = set()
        self._age = 0

    async def find(self, token: str) -> AccessToken | None:
        """Return a token whatever its state, None when there is no such token.

        DATABASE_ERRORS when the database cannot be asked; nothing is remembered then.
        """
        if not tag_ok(self._secrets, token):
            return None
        digest = sha256(token.encode()).digest()
        if digest in self._remembered:
            self._remembered.move_to_end(digest)
            return self._remembered[digest]
        age = self._age
        record = await self._query(self._secrets.mark(_HASH, token))
        # What was read before a change must not outlive it.
        if age == self._age:
            self._remember(digest, record)
        return record

    def clear(self) -> None:
        """Forget every token; what is being read now is not kept."""
        self._age += 1
        self._remembered.clear()

    def note_use(self, token: AccessToken) -> None:
        """Have this use written down, now and then, while the request goes on."""
        at_ms = self._clock_ms()
        last_ms = max(self._noted.get(token.id, 0), token.used_ms or 0)
        if last_ms <= at_ms < last_ms + USED_EVERY_MS:
            return
        if len(self._noted) >= self._remembered_max:
            self._noted.clear()
        self._noted[token.id] = at_ms
        task = asyncio.create_task(self._write_use(token.id, at_ms))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Wait until every use that was noted is written; idempotent."""
        await asyncio.gather(*self._tasks)

    async def _query(self, token_hash: bytes) -> AccessToken | None:
        query = _QUERY.where(access_tokens.c.hash == token_hash)
        async with reading(self._engine) as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return _record(row) if row else None

    def _remember(self, digest: bytes, record: AccessToken | None) -> None:
        self._remembered[digest] = record
        if len(self._remembered) > self._remembered_max:
            self._remembered.popitem(last=False)

    async def _write_use(self, token_id: int, at_ms: int) -> None:
        """Another process may have written a moment ago: then this is no write."""
        used = access_tokens.c.used_ms
        due = (access_tokens.c.id == token_id) & or_(
            used.is_(None), used <= at_ms - USED_EVERY_MS, used > at_ms
        )
        try:
            async with working(self._engine) as connection:
                await connection.execute(update(access_tokens).where(due).values(used_ms=at_ms))
        except DATABASE_ERRORS as error:
            _log.warning("a token's use was not noted", reason=type(error).__name__)


_COLUMNS = (
    "id", "user_id", "name", "last6", "scopes", "created_ms", "expires_ms", "revoked_ms", "used_ms",
)  # fmt: skip
_QUERY: Select[tuple[object, ...]] = select(
    *(access_tokens.c[name] for name in _COLUMNS), users.c.email, users.c.role, users.c.status
).join_from(access_tokens, users, access_tokens.c.user_id == users.c.id)


def _record(row: RowMapping) -> AccessToken:
    plain = {name: row[name] for name in _COLUMNS if name != "scopes"}
    return AccessToken(
        **plain,
        email=row["email"],
        role=row["role"],
        user_active=row["status"] == "active",
        scopes=names_from_json(row["scopes"]),
    )
