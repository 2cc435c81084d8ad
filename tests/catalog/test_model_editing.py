"""Saving one model: its price ends when the next begins; what is to come stays to come."""

from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.catalog.edits import NoSuchRow
from tollbridge.catalog.fields import FileError
from tollbridge.catalog.model_editing import (
    cancel_price,
    course_of,
    courses,
    model_row,
    model_table,
    save_model,
    switch_model,
)
from tollbridge.core.clock import now_ms
from tollbridge.storage.unit_of_work import writing

TABLE: dict[str, Any] = {"name": "m", "context": 9, "max_output": 3, "input": "1", "output": "2"}
FAR, FARTHER = 3_000_000_000_000, 4_000_000_000_000


async def test_prices_follow_each_other(engine: AsyncEngine):
    async with writing(engine) as connection:
        made = await save_model(connection, None, TABLE)
        later = TABLE | {"output": "5"}
        await save_model(connection, made.id, later, from_ms=FARTHER)
        await save_model(connection, made.id, TABLE | {"output": "4"}, from_ms=FAR)
        edit = await save_model(connection, made.id, TABLE | {"output": "3"})
        assert edit.before["price"]["output"] == "2.00"
        course = await course_of(connection, made.id, now_ms())
        assert course.now is not None and course.now.rates["output"] == 3_000_000_000
        assert [(one.from_ms, one.price.rates["output"]) for one in course.later] == [
            (FAR, 4_000_000_000),
            (FARTHER, 5_000_000_000),
        ]
        await cancel_price(connection, made.id, FAR)
        with pytest.raises(NoSuchRow):
            await cancel_price(connection, made.id, FAR)
        left = (await courses(connection, now_ms()))[made.id]
        assert [one.from_ms for one in left.later] == [FARTHER] and left.now == course.now


async def test_a_price_to_come_comes_later(engine: AsyncEngine):
    async with writing(engine) as connection:
        made = await save_model(connection, None, TABLE)
        bare = {name: TABLE[name] for name in ("name", "context", "max_output")}
        for table, from_ms in ((TABLE, 1), (bare, FAR)):
            with pytest.raises(FileError) as raised:
                await save_model(connection, made.id, table, from_ms=from_ms)
            assert raised.value.field == "from"


async def test_a_model_keeps_its_name_and_switch(engine: AsyncEngine):
    async with writing(engine) as connection:
        made = await save_model(connection, None, TABLE)
        with pytest.raises(FileError, match="already"):
            await save_model(connection, None, TABLE)
        assert (await switch_model(connection, made.id, enabled=False)).after
        edit = await save_model(connection, made.id, TABLE | {"name": "n", "n_max": 2})
        assert (edit.name, edit.after) == ("m", {"n_max": 2})
        row = await model_row(connection, made.id)
        assert not row["enabled"] and model_table(row)["n_max"] == 2
        with pytest.raises(NoSuchRow):
            await save_model(connection, 7, TABLE)
