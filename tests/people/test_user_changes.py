"""What operators change of a user is noted with what was there before; an admin always stays."""

import asyncio

import pytest
from sqlalchemy import select

from tests.people.operators import BOSS, noted, row_of
from tests.services.pages import House
from tollbridge.core.clock import now_ms
from tollbridge.identity.users import change_user
from tollbridge.people.telling import Voice
from tollbridge.people.user_changes import (
    RPM_MAX,
    LastAdmin,
    Limits,
    NoSuchUser,
    change_group,
    change_limits,
    change_role,
    mail_reset,
)
from tollbridge.storage.people_tables import one_time
from tollbridge.storage.unit_of_work import reading, writing


async def with_role(house: House, user_id: int, role: str) -> bool:
    async with writing(house.engine) as connection:
        return await change_role(connection, BOSS, user_id, role, now_ms())


async def with_group(house: House, user_id: int, group: str) -> bool:
    async with writing(house.engine) as connection:
        return await change_group(connection, BOSS, user_id, group, now_ms())


async def with_limits(house: House, user_id: int, *limits: int) -> bool:
    async with writing(house.engine) as connection:
        return await change_limits(connection, BOSS, user_id, Limits(*limits), now_ms())


async def test_each_change_is_noted_once(house: House) -> None:
    ann = await house.user()
    for _ in range(2):
        await with_role(house, ann, "staff")
        await with_group(house, ann, "friends")
        await with_limits(house, ann, 60, 1000, 3)
    row = await row_of(house, ann)
    assert (row["role"], row["group_name"]) == ("staff", "friends")
    assert (row["rpm"], row["tpm"], row["concurrency"]) == (60, 1000, 3)
    none = {"rpm": 0, "tpm": 0, "concurrency": 0}
    assert await noted(house) == [
        ("user.role", ann, {"before": "user", "after": "staff"}),
        ("user.group", ann, {"before": "default", "after": "friends"}),
        ("user.limits", ann, {"before": none, "after": {"rpm": 60, "tpm": 1000, "concurrency": 3}}),
    ]


async def test_the_last_active_admin_stays(house: House) -> None:
    boss = await house.user("boss@example.com", "admin")
    out = await house.user("out@example.com", "admin")
    async with writing(house.engine) as connection:
        await change_user(connection, out, {"status": "suspended"})
    with pytest.raises(LastAdmin):
        await with_role(house, boss, "user")
    # One who is out is no loss.
    assert await with_role(house, out, "user")
    assert not await with_role(house, boss, "admin")
    assert (await row_of(house, boss))["role"] == "admin"


async def test_two_admins_who_leave_at_the_same_time(house: House) -> None:
    admins = [await house.user(f"{name}@example.com", "admin") for name in ("a", "b")]
    done = await asyncio.gather(
        *(with_role(house, one, "user") for one in admins), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in done) == ["LastAdmin", "bool"]
    assert sorted([(await row_of(house, one))["role"] for one in admins]) == ["admin", "user"]


async def test_what_cannot_be(house: House) -> None:
    ann, gone = await house.user(), await house.user("gone@example.com", deleted_ms=1)
    with pytest.raises(ValueError, match="role"):
        await with_role(house, ann, "owner")
    for group in ("", " x", "x" * 65, "a\nb"):
        with pytest.raises(ValueError, match="group"):
            await with_group(house, ann, group)
    for limits in ((-1, 0, 0), (RPM_MAX + 1, 0, 0), (0, 10**13, 0), (0, 0, 10**6)):
        with pytest.raises(ValueError, match="limit"):
            Limits(*limits)
    for nobody in (gone, 1):
        for change in (
            with_role(house, nobody, "staff"),
            with_group(house, nobody, "x"),
            with_limits(house, nobody, 1, 1, 1),
        ):
            with pytest.raises(NoSuchUser):
                await change
    assert await noted(house) == []


async def test_a_reset_is_mailed_to_who_may_come_in(house: House) -> None:
    ann = await house.user()

    async def mailed() -> bool:
        async with writing(house.engine) as connection:
            voice = Voice("Bridge", "en")
            return await mail_reset(
                connection, house.secrets, BOSS, ann, "https://site.test", voice, now_ms()
            )

    assert await mailed()
    async with reading(house.engine) as connection:
        assert (await connection.execute(select(one_time.c.user_id))).scalar_one() == ann
    async with writing(house.engine) as connection:
        await change_user(connection, ann, {"status": "suspended"})
    assert not await mailed()
    assert await noted(house) == [("user.reset", ann, {})]
