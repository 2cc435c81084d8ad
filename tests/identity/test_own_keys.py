"""Proof that a user's keys are named, those that are gone last, and nobody else's."""

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.services.control_plane import database_url, engine
from tollbridge.core.clock import now_ms
from tollbridge.identity.own_keys import key_names
from tollbridge.identity.users import add_user
from tollbridge.storage.tables import api_keys
from tollbridge.storage.unit_of_work import reading, writing

__all__ = ["database_url", "engine"]


async def test_names_in_order(engine: AsyncEngine):
    fixed = {
        "last6": "abcdef", "enabled": True, "ips": "[]", "models": "[]", "may_pin": False, "rpm": 0,
        "tpm": 0, "concurrency": 0, "created_ms": 1,
    }  # fmt: skip
    async with writing(engine) as connection:
        for number in (1, 2):
            columns = {"role": "user", "group_name": "default", "wallet_id": number}
            await add_user(connection, number, f"{number}@example.com", now_ms(), columns)
        for place, (user_id, name, gone) in enumerate(
            [(1, "b", None), (1, "a", 5), (1, "c", None), (2, "d", None)]
        ):
            key = {"id": place, "user_id": user_id, "name": name, "hash": bytes([place])}
            await connection.execute(insert(api_keys).values({**fixed, **key, "deleted_ms": gone}))
    async with reading(engine) as connection:
        assert await key_names(connection, 1) == ["b", "c", "a"]
        assert await key_names(connection, 3) == []
