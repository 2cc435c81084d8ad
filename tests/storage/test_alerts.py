"""Proof on both engines that an alert is told when it opens, hourly while it lasts, and when it ends."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.storage.alerts import (
    TELL_AGAIN_MS,
    Alert,
    State,
    Telling,
    _is_due,
    close_others,
    close_quiet,
    list_alerts,
    note_closed,
    note_raised,
    take_due,
)
from tollbridge.storage.unit_of_work import working
from tollbridge.storage.work_tables import alert

T = 1_767_225_600_000
HOUR = TELL_AGAIN_MS


async def raised(engine: AsyncEngine, at_ms: int, subject: str = "a", **more) -> Telling | None:
    async with working(engine) as connection:
        return await note_raised(connection, "disk_low", subject, f"at {at_ms}", at_ms, **more)


async def closed(engine: AsyncEngine, at_ms: int, subject: str = "a") -> Telling | None:
    async with working(engine) as connection:
        return await note_closed(connection, "disk_low", subject, at_ms)


async def due(engine: AsyncEngine, at_ms: int) -> list[tuple[State, str, int]]:
    async with working(engine) as connection:
        tellings = await take_due(connection, at_ms)
    return [(state, row.subject, row.count) for state, row in tellings]


async def only(engine: AsyncEngine) -> Alert:
    async with working(engine) as connection:
        (row,) = (await connection.execute(select(alert))).mappings()
    return Alert.of(row)


async def test_told_at_once_and_then_hourly(engine: AsyncEngine):
    opened = await raised(engine, T)
    assert opened is not None
    assert opened.state is State.OPENED
    assert opened.alert == await only(engine)
    assert (opened.alert.count, opened.alert.first_ms, opened.alert.notified_ms) == (1, T, T)
    assert await raised(engine, T + 1, count=5) is None
    assert await raised(engine, T + HOUR - 1) is None
    again = await raised(engine, T + HOUR)
    assert again is not None
    assert (again.state, again.alert.count, again.alert.first_ms) == (State.LASTS, 8, T)
    assert again.alert.detail == f"at {T + HOUR}"
    assert again.alert == await only(engine)
    assert await raised(engine, T + HOUR + 1) is None


async def test_closed_is_told_once_and_opens_anew(engine: AsyncEngine):
    await raised(engine, T, count=3)
    over = await closed(engine, T + 5)
    assert over is not None
    assert (over.state, over.alert.count, over.alert.closed_ms) == (State.CLOSED, 3, T + 5)
    assert over.alert == await only(engine)
    assert await closed(engine, T + 6) is None
    anew = await raised(engine, T + 7)
    assert anew is not None
    assert (anew.state, anew.alert.count, anew.alert.first_ms) == (State.OPENED, 1, T + 7)
    assert anew.alert.closed_ms is None
    assert anew.alert.id == over.alert.id


async def test_nothing_to_close(engine: AsyncEngine):
    assert await closed(engine, T) is None


async def test_the_rest_of_a_burst_is_told_though_nothing_follows(engine: AsyncEngine):
    await raised(engine, T, "burst")
    await raised(engine, T + 1, "burst", count=9)
    await raised(engine, T, "single")
    assert await due(engine, T + HOUR - 1) == []
    assert await due(engine, T + HOUR) == [(State.LASTS, "burst", 10)]
    assert await due(engine, T + HOUR) == []
    assert await due(engine, T + 3 * HOUR) == []


async def test_a_closed_one_is_not_due(engine: AsyncEngine):
    await raised(engine, T)
    await raised(engine, T + 1)
    await closed(engine, T + 2)
    assert await due(engine, T + HOUR) == []


async def test_what_is_quiet_closes(engine: AsyncEngine):
    await raised(engine, T, "quiet")
    await raised(engine, T + 10, "loud")
    async with working(engine) as connection:
        tellings = await close_quiet(connection, "disk_low", T + 10, T + 20)
        assert await close_quiet(connection, "other", T + 99, T + 99) == []
    assert [(state, row.subject) for state, row in tellings] == [(State.CLOSED, "quiet")]


async def test_what_is_not_wrong_any_more_closes(engine: AsyncEngine):
    for subject in ("a", "b", "c"):
        await raised(engine, T, subject)
    async with working(engine) as connection:
        tellings = await close_others(connection, "disk_low", {"b"}, T + 1)
        assert [row.subject for _, row in tellings] == ["a", "c"]
        assert [row.subject for row in await list_alerts(connection)] == ["b"]
        assert len(await list_alerts(connection, open_only=False)) == 3
        assert len(await list_alerts(connection, open_only=False, most=2)) == 2
        assert len(await close_others(connection, "disk_low", [], T + 2)) == 1


async def test_a_rollback_untells(engine: AsyncEngine):
    async with working(engine) as connection:
        await note_raised(connection, "disk_low", "a", "", T)
        await connection.rollback()
    opened = await raised(engine, T + 1)
    assert opened is not None
    assert opened.state is State.OPENED


async def test_many_at_once_tell_once(engine: AsyncEngine):
    tellings = await asyncio.gather(*(raised(engine, T + number) for number in range(8)))
    assert sum(telling is not None for telling in tellings) == 1
    assert (await only(engine)).count == 8
    ends = await asyncio.gather(*(closed(engine, T + 100) for _ in range(4)))
    assert sum(telling is not None for telling in ends) == 1


async def test_older_news_do_not_make_an_alert_older(engine: AsyncEngine):
    await raised(engine, T + 50)
    await raised(engine, T)
    assert (await only(engine)).last_ms == T + 50


@given(st.integers(-3 * HOUR, 3 * HOUR))
def test_a_clock_that_steps_back_silences_nothing(step: int):
    row = Alert(1, "k", "s", "", T, T, 1, T, None)
    assert _is_due(row, T + step) == (abs(step) >= HOUR)


@pytest.mark.parametrize("length", [128])
async def test_the_longest_subject_fits(engine: AsyncEngine, length: int):
    assert await raised(engine, T, "ä" * length) is not None
