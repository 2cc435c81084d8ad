"""Owns a key with a budget for tests: its record, its row, and the purses that it has."""

from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.identity.rows import key_columns, user_columns
from tollbridge.identity.keys import KeyRecord
from tollbridge.storage.ledger_tables import purse
from tollbridge.storage.tables import api_keys, users
from tollbridge.storage.unit_of_work import reading, writing

USER, WALLET, KEY = 5, 6, 7
BUDGET = 100
"""Nano-dollars a day."""
DAY_MS = 86_400_000


def record(**values: Any) -> KeyRecord:
    """Return the record of the key."""
    facts = {
        "id": KEY, "user_id": USER, "wallet_id": WALLET, "limit_purse_id": None, "name": "demo",
        "last6": "abc123", "channel_id": None, "enabled": True, "user_active": True,
        "user_group": "default", "user_role": "user", "expires_ms": None, "ips": (),
        "models": frozenset(), "may_pin": False, "rpm": 0, "tpm": 0, "concurrency": 0,
        "user_rpm": 0, "user_tpm": 0, "user_concurrency": 0,
        "budget_nano": BUDGET, "budget_period": "day",
    }  # fmt: skip
    return KeyRecord(**{**facts, **values})


async def add_budgeted_key(engine: AsyncEngine) -> None:
    """Store the key and its user."""
    user = user_columns(email="a@b.c", email_norm="a@b.c", status="active", wallet_id=WALLET)
    key = key_columns(budget_nano=BUDGET, budget_period="day")
    async with writing(engine) as connection:
        await connection.execute(insert(users).values(id=USER, created_ms=1, **user))
        await connection.execute(
            insert(api_keys).values(
                id=KEY, user_id=USER, hash=b"h", last6="abc123", created_ms=1, **key
            )
        )


async def budget_purses(engine: AsyncEngine, key: int = KEY) -> list[tuple[int, ...]]:
    """Return (id, period start, available, held, granted) of a key's purses, the oldest first."""
    of = purse.c
    query = select(of.id, of.period_start, of.available, of.held, of.granted)
    mine = query.where(of.kind == "key_budget", of.owner_id == key).order_by(of.period_start)
    async with reading(engine) as connection:
        return [tuple(row) for row in await connection.execute(mine)]
