"""Owns editing one channel: what it is as a table of the configuration file, and saving one.

The same fields are checked by the same readers and written by the same writers as `tollbridge apply`
uses. Must not know where a table comes from. Every change needs a transaction of `writing`.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlalchemy import RowMapping, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.catalog.channel_fields import CHANNEL_FIELDS, read_channel
from tollbridge.catalog.channel_rows import put_channel
from tollbridge.catalog.edits import NOWHERE, Edit, NoSuchRow, edit_of
from tollbridge.catalog.fields import Fields
from tollbridge.catalog.peak import DAYS, Peak, clock_text
from tollbridge.catalog.plan import ChannelPlan
from tollbridge.catalog.sealed import SEALING_TURN
from tollbridge.catalog.site_rows import read_site
from tollbridge.catalog.token_rows import forget_oauth
from tollbridge.core.money import Multiplier
from tollbridge.core.phrase import phrase
from tollbridge.core.secrets import Secrets
from tollbridge.storage.tables import accounts, channels
from tollbridge.storage.unit_of_work import take_turns

_LISTS: Final = ("surfaces", "models", "capabilities", "groups")
_PLAIN: Final = (
    *("name", "platform", "client_policy", "requires_telegram"),
    *("rpm", "tpm", "concurrency"),
)
_FIXED: Final = frozenset({"platform", "enabled"})


class NeedsClearing(Exception):
    """Another proxy would carry the secrets of so many accounts that have no proxy of their own."""

    def __init__(self, accounts: int) -> None:
        super().__init__(f"{accounts} accounts send their secrets through this proxy")
        self.accounts = accounts


async def save_channel(
    connection: AsyncConnection,
    secrets: Secrets,
    channel_id: int | None,
    table: Mapping[str, Any],
    at_ms: int,
    *,
    keep: Collection[str] = (),
    clear: bool = False,
) -> Edit:
    """Make a channel, a new one without an id, what a table of the file says; accounts stay.

    A channel keeps its platform and whether it is switched on. `keep` may hold "proxy". Another proxy
    takes the secrets of the accounts that use it away, if `clear` agrees to that (architecture.md,
    "Storage"). FileError for a faulty field, NoSuchRow, NeedsClearing.
    """
    await take_turns(connection, SEALING_TURN)
    row = None if channel_id is None else await channel_row(connection, channel_id)
    if row is not None:
        table = {**table, "platform": row["platform"]}
    site = await read_site(connection)
    plan = read_table(table, allow_private=site.allow_private_upstreams)
    await _refuse_name(connection, plan, channel_id)
    stays = {*keep, *_FIXED} if row is not None else set[str]()
    written = await put_channel(connection, secrets, row, plan, at_ms=at_ms, keep=stays)
    if row is not None and "proxy" in written.changes:
        await _clear_secrets(connection, row["id"], clear=clear)
    action = "channel.make" if written.made else "channel.change"
    return edit_of(action, "channel", row, written.id, plan.name, written.changes)


def read_table(table: Mapping[str, Any], *, allow_private: bool) -> ChannelPlan:
    """Return the plan of a channel's table; FileError names the faulty field."""
    fields = _fields(table)
    return read_channel(fields, {}, allow_private=allow_private)


def _fields(table: Mapping[str, Any]) -> Fields:
    return Fields(dict(table), (), NOWHERE, CHANNEL_FIELDS, what=phrase("a channel"))


async def _refuse_name(
    connection: AsyncConnection, plan: ChannelPlan, channel_id: int | None
) -> None:
    query = select(channels.c.id).where(channels.c.name == plan.name)
    found = (await connection.execute(query)).scalar_one_or_none()
    if found not in {None, channel_id}:
        raise _fields({}).error("name", phrase("there is a channel of this name already"))


async def _clear_secrets(connection: AsyncConnection, channel_id: int, *, clear: bool) -> None:
    """Take away what would travel through another proxy now; NeedsClearing unless that is agreed to."""
    query = select(accounts.c.id, accounts.c.secret, accounts.c.auth).where(
        accounts.c.channel_id == channel_id, accounts.c.proxy == ""
    )
    rows = (await connection.execute(query)).all()
    bearing = [row.id for row in rows if row.secret or row.auth == "oauth"]
    if bearing and not clear:
        raise NeedsClearing(len(bearing))
    for account_id in bearing:
        values = {"secret": "", "headers": ""}
        await connection.execute(
            update(accounts).where(accounts.c.id == account_id).values(**values)
        )
        await forget_oauth(connection, account_id)


async def switch_channel(connection: AsyncConnection, channel_id: int, *, enabled: bool) -> Edit:
    """Switch a channel on or off; NoSuchRow."""
    row = await channel_row(connection, channel_id)
    changes = {} if row["enabled"] == enabled else {"enabled": enabled}
    if changes:
        this = channels.c.id == channel_id
        await connection.execute(update(channels).where(this).values(**changes))
    action = "channel.enable" if enabled else "channel.disable"
    return edit_of(action, "channel", row, row["id"], row["name"], changes)


async def channel_row(connection: AsyncConnection, channel_id: int) -> RowMapping:
    """Return a channel's row, its proxy sealed; NoSuchRow."""
    query = select(channels).where(channels.c.id == channel_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        raise NoSuchRow
    return row


def channel_table(row: RowMapping) -> dict[str, Any]:
    """Return a channel as the file would say it, without its proxy; ValueError for a damaged row."""
    table: dict[str, Any] = {name: row[name] for name in _PLAIN}
    table |= {name: json.loads(row[name]) for name in (*_LISTS, "mapping")}
    table["multiplier"] = Multiplier(row["multiplier_num"], row["multiplier_den"]).text()
    peak = Peak.of_text(row["peak"])
    if peak is not None:
        table["peak"] = {
            "from": clock_text(peak.start),
            "to": clock_text(peak.end),
            "zone": peak.zone,
            "days": [DAYS[day] for day in sorted(peak.days)],
            "factor": peak.factor.text(),
        }
    return table
