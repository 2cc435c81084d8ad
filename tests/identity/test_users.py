"""Proof of the rows of users and keys: one address a user, and no secret in the database."""

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.identity.rows import key_columns, user_columns
from tollbridge.core.secrets import Secrets
from tollbridge.identity.users import (
    add_key,
    add_user,
    change_key,
    change_user,
    find_user,
    key_with_secret,
    keys_of,
    normalised_email,
    secret_columns,
)
from tollbridge.storage.tables import api_keys
from tollbridge.storage.unit_of_work import writing

SECRET = "sk-" + "s" * 40


def test_addresses_are_one_whatever_their_case():
    assert normalised_email(" Demo@Example.COM ") == "demo@example.com"


async def test_a_user_is_found_by_any_spelling_and_cannot_be_there_twice(engine: AsyncEngine):
    async with writing(engine) as connection:
        await add_user(connection, 1, "Demo@Example.com", 5, user_columns(wallet_id=11))
        found = await find_user(connection, "DEMO@example.COM")
        assert found and (found["id"], found["email"]) == (1, "Demo@Example.com")
        assert await find_user(connection, "other@example.com") is None
        with pytest.raises(IntegrityError):
            await add_user(connection, 2, "demo@example.com", 5, user_columns(wallet_id=12))
        await connection.rollback()


async def test_changes_reach_only_their_row(engine: AsyncEngine):
    async with writing(engine) as connection:
        await add_user(connection, 1, "a@b.org", 5, user_columns(wallet_id=11))
        await add_user(connection, 2, "c@d.org", 5, user_columns(wallet_id=12))
        await change_user(connection, 1, {"role": "admin"})
        await change_user(connection, 2, {})
        roles = [
            row["role"]
            for mail in ("a@b.org", "c@d.org")
            if (row := await find_user(connection, mail))
        ]
    assert roles == ["admin", "user"]


async def test_a_key_is_stored_without_its_secret(engine: AsyncEngine, secrets: Secrets):
    async with writing(engine) as connection:
        await add_user(connection, 1, "a@b.org", 5, user_columns(wallet_id=11))
        columns = key_columns(**secret_columns(secrets, SECRET))
        await add_key(connection, 7, 1, 5, columns)
        await change_key(connection, 7, {"enabled": False})
        await change_key(connection, 7, {})
        row = (await connection.execute(select(api_keys))).mappings().one()
        assert await keys_of(connection, 1) == {"demo": row}
        assert await key_with_secret(connection, secrets, SECRET) == row
        assert await key_with_secret(connection, secrets, SECRET + "x") is None
        await change_key(connection, 7, {"deleted_ms": 9})
        assert await keys_of(connection, 1) == {}
    assert not row["enabled"]
    assert SECRET[:-6] not in str(row)
    assert (row["last6"], len(row["hash"])) == ("ssssss", 32)
