"""The twin of support/uptime.py: what counts, on which day, and that it is one question of few rows."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, insert
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.people.test_key_totals import DAY_MS, NOON, TODAY, day
from tollbridge.storage.query_tables import (
    ROLLUP_BINS,
    rollup,
    rollup_floor,
    rollup_view,
    rollup_view_floor,
)
from tollbridge.storage.rollup_marks import DAY, FIVE_MINUTES, HOUR
from tollbridge.storage.unit_of_work import reading, writing
from tollbridge.support.uptime import DAYS, Tally, Uptime, read_uptime

SLOT_MS = FIVE_MINUTES * 1000
COUNTS = st.integers(0, 10**6)


def row(start_ms: int, calls: int, answered: int, faults: int = 0, **more: Any) -> dict[str, Any]:
    """Return a row of a roll-up of everybody's calls."""
    numbers = {"answered": answered, "client_faults": faults}
    return {**day(more.pop("user_id", 1), 1, start_ms, calls, 0), **numbers, **more}


async def kept(engine: AsyncEngine, since_ms: int = 0) -> None:
    """Say that roll-ups of all spans are kept."""
    floors = [{"span": DAY, "start_ms": 0}, {"span": HOUR, "start_ms": 0}]
    floors.append({"span": FIVE_MINUTES, "start_ms": since_ms})
    async with writing(engine) as connection:
        await connection.execute(insert(rollup_floor), floors)


async def uptime(engine: AsyncEngine, at_ms: int = NOON) -> Uptime:
    async with reading(engine) as connection:
        return await read_uptime(connection, at_ms)


@given(COUNTS, COUNTS)
def test_a_share_is_never_rounded_up(answered: int, failed: int) -> None:
    text = Tally(answered, answered + failed).percent()
    if answered + failed == 0:
        assert text is None
        return
    assert text is not None
    whole, _, decimals = text.partition(".")
    assert len(decimals) == 2
    hundredths = int(whole + decimals)
    exact = answered * 10_000
    assert hundredths * (answered + failed) <= exact < (hundredths + 1) * (answered + failed)
    assert (text == "100.00") == (failed == 0)


async def test_days_are_of_everybody_and_of_utc(engine: AsyncEngine) -> None:
    await kept(engine)
    async with writing(engine) as connection:
        rows = [
            row(TODAY, 10, 7, 2),
            row(TODAY, 5, 5, user_id=2),
            row(TODAY - (DAYS - 1) * DAY_MS, 4, 1),
            row(TODAY - DAYS * DAY_MS, 100, 0),
            row(TODAY, 3, 3, channel_id=2, model="other"),
            row(TODAY, 9, 9, span=HOUR),
        ]
        await connection.execute(insert(rollup), rows)
    found = await uptime(engine)
    assert len(found.days) == DAYS and found.days[-1].toordinal() - 719_163 == TODAY // DAY_MS
    days = found.days_of(1)
    assert (days[-1], days[0], days[1]) == (Tally(12, 13), Tally(1, 4), Tally())
    assert found.whole_of(1) == Tally(13, 17) and found.whole_of(2).percent() == "100.00"
    assert found.days_of(3) == (Tally(),) * DAYS and found.whole_of(3).percent() is None
    assert found.now_of(1) == Tally()


async def test_now_is_the_last_minutes(engine: AsyncEngine) -> None:
    await kept(engine)
    async with writing(engine) as connection:
        rows = [
            row(NOON, 2, 1, span=FIVE_MINUTES),
            row(NOON - 2 * SLOT_MS, 4, 4, 0, span=FIVE_MINUTES),
            row(NOON - 3 * SLOT_MS, 8, 0, 0, span=FIVE_MINUTES),
        ]
        await connection.execute(insert(rollup), rows)
    found = await uptime(engine, NOON + SLOT_MS - 1)
    assert found.now_of(1) == Tally(5, 6)
    assert found.whole_of(1) == Tally()


async def test_a_young_database_has_no_now(engine: AsyncEngine) -> None:
    assert (await uptime(engine)).by_day == {}
    await kept(engine, NOON)
    async with writing(engine) as connection:
        await connection.execute(insert(rollup), [row(TODAY, 1, 1)])
    found = await uptime(engine, NOON + 1)
    assert found.whole_of(1) == Tally(1, 1) and found.lately == {}


async def test_the_view_of_all_channels_is_read_where_there_is_one(engine: AsyncEngine) -> None:
    await kept(engine)
    zeros = {one.name: 0 for one in rollup_view.c if one.name not in ROLLUP_BINS}
    row_of_view = {**zeros, **dict.fromkeys(ROLLUP_BINS, ""), "model": "", "view": 4, "span": DAY}
    row_of_view |= {
        "start_ms": TODAY,
        "channel_id": 1,
        "status_class": 2,
        "calls": 9,
        "answered": 8,
    }
    async with writing(engine) as connection:
        floors = [{"span": DAY, "start_ms": 0}, {"span": HOUR, "start_ms": 0}]
        await connection.execute(insert(rollup_view_floor), floors)
        await connection.execute(insert(rollup_view), row_of_view)
    asked: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    found = await uptime(engine)
    event.remove(engine.sync_engine, "before_cursor_execute", note)
    assert found.whole_of(1) == Tally(8, 9)
    assert len([one for one in asked if "sum(" in one.lower()]) == 1


async def test_days_long_over_are_read_again_once_an_hour_and_when_the_day_changes(
    engine: AsyncEngine,
) -> None:
    await kept(engine)

    async def called(ago: int, channel: int = 1) -> None:
        values = row(TODAY - ago * DAY_MS, 1, 1, channel_id=channel, key_id=10 * channel + ago)
        async with writing(engine) as connection:
            await connection.execute(insert(rollup).values(values))

    async def again(before: Uptime, at_ms: int) -> Uptime:
        async with reading(engine) as connection:
            return await read_uptime(connection, at_ms, before)

    await called(5)
    await called(1)
    first = await uptime(engine)
    for ago in (0, 4):
        await called(ago)
        await called(ago, channel=2)
    second = await again(first, NOON + HOUR * 1000 - 1)
    assert [day.counted for day in second.days_of(1)[-6:]] == [1, 0, 0, 0, 1, 1]
    assert [day.counted for day in second.days_of(2)[-6:]] == [0, 0, 0, 0, 0, 1]
    third = await again(second, NOON + HOUR * 1000)
    assert [day.counted for day in third.days_of(1)[-6:]] == [1, 1, 0, 0, 1, 1]
    tomorrow = await again(second, TODAY + DAY_MS)
    assert [day.counted for day in tomorrow.days_of(1)[-7:]] == [1, 1, 0, 0, 1, 1, 0]
    assert third == await uptime(engine, NOON + HOUR * 1000)
