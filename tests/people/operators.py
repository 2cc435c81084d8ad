"""Owns what tests of operators' doings share: who does it, the log, a wallet's figures."""

import json
from typing import Any

from sqlalchemy import select

from tests.services.pages import House
from tollbridge.identity.audit import Actor, Wanted, lines
from tollbridge.storage.ledger_tables import purse
from tollbridge.storage.tables import change, users
from tollbridge.storage.unit_of_work import reading

BOSS = Actor(7, "boss@example.com", "console", "192.0.2.7")


async def row_of(house: House, user_id: int) -> dict[str, Any]:
    """Return a user's row."""
    async with reading(house.engine) as connection:
        query = select(users).where(users.c.id == user_id)
        return dict((await connection.execute(query)).mappings().one())


async def available(house: House, user_id: int) -> int:
    """Return a user's balance in nano-dollars."""
    async with reading(house.engine) as connection:
        query = select(purse.c.available).where(
            purse.c.owner_id == user_id, purse.c.kind == "wallet"
        )
        return int((await connection.execute(query)).scalar_one())


async def noted(house: House) -> list[tuple[str, Any, Any]]:
    """Return (action, subject's id, detail) of the log, the oldest first."""
    async with reading(house.engine) as connection:
        found = await lines(connection, Wanted())
    return [
        (line["action"], line["subject_id"], json.loads(line["detail"])) for line in reversed(found)
    ]


async def version(house: House) -> int:
    """Return the counter that servers watch."""
    async with reading(house.engine) as connection:
        return int((await connection.execute(select(change.c.version))).scalar_one())
