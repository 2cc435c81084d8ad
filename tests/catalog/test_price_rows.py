"""Proof that prices are appended, never changed, and come back as they were planned."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.catalog.sample import MODEL
from tollbridge.catalog.file import parse_file
from tollbridge.catalog.model_rows import match_models
from tollbridge.catalog.price_rows import match_price, price_of
from tollbridge.catalog.prices import ImagePrice
from tollbridge.storage.tables import models, prices
from tollbridge.storage.unit_of_work import writing

PLAN = parse_file(MODEL, {}).models[0]
CHEAPER = parse_file(MODEL.replace('"2.50"', '"2.40"'), {}).models[0]


async def test_a_price_ends_and_another_begins(engine: AsyncEngine):
    async with writing(engine) as connection:
        await match_models(connection, [PLAN], at_ms=100, prune=False)
        model_id = (await connection.execute(select(models.c.id))).scalar_one()
        assert not await match_price(connection, model_id, PLAN.price, 200)
        assert await match_price(connection, model_id, CHEAPER.price, 300)
        assert await match_price(connection, model_id, None, 400)
        assert not await match_price(connection, model_id, None, 500)
        query = select(prices).order_by(prices.c.valid_from_ms)
        rows = (await connection.execute(query)).mappings().all()
    assert [(row["valid_from_ms"], row["valid_to_ms"]) for row in rows] == [(100, 300), (300, 400)]
    first, second = (price_of(row, "gpt-5.4") for row in rows)
    assert (first.rates.input, second.rates.input) == (2_500_000_000, 2_400_000_000)
    assert first.rates_for(200_001).input == 5_000_000_000
    assert first.rates.audio_output == first.rates.output
    assert (first.web_search, first.request) == (10_000_000, 0)
    assert first.images == (ImagePrice("1024x1024", "high", 190_000_000),)


async def test_a_clock_that_went_back_ends_no_price_before_it_began(engine: AsyncEngine):
    async with writing(engine) as connection:
        await match_models(connection, [PLAN], at_ms=100, prune=False)
        await match_models(connection, [CHEAPER], at_ms=50, prune=False)
        query = select(prices.c.valid_to_ms).where(prices.c.valid_from_ms == 100)
        assert (await connection.execute(query)).scalar_one() == 100
