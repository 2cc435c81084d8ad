"""An invite lets in as many as it says, until it expires or is revoked; its code is told once."""

import asyncio

import pytest
from sqlalchemy import select

from tests.services.pages import House
from tollbridge.core.clock import now_ms
from tollbridge.identity.audit import SHELL, Wanted, lines
from tollbridge.people.invites import (
    Wish,
    count_use,
    find_invite,
    list_invites,
    make_invite,
    revoke_invite,
)
from tollbridge.storage.people_tables import invites
from tollbridge.storage.unit_of_work import reading, working


async def made(house: House, wish: Wish | None = None) -> tuple[str, int]:
    async with working(house.engine) as connection:
        code = await make_invite(connection, house.secrets, SHELL, wish or Wish(), now_ms())
        found = await find_invite(connection, house.secrets, code, now_ms())
    assert found is not None
    return code, found


async def found(house: House, code: str, at_ms: int | None = None) -> int | None:
    async with reading(house.engine) as connection:
        return await find_invite(connection, house.secrets, code, at_ms or now_ms())


async def used(house: House, invite_id: int) -> bool:
    async with working(house.engine) as connection:
        return await count_use(connection, invite_id, now_ms())


async def test_the_code_is_stored_nowhere(house: House) -> None:
    code, _ = await made(house, Wish(note="for the team"))
    assert code.startswith("tbi_") and len(code) >= 32
    async with reading(house.engine) as connection:
        row = (await connection.execute(select(invites))).mappings().one()
        audit = await lines(connection, Wanted())
        listed = await list_invites(connection)
    assert code not in repr(dict(row)) + repr([dict(line) for line in audit])
    assert row["last6"] == code[-6:]
    assert [line["action"] for line in audit] == ["invite.make"]
    assert "hash" not in listed[0] and listed[0]["note"] == "for the team"


async def test_it_counts_at_most_as_many_as_it_says_however_many_come_at_once(
    house: House,
) -> None:
    code, invite_id = await made(house, Wish(uses_max=2))
    assert sorted(await asyncio.gather(*(used(house, invite_id) for _ in range(5)))) == [
        *[False] * 3,
        *[True] * 2,
    ]
    assert await found(house, code) is None


async def test_one_that_is_over_lets_nobody_in(house: House) -> None:
    code, _ = await made(house, Wish(expires_ms=now_ms() + 60_000))
    assert await found(house, code) is not None
    assert await found(house, code, now_ms() + 60_001) is None


async def test_one_that_is_revoked_lets_nobody_in(house: House) -> None:
    code, invite_id = await made(house)
    async with working(house.engine) as connection:
        assert await revoke_invite(connection, SHELL, invite_id, now_ms())
        assert not await revoke_invite(connection, SHELL, invite_id, now_ms())
        assert not await revoke_invite(connection, SHELL, 1, now_ms())
    assert await found(house, code) is None
    assert not await used(house, invite_id)
    async with reading(house.engine) as connection:
        actions = [line["action"] for line in await lines(connection, Wanted())]
    assert actions == ["invite.revoke", "invite.make"]


async def test_no_other_text_is_a_code(house: House) -> None:
    code, _ = await made(house)
    for text in ("", "tbi_", code[:-1], code + "x", code[4:], "tbi_" + "x" * 1000, "tbi_\udce9é"):
        assert await found(house, text) is None


@pytest.mark.parametrize("wish", [Wish(uses_max=0), Wish(uses_max=10**6), Wish(note="x" * 201)])
async def test_out_of_bounds_is_refused(house: House, wish: Wish) -> None:
    with pytest.raises(ValueError, match="bounds"):
        await made(house, wish)


async def test_the_list_goes_back_in_time(house: House) -> None:
    ids = [(await made(house))[1] for _ in range(3)]
    async with reading(house.engine) as connection:
        first = await list_invites(connection, limit=2)
        rest = await list_invites(connection, before=first[-1]["id"])
    assert [row["id"] for row in (*first, *rest)] == ids[::-1]
