"""Proof that what was seen is what is written, new models included."""

import pytest
from sqlalchemy import select

from tests.services.pages import House
from tollbridge.core.clock import now_ms
from tollbridge.identity.audit import SHELL
from tollbridge.people.first_channel import FirstChannel, save_first_channel
from tollbridge.people.first_prices import (
    ChangedMeanwhile,
    Offer,
    Size,
    offered,
    price_rows,
    take_offer,
)
from tollbridge.storage.tables import models
from tollbridge.storage.unit_of_work import reading, writing

MODEL = "gpt-4o-mini"
SIZES = {MODEL: Size(128_000, 16_384)}
WISH = FirstChannel(
    "main", "openai", (MODEL, "nobody-knows", "gpt-*"), "https://api.example.com", "secret-secret"
)


async def channel(house: House) -> int | None:
    async with writing(house.engine) as connection:
        run = await save_first_channel(connection, house.secrets, SHELL, WISH, now_ms())
    return run.channel_id


async def offer(house: House, channel_id: int | None) -> Offer:
    async with reading(house.engine) as connection:
        return await offered(connection, channel_id, now_ms())


async def take(
    house: House, channel_id: int | None, mark: str, sizes: dict[str, Size]
) -> list[str]:
    async with writing(house.engine) as connection:
        return await take_offer(connection, SHELL, channel_id, mark, sizes, now_ms())


async def test_what_is_offered_is_written_and_sold(house: House) -> None:
    channel_id = await channel(house)
    found = await offer(house, channel_id)
    assert [one.name for one in found.differing()] == [MODEL]
    assert found.left == ("gpt-*", "nobody-knows")
    rows = {name: (before, after) for name, before, after in price_rows(found.changes[0])}
    assert rows["input"][0] is None and rows["input"][1]
    assert await take(house, channel_id, found.mark(), SIZES) == [MODEL]
    await house.refresh()
    assert channel_id is not None
    assert MODEL in house.snapshot.visible[channel_id]
    sold = house.snapshot.model(MODEL)
    assert sold is not None and sold.price is not None
    assert (sold.context, sold.max_output) == (128_000, 16_384)
    assert sold.price.rates.input == rows["input"][1]
    again = await offer(house, channel_id)
    assert again.differing() == []
    assert await take(house, channel_id, again.mark(), {}) == []


async def test_another_mark_or_a_model_without_its_size_writes_nothing(house: House) -> None:
    channel_id = await channel(house)
    mark = (await offer(house, channel_id)).mark()
    for word, sizes in (("x", SIZES), ("", SIZES), (mark, {})):
        with pytest.raises(ChangedMeanwhile):
            await take(house, channel_id, word, sizes)
    async with reading(house.engine) as connection:
        assert (await connection.execute(select(models))).all() == []


async def test_a_model_that_is_switched_off_is_sold_again(house: House) -> None:
    channel_id = await channel(house)
    mark = (await offer(house, channel_id)).mark()
    await take(house, channel_id, mark, SIZES)
    async with writing(house.engine) as connection:
        await connection.execute(models.update().values(enabled=False))
    found = await offer(house, channel_id)
    assert found.changes[0].sold.id is None
    await take(house, channel_id, found.mark(), SIZES)
    await house.refresh()
    assert house.snapshot.model(MODEL) is not None


async def test_without_a_channel_there_is_nothing(house: House) -> None:
    for channel_id in (None, 5):
        found = await offer(house, channel_id)
        assert found == Offer((), ())
        assert await take(house, channel_id, found.mark(), {}) == []
