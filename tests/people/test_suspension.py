"""A suspended user is out at once and told why; nobody suspends the own account or the last admin."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from tests.people.operators import BOSS, noted, row_of, version
from tests.services.pages import House
from tollbridge.core.clock import now_ms
from tollbridge.people.suspension import NotOneself, sign_out_everywhere, suspend, unsuspend
from tollbridge.people.user_changes import LastAdmin, NoSuchUser
from tollbridge.storage.people_tables import sessions
from tollbridge.storage.unit_of_work import reading, writing
from tollbridge.storage.work_tables import job


async def suspended(house: House, user_id: int, reason: str = "spam", actor=BOSS) -> bool:
    async with writing(house.engine) as connection:
        return await suspend(connection, actor, user_id, reason, now_ms(), site_name="Bridge")


async def let_in(house: House, user_id: int, reason: str = "a mistake") -> bool:
    async with writing(house.engine) as connection:
        return await unsuspend(connection, BOSS, user_id, reason, now_ms())


async def open_sessions(house: House) -> int:
    async with reading(house.engine) as connection:
        return int(
            (await connection.execute(select(func.count()).select_from(sessions))).scalar_one()
        )


async def posted(house: House) -> list[str]:
    async with reading(house.engine) as connection:
        return list((await connection.execute(select(job.c.payload))).scalars())


async def test_sessions_end_and_the_user_is_told(house: House) -> None:
    ann = await house.user()
    await house.session(ann)
    await house.session(ann)
    before = await version(house)
    assert await suspended(house, ann)
    # Servers forget the user's keys when the version moves.
    assert await version(house) == before + 1
    row = await row_of(house, ann)
    assert (row["status"], row["status_reason"]) == ("suspended", "spam")
    assert await open_sessions(house) == 0
    [mail] = await posted(house)
    assert "ann@example.com" in mail and "spam" in mail
    assert not await suspended(house, ann, "once more")
    assert len(await posted(house)) == 1
    assert await noted(house) == [("user.suspend", ann, {"reason": "spam", "sessions": 2})]


async def test_a_user_is_let_in_again(house: House) -> None:
    ann = await house.user()
    assert not await let_in(house, ann)
    await suspended(house, ann)
    assert await let_in(house, ann)
    row = await row_of(house, ann)
    assert (row["status"], row["status_reason"]) == ("active", "")
    assert (await noted(house))[-1] == (
        "user.unsuspend", ann, {"reason": "a mistake", "before": "spam"},
    )  # fmt: skip


async def test_whom_nobody_suspends(house: House) -> None:
    boss = await house.user("boss@example.com", "admin")
    gone = await house.user("gone@example.com", deleted_ms=1)
    with pytest.raises(NotOneself):
        await suspended(house, boss, actor=replace(BOSS, user_id=boss))
    with pytest.raises(LastAdmin):
        await suspended(house, boss)
    for nobody in (gone, 1):
        with pytest.raises(NoSuchUser):
            await suspended(house, nobody)
        with pytest.raises(NoSuchUser):
            await let_in(house, nobody)
    for reason in ("", " ", "x" * 501):
        with pytest.raises(ValueError, match="reason"):
            await suspended(house, boss, reason)
        with pytest.raises(ValueError, match="reason"):
            await let_in(house, boss, reason)
    assert (await row_of(house, boss))["status"] == "active"
    assert await noted(house) == []


async def test_two_admins_at_the_same_time_leave_one(house: House) -> None:
    boss, other = [await house.user(f"{name}@example.com", "admin") for name in ("a", "b")]
    done = await asyncio.gather(
        suspended(house, boss, actor=replace(BOSS, user_id=other)),
        suspended(house, other, actor=replace(BOSS, user_id=boss)),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in done) == ["LastAdmin", "bool"]
    states = [(await row_of(house, one))["status"] for one in (boss, other)]
    assert sorted(states) == ["active", "suspended"]


async def test_all_sessions_of_one_user_end(house: House) -> None:
    ann, bob = await house.user(), await house.user("bob@example.com")
    for user_id in (ann, ann, bob):
        await house.session(user_id)
    async with writing(house.engine) as connection:
        assert await sign_out_everywhere(connection, BOSS, ann, now_ms()) == 2
    assert await open_sessions(house) == 1
    assert await noted(house) == [("user.sessions", ann, {"ended": 2})]
