"""Owns recognising a key: from the secret in a request to the record of who calls.

Known and refused secrets are remembered by their SHA-256, so that the hot path is one look-up in a
dict. The database knows keys by their HMAC alone. Must not know what a key may do with a channel.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import Any, Final, Literal, TypeAlias

from sqlalchemy import RowMapping, Select, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.core.errors import ApiError, Kind
from tollbridge.core.secrets import Secrets, looks_minted
from tollbridge.storage.engine import DATABASE_ERRORS
from tollbridge.storage.rows import names_from_json
from tollbridge.storage.tables import api_keys, users
from tollbridge.storage.unit_of_work import reading

_KNOWN_MAX = 100_000
_REFUSED_MAX = 10_000
# Longer than any key that can be stored.
_SECRET_MAX = 512


class _Missing(Enum):
    MISSING = "not looked up yet"


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key and its user as calls need them. `channel_id` None is auto; times in milliseconds.

    For a secret that was rotated away `last6` is its own and `expires_ms` no later than its grace.

    `models` empty: all of the channel. `limit_purse_id` is None where the key has no limit, and
    `budget_nano` and `budget_period` (day, week or month) where it has no budget. Limits of the
    rate are 0 where there is none; those of the user hold for all the user's keys together.
    """

    id: int
    user_id: int
    wallet_id: int
    limit_purse_id: int | None
    name: str
    last6: str
    channel_id: int | None
    enabled: bool
    user_active: bool
    user_group: str
    user_role: str
    expires_ms: int | None
    ips: tuple[str, ...]
    models: frozenset[str]
    may_pin: bool
    rpm: int
    tpm: int
    concurrency: int
    user_rpm: int
    user_tpm: int
    user_concurrency: int
    budget_nano: int | None
    budget_period: str | None
    user_telegram: bool = False
    """Whether the user is bound to Telegram."""
    pin: str = ""
    """What stood behind the key in this request: a channel, or a channel/account."""


Cached: TypeAlias = KeyRecord | Literal[_Missing.MISSING] | None


