"""Proof that the first run makes one admin, whoever hurries, and what becomes of an account there is."""

import asyncio

import pytest
from sqlalchemy import func, select

from tests.services.pages import SITE, House
from tollbridge.catalog.site_rows import site_values
from tollbridge.core.clock import now_ms
from tollbridge.identity.audit import SHELL
from tollbridge.identity.sessions import sessions_of
from tollbridge.people.setting_up import Admin, LinkOver, Made, SetUpAlready, make_admin, set_up
from tollbridge.people.setup_link import LIFE_MS, new_link
from tollbridge.storage.people_tables import audit_log, one_time
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import reading, writing

NAMED = {"name": "Acme", "sign_up": "open", "sign_up_bonus": "2.50"}
OP = Admin("op@example.com", "hash", "en")


async def word(house: House, at_ms: int) -> str:
    link = await new_link(house.engine, house.secrets, SITE, at_ms)
    assert link is not None
    return link.partition("token=")[2]


async def run(house: House, token: str, at_ms: int, admin: Admin = OP, **more: str) -> Made:
    async with writing(house.engine) as connection:
        return await set_up(
            connection, house.secrets, token, admin, {**NAMED, **more}, "192.0.2.7", at_ms
        )


async def count(house: House) -> int:
    async with reading(house.engine) as connection:
        query = select(func.count()).select_from(users).where(users.c.role == "admin")
        return int((await connection.execute(query)).scalar_one())


async def test_an_admin_and_the_name_of_the_site(house: House) -> None:
    at_ms = now_ms()
    made = await run(house, await word(house, at_ms), at_ms)
    async with reading(house.engine) as connection:
        row = (await connection.execute(select(users))).mappings().one()
        line = (await connection.execute(select(audit_log))).mappings().one()
        values = await site_values(connection)
    assert made == Made(row["id"], new=True)
    assert (row["role"], row["verified_ms"], row["password_hash"]) == ("admin", at_ms, "hash")
    assert {name: values[name] for name in NAMED} == NAMED
    assert (line["action"], line["actor"], line["address"]) == (
        "site.setup", "op@example.com", "192.0.2.7",
    )  # fmt: skip


async def test_a_link_works_once_and_only_in_its_time(house: House) -> None:
    at_ms = now_ms()
    token = await word(house, at_ms)
    with pytest.raises(LinkOver):
        await run(house, token, at_ms + LIFE_MS)
    with pytest.raises(LinkOver):
        await run(house, token + "x", at_ms)
    with pytest.raises(ValueError, match="must be one of"):
        await run(house, token, at_ms, sign_up="perhaps")
    # What failed has used nothing up.
    await run(house, token, at_ms)
    with pytest.raises(SetUpAlready):
        await run(house, token, at_ms)
    assert await count(house) == 1


async def test_of_two_at_once_one_makes_the_admin(house: House) -> None:
    at_ms = now_ms()
    token = await word(house, at_ms)
    tries = [
        run(house, token, at_ms, Admin(f"op{number}@example.com", "hash")) for number in range(4)
    ]
    ended = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(one, Made) for one in ended) == 1, ended
    assert sum(isinstance(one, SetUpAlready) for one in ended) == 3, ended
    assert await count(house) == 1


async def test_an_account_that_is_there_becomes_an_admin_with_the_new_password(
    house: House,
) -> None:
    ann = await house.user(password="old enough password", status_reason="x")
    await house.session(ann)
    at_ms = now_ms()
    token = await word(house, at_ms)
    async with writing(house.engine) as connection:
        made = await make_admin(connection, Admin("Ann@Example.com", "new"), SHELL, at_ms)
        again = await make_admin(connection, Admin("ann@example.com", "newer"), SHELL, at_ms)
        row = (await connection.execute(select(users))).mappings().one()
        assert await sessions_of(connection, ann, at_ms) == []
        left = (await connection.execute(select(func.count()).select_from(one_time))).scalar_one()
        lines = (await connection.execute(select(audit_log.c.action, audit_log.c.via))).all()
    assert made == Made(ann, new=False, before="user")
    assert again.before == "admin"
    assert (row["password_hash"], row["role"], row["status_reason"]) == ("newer", "admin", "")
    assert left == 0
    assert set(map(tuple, lines)) == {("user.admin", "shell")}
    with pytest.raises(SetUpAlready):
        await run(house, token, at_ms)
