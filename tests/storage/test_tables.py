"""Proof that the database itself refuses what must never be stored in the control plane."""

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.storage.tables import change, models, prices, users

USER = {
    "id": 1,
    "email": "A@x.org",
    "email_norm": "a@x.org",
    "role": "user",
    "group_name": "default",
    "status": "active",
    "wallet_id": 1,
    "created_ms": 1,
}
MODEL = {
    "id": 1,
    "name": "m",
    "context": 1,
    "max_output": 1,
    "sizes": "[]",
    "n_max": 0,
    "prompt_max": 0,
    "text_max": 0,
    "enabled": True,
    "created_ms": 1,
}
PRICE = {"id": 1, "model_id": 1, "valid_from_ms": 5, "rates": "{}", "tiers": "[]", "items": "{}"}


@pytest.mark.parametrize(
    ("table", "good", "bad"),
    [
        (users, USER, {**USER, "id": 2, "email": "b", "wallet_id": 2}),
        (users, USER, {**USER, "id": 2, "email": "b", "email_norm": "b"}),
        (
            users,
            USER,
            {**USER, "id": 2, "email": "b", "email_norm": "b", "wallet_id": 2, "role": "x"},
        ),
        (models, MODEL, {**MODEL, "id": 2}),
        (models, MODEL, {**MODEL, "id": 2, "name": "n", "context": 0}),
        (change, None, {"id": 2, "version": 1}),
        (prices, None, PRICE),
    ],
)
async def test_a_bad_row_is_refused(engine: AsyncEngine, table, good, bad):
    async with engine.connect() as connection:
        if good:
            await connection.execute(insert(table).values(**good))
        with pytest.raises(IntegrityError):
            await connection.execute(insert(table).values(**bad))


async def test_a_model_has_one_open_price_and_any_number_of_ended_ones(engine: AsyncEngine):
    async with engine.connect() as connection:
        await connection.execute(insert(models).values(**MODEL))
        for number in (1, 2):
            ended = {**PRICE, "id": number, "valid_to_ms": 5}
            await connection.execute(insert(prices).values(**ended))
        await connection.execute(insert(prices).values(**{**PRICE, "id": 3}))
        with pytest.raises(IntegrityError):
            await connection.execute(insert(prices).values(**{**PRICE, "id": 4}))
