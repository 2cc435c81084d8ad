"""Saving one account: it keeps what it proves itself with, unless that would be sent elsewhere."""

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.catalog.test_channel_editing import filed
from tollbridge.catalog.account_editing import (
    account_row,
    account_table,
    save_account,
    sign_account_in,
    switch_account,
)
from tollbridge.catalog.channel_rows import open_sealed
from tollbridge.catalog.edits import NoSuchRow
from tollbridge.catalog.fields import FileError
from tollbridge.catalog.oauth_fields import OAuthError
from tollbridge.catalog.plan import OAuthPlan
from tollbridge.core.secrets import Secrets
from tollbridge.storage.tables import accounts
from tollbridge.storage.unit_of_work import writing

KEPT = ("proxy", "headers")
NEW = {"name": "new", "base_url": "https://api.example.com", "secret": "s"}


async def first(connection: Any, secrets: Secrets) -> tuple[int, int, dict[str, Any]]:
    """Return the channel's and an account's id, and the account's table."""
    channel_id = await filed(connection, secrets)
    query = select(accounts.c.id).where(accounts.c.name == "primary")
    account_id = int((await connection.execute(query)).scalar_one())
    table = account_table(await account_row(connection, account_id))
    return channel_id, account_id, table | {"base_url": "https://api.example.com"}


async def settled(connection: Any, secrets: Secrets) -> tuple[int, int, dict[str, Any]]:
    """Return the same with the account at the address of the table."""
    channel_id, account_id, table = await first(connection, secrets)
    moved = table | {"secret": "s"}
    await save_account(connection, secrets, account_id, channel_id, moved, 2, keep=KEPT)
    return channel_id, account_id, table


async def test_nothing_differs_in_what_it_was(engine: AsyncEngine, secrets: Secrets):
    async with writing(engine) as connection:
        channel_id, account_id, table = await settled(connection, secrets)
        edit = await save_account(connection, secrets, account_id, channel_id, table, 3, keep=KEPT)
        assert not edit.after and edit.name == "main/primary"
        row = await account_row(connection, account_id)
        assert open_sealed(secrets, "account", row, "secret") == "s"


async def test_another_address_asks_for_the_secret(engine: AsyncEngine, secrets: Secrets):
    async with writing(engine) as connection:
        channel_id, account_id, table = await settled(connection, secrets)
        for change in ({"base_url": "https://other.example.com"}, {"proxy": "http://9.9.9.9:1"}):
            keep = set(KEPT) - set(change)
            with pytest.raises(FileError) as raised:
                await save_account(
                    connection, secrets, account_id, channel_id, table | change, 3, keep=keep
                )
            assert raised.value.field == "secret"


async def test_names_and_channels(engine: AsyncEngine, secrets: Secrets):
    async with writing(engine) as connection:
        channel_id, account_id, table = await settled(connection, secrets)
        taken = NEW | {"name": "primary"}
        with pytest.raises(FileError, match="already"):
            await save_account(connection, secrets, None, channel_id, taken, 3)
        with pytest.raises(NoSuchRow):
            await save_account(connection, secrets, account_id, 7, table, 3)
        with pytest.raises(NoSuchRow):
            await save_account(connection, secrets, 7, channel_id, table, 3)
        edit = await save_account(connection, secrets, None, channel_id, NEW, 3)
        assert edit.action == "account.make" and edit.after["secret"] == "set"
        bare = {"name": "bare", "base_url": "https://api.example.com"}
        with pytest.raises(FileError, match="secret"):
            await save_account(connection, secrets, None, channel_id, bare, 3)


async def test_signing_in_and_switching(engine: AsyncEngine, secrets: Secrets):
    plan = OAuthPlan("https://sign.example.com/token", "us", "CANARY")
    async with writing(engine) as connection:
        _, account_id, _ = await settled(connection, secrets)
        bad = OAuthPlan("http://169.254.169.254/t", "us", "r")
        with pytest.raises(OAuthError):
            await sign_account_in(connection, secrets, account_id, bad, 3)
        edit = await sign_account_in(connection, secrets, account_id, plan, 3)
        assert edit.after["refresh_token"] == "changed" and "CANARY" not in repr(edit)
        assert (await account_row(connection, account_id))["auth"] == "oauth"
        assert (await switch_account(connection, account_id, enabled=False)).after
        assert not (await switch_account(connection, account_id, enabled=False)).after
        with pytest.raises(NoSuchRow):
            await sign_account_in(connection, secrets, 7, plan, 3)
