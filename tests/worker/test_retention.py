"""Proof that one run removes what is too old, asks for another when it is long, and nothing unasked."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.rollup_oracle import call, catch_up
from tests.storage.usage_writer import indexed
from tollbridge.core.clock import now_ms
from tollbridge.storage.rollups import begin
from tollbridge.worker.retention import Retention

_DAY_MS = 86_400_000


@pytest.fixture
async def old(engine: AsyncEngine) -> AsyncEngine:
    """Return a database with more old calls than one transaction removes, and one of today."""
    await begin(engine, now_ms())
    for _ in range(3):
        await call(engine, now_ms() - 100 * _DAY_MS)
    await call(engine, now_ms())
    await catch_up(engine)
    return engine


async def test_a_run_removes_all_and_a_short_one_asks_for_another(old: AsyncEngine):
    assert await Retention(old, 40, run_ms=0, at_once=2).run() is True
    assert len(await indexed(old)) == 2
    assert await Retention(old, 40, at_once=2).run() is False
    assert len(await indexed(old)) == 1


async def test_for_ever_is_the_default(old: AsyncEngine):
    assert await Retention(old, 0).run() is False
    assert len(await indexed(old)) == 4