class KeyStore:
    """Remembers keys until `clear`, which the owner calls whenever `change.version` moves.

    Lives on one event loop. Look-ups of one secret at the same time share one query.
    """

    MISSING: Final = _Missing.MISSING

    def __init__(
        self,
        engine: AsyncEngine,
        secrets: Secrets,
        *,
        known_max: int = _KNOWN_MAX,
        refused_max: int = _REFUSED_MAX,
    ) -> None:
        """Remember at most so many known and refused secrets; the longest unused goes first."""
        self._engine = engine
        self._secrets = secrets
        self._known_max = known_max
        self._refused_max = refused_max
        self._known: OrderedDict[bytes, KeyRecord] = OrderedDict()
        self._refused: OrderedDict[bytes, None] = OrderedDict()
        self._flying: dict[bytes, asyncio.Task[KeyRecord | None]] = {}
        # The loop keeps no strong reference to a task.
        self._tasks: set[asyncio.Task[KeyRecord | None]] = set()
        self._age = 0

    def cached(self, secret: bytes) -> Cached:
        """Return the record, None for a secret known to be wrong, MISSING when `find` must look."""
        digest = digest_of(secret)
        record = self.known(digest)
        if record is not None:
            return record
        return None if digest in self._refused else _Missing.MISSING

    def known(self, digest: bytes) -> KeyRecord | None:
        """Return the record of the secret with this `digest_of`, None where it is not remembered."""
        record = self._known.get(digest)
        if record is not None:
            self._known.move_to_end(digest)
        return record

    async def find(self, secret: bytes) -> KeyRecord | None:
        """Return the record of a secret, None when there is no such key.

        ApiError (database_down) when the database cannot be asked; nothing is remembered then.
        """
        remembered = self.cached(secret)
        if remembered is not _Missing.MISSING:
            return remembered
        if not secret.isascii() or len(secret) > _SECRET_MAX:
            return None
        text = secret.decode("ascii")
        # Nobody can guess a check tag, so such a key never costs a query nor a place in memory.
        if looks_minted(text) and not self._secrets.check_tag_ok(text):
            return None
        digest = digest_of(secret)
        task = self._flying.get(digest) or self._take_off(digest, text)
        # One caller that is cancelled must not take the others' answer away.
        return await asyncio.shield(task)

    def clear(self) -> None:
        """Forget everything; a query that is running now answers its callers but is not kept."""
        self._age += 1
        self._known.clear()
        self._refused.clear()
        self._flying.clear()

    def _take_off(self, digest: bytes, secret: str) -> asyncio.Task[KeyRecord | None]:
        task = asyncio.create_task(self._look_up(digest, secret))
        self._flying[digest] = task
        self._tasks.add(task)
        task.add_done_callback(self._landed)
        return task

    def _landed(self, task: asyncio.Task[KeyRecord | None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # Every caller may have gone; an error that nobody takes is not news.
            task.exception()

    async def _look_up(self, digest: bytes, secret: str) -> KeyRecord | None:
        age = self._age
        try:
            record = await self._query(self._secrets.key_hash(secret))
        except DATABASE_ERRORS:
            raise ApiError(Kind.DATABASE_DOWN) from None
        finally:
            if age == self._age:
                self._flying.pop(digest, None)
        if age == self._age:
            self._remember(digest, record)
        return record

    async def _query(self, key_hash: bytes) -> KeyRecord | None:
        async with reading(self._engine) as connection:
            rows = (await connection.execute(with_hash(_QUERY, key_hash))).mappings().all()
        # The file may give a key the secret that another was rotated away from: its owner wins.
        row = min(rows, key=lambda row: row["hash"] != key_hash, default=None)
        return _record(row, key_hash) if row else None

    def _remember(self, digest: bytes, record: KeyRecord | None) -> None:
        if record is None:
            self._refused[digest] = None
            if len(self._refused) > self._refused_max:
                self._refused.popitem(last=False)
            return
        self._known[digest] = record
        if len(self._known) > self._known_max:
            self._known.popitem(last=False)


def digest_of(secret: bytes) -> bytes:
    """Return what a secret is remembered by."""
    return sha256(secret).digest()


def with_hash(query: Select[Any], key_hash: bytes) -> Select[Any]:
    """Narrow a query of keys to those that have, or had before they were rotated, a secret.

    Each half has its index. A deleted key is nobody's.
    """
    known = or_(api_keys.c.hash == key_hash, api_keys.c.old_hash == key_hash)
    return query.where(known, api_keys.c.deleted_ms.is_(None))


_QUERY = select(
    api_keys,
    users.c.wallet_id,
    users.c.status,
    users.c.group_name,
    users.c.role,
    users.c.telegram_id,
    users.c.rpm.label("user_rpm"),
    users.c.tpm.label("user_tpm"),
    users.c.concurrency.label("user_concurrency"),
).join_from(api_keys, users, api_keys.c.user_id == users.c.id)


def _record(row: RowMapping, key_hash: bytes) -> KeyRecord:
    """Return the record for a secret: the one before the last rotation ends when its grace does."""
    last6, expires_ms = row["last6"], row["expires_ms"]
    if row["hash"] != key_hash:
        last6 = row["old_last6"]
        until_ms: int = row["old_until_ms"] or 0
        expires_ms = until_ms if expires_ms is None else min(expires_ms, until_ms)
    return KeyRecord(
        id=row["id"],
        user_id=row["user_id"],
        wallet_id=row["wallet_id"],
        limit_purse_id=row["limit_purse_id"] if row["limit_nano"] is not None else None,
        name=row["name"],
        last6=last6,
        channel_id=row["channel_id"],
        enabled=row["enabled"],
        user_active=row["status"] == "active",
        user_group=row["group_name"],
        user_role=row["role"],
        expires_ms=expires_ms,
        ips=names_from_json(row["ips"]),
        models=frozenset(names_from_json(row["models"])),
        may_pin=row["may_pin"],
        rpm=row["rpm"],
        tpm=row["tpm"],
        concurrency=row["concurrency"],
        user_rpm=row["user_rpm"],
        user_tpm=row["user_tpm"],
        user_concurrency=row["user_concurrency"],
        budget_nano=row["budget_nano"],
        budget_period=row["budget_period"],
        user_telegram=row["telegram_id"] is not None,
    )
