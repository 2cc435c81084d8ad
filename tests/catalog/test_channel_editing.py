"""Saving and switching one channel: the file's readers and writers, with one thing in them."""

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.catalog.sample import CHANNEL, ENVIRON, SITE
from tollbridge.catalog.channel_editing import (
    NeedsClearing,
    channel_row,
    channel_table,
    read_table,
    save_channel,
    switch_channel,
)
from tollbridge.catalog.channel_rows import match_channels
from tollbridge.catalog.edits import NoSuchRow
from tollbridge.catalog.fields import FileError
from tollbridge.catalog.file import parse_file
from tollbridge.core.secrets import Secrets
from tollbridge.storage.tables import accounts, channels
from tollbridge.storage.unit_of_work import writing


async def filed(connection: Any, secrets: Secrets) -> int:
    """Write the sample's channel and return its id."""
    plans = parse_file(SITE + CHANNEL, ENVIRON).channels
    await match_channels(connection, secrets, plans, at_ms=1, prune=False)
    return int((await connection.execute(select(channels.c.id))).scalar_one())


async def test_a_row_is_the_table_that_it_was_made_of(engine: AsyncEngine, secrets: Secrets):
    async with writing(engine) as connection:
        channel_id = await filed(connection, secrets)
        table = channel_table(await channel_row(connection, channel_id))
        [plan] = parse_file(SITE + CHANNEL, ENVIRON).channels
        read = read_table(table, allow_private=False)
        assert read.models == plan.models and read.limits == plan.limits
        edit = await save_channel(connection, secrets, channel_id, table, 2, keep={"proxy"})
        assert not edit.after


async def test_a_name_belongs_to_one(engine: AsyncEngine, secrets: Secrets):
    async with writing(engine) as connection:
        await filed(connection, secrets)
        with pytest.raises(FileError, match="already") as raised:
            await save_channel(
                connection, secrets, None, {"name": "main", "platform": "openai", "models": []}, 2
            )
        assert raised.value.field == "name"


async def test_secrets_do_not_travel_through_another_proxy(engine: AsyncEngine, secrets: Secrets):
    async with writing(engine) as connection:
        channel_id = await filed(connection, secrets)
        table = channel_table(await channel_row(connection, channel_id))
        with pytest.raises(NeedsClearing) as raised:
            await save_channel(connection, secrets, channel_id, table, 2)
        assert raised.value.accounts == 1
    async with writing(engine) as connection:
        channel_id = await filed(connection, secrets)
        edit = await save_channel(connection, secrets, channel_id, table, 2, clear=True)
        assert edit.after == {"proxy": "none"}
        query = select(accounts.c.name, accounts.c.secret != "").order_by(accounts.c.name)
        # The second has a proxy of its own.
        assert [tuple(row) for row in await connection.execute(query)] == [
            ("primary", False),
            ("second", True),
        ]


async def test_switching(engine: AsyncEngine, secrets: Secrets):
    async with writing(engine) as connection:
        channel_id = await filed(connection, secrets)
        assert not (await switch_channel(connection, channel_id, enabled=True)).after
        assert (await switch_channel(connection, channel_id, enabled=False)).after
        assert not (await channel_row(connection, channel_id))["enabled"]
        with pytest.raises(NoSuchRow):
            await switch_channel(connection, 7, enabled=True)
        with pytest.raises(NoSuchRow):
            await save_channel(connection, secrets, 7, {}, 2)
