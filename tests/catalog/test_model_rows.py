"""Proof that models match their plans, once, and that pruning switches off and never deletes."""

from dataclasses import replace

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.catalog.sample import MODEL
from tollbridge.catalog.file import parse_file
from tollbridge.catalog.model_rows import match_models, priced_models
from tollbridge.storage.tables import models
from tollbridge.storage.unit_of_work import writing

PLAN = parse_file(MODEL, {}).models[0]
OTHER = replace(PLAN, name="other", price=None)


async def test_lines_say_what_changed_and_a_second_run_says_nothing(engine: AsyncEngine):
    async with writing(engine) as connection:
        assert await match_models(connection, [PLAN, OTHER], at_ms=1, prune=False) == [
            "+ model gpt-5.4",
            "+ model other",
        ]
        assert await match_models(connection, [PLAN, OTHER], at_ms=2, prune=True) == []
        assert await priced_models(connection) == {"gpt-5.4": True, "other": False}
        wider = replace(PLAN, context=9, price=None)
        lines = await match_models(connection, [wider], at_ms=3, prune=False)
        assert lines == ["~ model gpt-5.4: context, price"]


async def test_pruning_switches_off_and_naming_switches_on(engine: AsyncEngine):
    async with writing(engine) as connection:
        await match_models(connection, [PLAN, OTHER], at_ms=1, prune=False)
        pruned = await match_models(connection, [OTHER], at_ms=2, prune=True)
        assert pruned == ["- model gpt-5.4: switched off"]
        assert await match_models(connection, [OTHER], at_ms=2, prune=True) == []
        assert await priced_models(connection) == {"other": False}
        assert (
            await connection.execute(select(func.count()).select_from(models))
        ).scalar_one() == 2
        again = await match_models(connection, [PLAN], at_ms=3, prune=False)
        assert again == ["~ model gpt-5.4: enabled"]
