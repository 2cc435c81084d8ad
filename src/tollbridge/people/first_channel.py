"""Owns the first channel and account of a new site, and how far its first run has come.

Both are saved as operators save them later, checked by the same readers. The state is a row of
settings that is nobody's setting, so that another browser goes on where one has stopped. Changes need
a transaction of `writing`. Must not know pages.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.catalog.account_editing import account_row, account_table, save_account
from tollbridge.catalog.channel_editing import channel_row, channel_table, save_channel
from tollbridge.catalog.edits import Edit, NoSuchRow
from tollbridge.catalog.site_rows import change_site
from tollbridge.core.secrets import Secrets
from tollbridge.identity.audit import Actor, Subject, note
from tollbridge.people.setup_link import TURN
from tollbridge.storage.tables import channels, site
from tollbridge.storage.unit_of_work import take_turns

KEY: Final = "first_run"
ACCOUNT: Final = "first"
"""What the account of the first channel is called."""


@dataclass(frozen=True, slots=True)
class FirstRun:
    """How far the first run has come; `over` when its pages are closed."""

    channel_id: int | None = None
    account_id: int | None = None
    over: bool = False


@dataclass(frozen=True, slots=True)
class FirstChannel:
    """What to sell, at which platform, and the credential for it ("" keeps the one there is)."""

    name: str
    platform: str
    models: tuple[str, ...]
    base_url: str
    secret: str = field(repr=False)
    compatible: bool = False


async def read_first_run(connection: AsyncConnection) -> FirstRun:
    """Return how far it has come; a site that has channels and never had a first run needs none."""
    query = select(site.c.value).where(site.c.key == KEY)
    stored = (await connection.execute(query)).scalar_one_or_none()
    if stored is not None:
        return FirstRun(**json.loads(stored))
    found = (await connection.execute(select(channels.c.id).limit(1))).first()
    return FirstRun(over=found is not None)


async def read_first_channel(connection: AsyncConnection, run: FirstRun) -> FirstChannel | None:
    """Return what was saved, without its secret; None before, or when an operator removed it."""
    if run.channel_id is None or run.account_id is None:
        return None
    try:
        channel = channel_table(await channel_row(connection, run.channel_id))
        account = account_table(await account_row(connection, run.account_id))
    except NoSuchRow:
        return None
    return FirstChannel(
        channel["name"],
        channel["platform"],
        tuple(channel["models"]),
        account["base_url"],
        "",
        account["compatible"],
    )


async def save_first_channel(
    connection: AsyncConnection, secrets: Secrets, actor: Actor, wish: FirstChannel, at_ms: int
) -> FirstRun:
    """Make the first channel with its account, or change what was made before; FileError names a field.

    A channel that was made keeps its platform. Raises FirstRunOver.
    """
    run = await open_run(connection)
    before = await read_first_channel(connection, run)
    channel_id = run.channel_id if before is not None else None
    account_id = run.account_id if before is not None else None
    table: dict[str, Any] = {
        "name": wish.name,
        "platform": wish.platform,
        "models": list(wish.models),
    }
    if channel_id is not None:
        # What an operator has set meanwhile stays.
        table = {**channel_table(await channel_row(connection, channel_id)), **table}
    channel = await save_channel(connection, secrets, channel_id, table, at_ms, keep=("proxy",))
    own: dict[str, Any] = {
        "name": ACCOUNT,
        "base_url": wish.base_url,
        "compatible": wish.compatible and wish.platform == "openai",
    }
    if wish.secret:
        own["secret"] = wish.secret
    if account_id is not None:
        own = {**account_table(await account_row(connection, account_id)), **own}
    account = await save_account(
        connection, secrets, account_id, channel.id, own, at_ms, keep=("proxy", "headers")
    )
    for edit in (channel, account):
        await _note(connection, actor, edit, at_ms)
    now = FirstRun(channel.id, account.id)
    await _store(connection, now)
    return now


async def end_first_run(connection: AsyncConnection) -> None:
    """Close the pages of the first run for good. Raises FirstRunOver."""
    run = await open_run(connection)
    await _store(connection, FirstRun(run.channel_id, run.account_id, over=True))


async def open_run(connection: AsyncConnection) -> FirstRun:
    """Return how far it has come, for who changes it now, one after the other; FirstRunOver."""
    await take_turns(connection, TURN)
    run = await read_first_run(connection)
    if run.over:
        raise FirstRunOver
    return run


class FirstRunOver(Exception):
    """The first run was ended: channels are an operator's everyday business now."""


async def _store(connection: AsyncConnection, run: FirstRun) -> None:
    value = {"channel_id": run.channel_id, "account_id": run.account_id, "over": run.over}
    await change_site(connection, {KEY: value})


async def _note(connection: AsyncConnection, actor: Actor, edit: Edit, at_ms: int) -> None:
    subject = Subject(edit.kind, edit.id, edit.name)
    if edit.after:
        await note(
            connection, actor, edit.action, subject, at_ms, before=edit.before, after=edit.after
        )
