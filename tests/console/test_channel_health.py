"""How a channel is doing: what counts, and from which calls."""

import pytest
from sqlalchemy import insert

from tests.people.stock import STOCK
from tests.people.test_key_totals import NOON, day
from tests.services.pages import House
from tollbridge.api.apply import apply
from tollbridge.console.channel_health import health_of, read_health
from tollbridge.storage.query_tables import rollup, rollup_floor
from tollbridge.storage.rollup_marks import DAY, FIVE_MINUTES, HOUR
from tollbridge.storage.unit_of_work import reading, writing

HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("answered", "counted", "word"),
    [
        (0, 0, "quiet"),
        (98, 100, "good"),
        (97, 100, "shaky"),
        (80, 100, "shaky"),
        (79, 100, "failing"),
        (0, 1, "failing"),
    ],
)
def test_words(answered: int, counted: int, word: str) -> None:
    assert health_of(answered, counted) == word


async def test_the_calls_of_this_hour_and_the_last_count(house: House) -> None:
    await apply(house.engine, house.secrets, STOCK, environ={})
    await house.refresh()
    main, vault = (house.snapshot.channels_by_name[name].id for name in ("main", "vault"))

    async def health() -> str:
        async with reading(house.engine) as connection:
            found = await read_health(connection, house.snapshot, NOON + 60_000)
        # Nobody could answer there, whatever was answered before.
        assert found[vault] == "unstaffed"
        return found[main]

    async def called(start_ms: int, calls: int, answered: int, faults: int) -> None:
        row = {**day(1, 1, start_ms, calls, 0), "span": HOUR, "channel_id": main}
        row |= {"answered": answered, "client_faults": faults}
        async with writing(house.engine) as connection:
            await connection.execute(insert(rollup).values(**row))

    async with writing(house.engine) as connection:
        floors = [{"span": span, "start_ms": 0} for span in (DAY, HOUR, FIVE_MINUTES)]
        await connection.execute(insert(rollup_floor), floors)
    assert await health() == "quiet"
    await called(NOON - 2 * HOUR_MS, 10, 0, 0)
    assert await health() == "quiet"
    await called(NOON - HOUR_MS, 10, 5, 5)
    assert await health() == "good"
    await called(NOON, 1, 0, 0)
    assert await health() == "shaky"
