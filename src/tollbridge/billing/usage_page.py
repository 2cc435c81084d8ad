"""Owns pages of a user's calls: which are theirs, what is shown of each, where the pages join.

Names of keys and channels are those of today; a call keeps the ones it was made under. How many
calls there are in all is never counted: roll-ups tell. Must not know how a page is written.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.protocols.usage import TOKEN_BUCKETS
from tollbridge.storage.call_search import SPAN, Narrowed, Wanted, find_calls
from tollbridge.storage.tables import api_keys, channels

_COUNTS = (*TOKEN_BUCKETS, "reasoning")
_LAST = (1 << 128) - 1


class UnknownName(Exception):
    """There is no such key of the user, or no such channel; `field` says which was asked for."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


@dataclass(frozen=True, slots=True)
class Asked(Narrowed):
    """Which calls of a user: None is any."""

    key: str | None = None
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class UsageLine:
    """One settled call as its user sees it in a list. Amounts are nano-dollars.

    `charge` is what was booked, `reversed` what of it was given back since.
    """

    tid: str
    at_ms: int
    key_id: int
    key_name: str
    model_asked: str
    model_sent: str | None
    model_answered: str | None
    channel: str
    surface: str
    platform: str | None
    stream: bool
    client: str | None
    status: int
    end_state: str
    error: str | None
    flags: tuple[str, ...]
    service_tier: str | None
    counts: dict[str, int]
    charge: int
    reversed: int
    list_cost: int
    first_token_ms: int | None
    total_ms: int


@dataclass(frozen=True, slots=True)
class UsagePage:
    """A page, newest first: `older` and `newer` are the tids to go on from, None where it ends."""

    lines: tuple[UsageLine, ...]
    older: str | None
    newer: str | None


async def read_page(
    connection: AsyncConnection,
    user_id: int,
    asked: Asked,
    *,
    limit: int,
    after: str | None = None,
    before: str | None = None,
    span: int = SPAN,
) -> UsagePage:
    """Return the calls next to a tid: older than `after`, newer than `before`, else the newest.

    Looks at no more than `span` calls, so a page may have few lines or none and another behind it.
    Raises UnknownName.
    """
    wanted = await _wanted(connection, user_id, asked)
    found = await find_calls(connection, wanted, limit=limit, after=after, before=before, span=span)
    lines = tuple(_line(row) for row in found.rows)
    older = newer = found.on
    if before is None:
        # An empty page stands between: the way back begins with the call it was reached from.
        newer = None if after is None else lines[0].tid if lines else _beside(after, -1)
    else:
        older = lines[-1].tid if lines else _beside(before, 1)
    return UsagePage(lines, older, newer)


async def _wanted(connection: AsyncConnection, user_id: int, asked: Asked) -> Wanted:
    key_id = channel_id = None
    if asked.key is not None:
        mine = api_keys.c.user_id == user_id, api_keys.c.name == asked.key
        key_id = await _id_of(connection, select(api_keys.c.id).where(*mine), "key")
    if asked.channel is not None:
        named = channels.c.name == asked.channel
        channel_id = await _id_of(connection, select(channels.c.id).where(named), "channel")
    # The key is the user's own, so that its calls are theirs; with a model the index of both helps.
    by_key = key_id is not None and asked.model is None
    return asked.by(user_id=None if by_key else user_id, key_id=key_id, channel_id=channel_id)


async def _id_of(connection: AsyncConnection, query: Select[Any], field: str) -> int:
    found = (await connection.execute(query)).scalar_one_or_none()
    if found is None:
        raise UnknownName(field)
    return int(found)


def _beside(tid: str, step: int) -> str:
    return f"{min(max(int(tid, 16) + step, 0), _LAST):032x}"


def _line(row: RowMapping) -> UsageLine:
    return UsageLine(
        tid=row["tid"],
        at_ms=row["at_ms"],
        key_id=row["key_id"],
        key_name=row["key_name"],
        model_asked=row["model_asked"],
        model_sent=row["model_sent"],
        model_answered=row["model_answered"],
        channel=row["channel_name"],
        surface=row["surface"],
        platform=row["platform"],
        stream=row["stream"],
        client=row["client"],
        status=row["status"],
        end_state=row["end_state"],
        error=row["error_kind"],
        flags=tuple(filter(None, row["flags"].split(","))),
        service_tier=row["service_tier"],
        counts={name: row[name] for name in _COUNTS if row[name]},
        charge=row["charge"],
        reversed=row["reversed"],
        list_cost=row["list_cost"],
        first_token_ms=row["first_token_ms"],
        total_ms=row["total_ms"],
    )
