"""Owns what operators ask of calls: names, addresses and ends of keys in, ids to search by out.

Whoever has ids already (a program) and whoever types names (a person) get the same search. Reads
only. Must not know pages.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.storable import id_in
from tollbridge.identity.users import find_user
from tollbridge.storage.call_search import Narrowed, Wanted
from tollbridge.storage.tables import accounts, api_keys, channels

_END_LENGTH: Final = 6


@dataclass(frozen=True, slots=True)
class CallWish(Narrowed):
    """Which calls; "" and None are any.

    `user` is an address or id, `key` an id or the last six characters, `channel` and `account` are a
    name or id.
    """

    user: str = ""
    key: str = ""
    channel: str = ""
    account: str = ""


class NotFound(Exception):
    """A filter names what is not there, or not one thing alone: `field`, and whether several fit."""

    def __init__(self, field: str, *, several: bool) -> None:
        super().__init__(field)
        self.field = field
        self.several = several


async def wanted_of(connection: AsyncConnection, wish: CallWish) -> Wanted:
    """Return the search for what is wished; NotFound."""
    channel_id = await _named(connection, channels, "channel", wish.channel, {})
    of_channel = {} if channel_id is None else {"channel_id": channel_id}
    account_id = await _named(connection, accounts, "account", wish.account, of_channel)
    if account_id is not None and channel_id is None:
        # An account is of one channel, and calls of a channel are found by an index.
        query = select(accounts.c.channel_id).where(accounts.c.id == account_id)
        channel_id = (await connection.execute(query)).scalar_one_or_none()
    return wish.by(
        user_id=await _user(connection, wish.user),
        key_id=await _key(connection, wish.key),
        channel_id=channel_id,
        account_id=account_id,
    )


async def _user(connection: AsyncConnection, text: str) -> int | None:
    if not text:
        return None
    number = id_in(text)
    if number is not None:
        return number
    row = await find_user(connection, text)
    if row is None:
        raise NotFound("user", several=False)
    return int(row["id"])


async def _key(connection: AsyncConnection, text: str) -> int | None:
    """Return the id of a key; six digits may be both an end and an id, and ids are longer."""
    if not text:
        return None
    end = text.removeprefix("…")
    if len(end) != _END_LENGTH:
        number = id_in(end)
        if number is None:
            raise NotFound("key", several=False)
        return number
    query = select(api_keys.c.id).where(api_keys.c.last6 == end).limit(2)
    return _only("key", list((await connection.execute(query)).scalars()))


async def _named(
    connection: AsyncConnection, table: Table, field: str, text: str, within: dict[str, Any]
) -> int | None:
    """Return the id of a channel or account by name; one that is gone is found by its id alone."""
    if not text:
        return None
    query = select(table.c.id).where(table.c.name == text).limit(2)
    for name, value in within.items():
        query = query.where(table.c[name] == value)
    found = list((await connection.execute(query)).scalars())
    number = id_in(text)
    return number if not found and number is not None else _only(field, found)


def _only(field: str, found: list[int]) -> int:
    if len(found) != 1:
        raise NotFound(field, several=bool(found))
    return found[0]
