"""The twin of identity/doors.py: so many knocks a minute and a day, whatever restarts in between."""

import asyncio

import pytest
from sqlalchemy import select

from tollbridge.identity.doors import Door, Doors, DoorShut, forget_days
from tollbridge.storage.counters_memory import MemoryCounters
from tollbridge.storage.people_tables import door_counts
from tollbridge.storage.unit_of_work import reading, working

AT = 1_700_000_000_000
DAY = 86_400_000
WHO = "ann@example.com"
MINUTES = Door("minutes", 3)
DAYS = Door("days", 1_000, 5)


@pytest.fixture
def doors(engine, secrets):
    return Doors(engine, MemoryCounters(), secrets)


async def let_in(doors, door, who=WHO, at_ms=AT):
    """Tell whether a knock is let in."""
    try:
        await doors.knock(door, who, at_ms)
    except DoorShut:
        return False
    return True


async def test_a_minute_has_so_many_knocks(doors):
    assert [await let_in(doors, MINUTES) for _ in range(5)] == [True, True, True, False, False]
    assert await let_in(doors, MINUTES, "somebody else")
    assert await let_in(doors, Door("another", 3))
    with pytest.raises(DoorShut) as shut:
        await doors.knock(MINUTES, WHO, AT)
    # The window slides: it may be of this minute and the next.
    assert 1 <= shut.value.wait_s <= 120


async def test_without_a_bound_a_day_nothing_is_written(doors, engine):
    await let_in(doors, MINUTES)
    async with reading(engine) as connection:
        assert (await connection.execute(select(door_counts))).all() == []


async def test_a_day_has_so_many_and_a_restart_gives_no_more(engine, secrets):
    # Each in another process: its counters of minutes are empty.
    processes = [Doors(engine, MemoryCounters(), secrets) for _ in range(7)]
    knocks = [await let_in(process, DAYS) for process in processes]
    assert knocks == [True] * 5 + [False] * 2


async def test_the_day_begins_with_the_first_knock_and_ends(doors):
    for _ in range(5):
        assert await let_in(doors, DAYS)
    with pytest.raises(DoorShut) as shut:
        await doors.knock(DAYS, WHO, AT + DAY - 5_000)
    assert shut.value.wait_s == 5
    assert await let_in(doors, DAYS, at_ms=AT + DAY)
    assert [await let_in(doors, DAYS, at_ms=AT + DAY + 1) for _ in range(5)] == [True] * 4 + [False]


async def test_knocks_at_the_same_time_all_count(doors):
    knocks = await asyncio.gather(*(let_in(doors, DAYS) for _ in range(12)))
    assert sum(knocks) == 5


async def test_the_right_one_is_forgiven(doors):
    for _ in range(6):
        await let_in(doors, DAYS)
        await let_in(doors, DAYS, "somebody else")
    await doors.forgive(DAYS, WHO)
    assert await let_in(doors, DAYS)
    assert not await let_in(doors, DAYS, "somebody else")


async def test_who_knocked_is_not_kept(doors, engine):
    await let_in(doors, DAYS)
    await let_in(doors, DAYS, "x" * 10_000)
    async with reading(engine) as connection:
        names = (await connection.execute(select(door_counts.c.name))).scalars().all()
    assert len(set(names)) == 2
    assert all(name.startswith("door:days:") and len(name) <= 64 for name in names)
    assert not any("ann" in name or "xx" in name for name in names)


async def test_days_that_are_over_are_removed(doors, engine):
    await let_in(doors, DAYS)
    async with working(engine) as connection:
        assert await forget_days(connection, AT + DAY - 1) == 0
        assert await forget_days(connection, AT + DAY) == 1


@pytest.mark.parametrize("before", ["", "ann@example.com "])
async def test_all_addresses_of_one_household_are_the_same_who(doors, before):
    near = [f"{before}2001:db8:1:2::{end:x}" for end in range(5)]
    assert [await let_in(doors, MINUTES, who) for who in near] == [True, True, True, False, False]
    assert not await let_in(doors, MINUTES, f"{before}2001:DB8:1:2:ffff:ffff:ffff:ffff")
    assert await let_in(doors, MINUTES, f"{before}2001:db8:1:3::1")
    # An address of the old kind in the new writing is one alone.
    mapped = [await let_in(doors, MINUTES, f"{before}::ffff:192.0.2.{end}") for end in range(5)]
    assert mapped == [True] * 5
