"""What an identity may do here, asked of the use cases themselves: once, and one after the other."""

import asyncio

import pytest
from sqlalchemy import func, select

from tests.services.pages import House
from tollbridge.core.clock import new_id, now_ms
from tollbridge.identity.addresses import Rules
from tollbridge.identity.external_identity import Identity
from tollbridge.people.external import (
    AddressKnown,
    Admission,
    CannotComeIn,
    Consent,
    LastWayIn,
    LinkedElsewhere,
    NoSuchIdentity,
    identities_of,
    join_with,
    link,
    owner_of,
    unlink,
)
from tollbridge.storage.ledger_tables import purse
from tollbridge.storage.people_tables import bonus_marks
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import reading, working, writing

ADMISSION = Admission("open", Rules((), (), "fold"), 5)
CONSENT = Consent("1", "en")
EVE = Identity("own", "person-1", "eve@example.com", verified=True)


async def joined(house: House, identity: Identity) -> int:
    async with writing(house.engine) as connection:
        return await join_with(connection, house.secrets, identity, ADMISSION, CONSENT, now_ms())


async def test_of_two_at_once_one_becomes_a_user(house: House) -> None:
    twins = (
        EVE,
        EVE,
        Identity("gh", "42", "eve+x@example.com", verified=True),
        Identity("gh", "43", "EVE@example.com", verified=True),
    )
    ends = await asyncio.gather(*(joined(house, one) for one in twins), return_exceptions=True)
    assert sum(isinstance(end, int) for end in ends) == 1
    refused = [end for end in ends if not isinstance(end, int)]
    assert all(isinstance(end, AddressKnown | LinkedElsewhere) for end in refused)
    async with reading(house.engine) as connection:
        assert (await connection.execute(select(func.count(users.c.id)))).scalar_one() == 1
        kept = select(purse.c.available).where(purse.c.kind == "wallet")
        assert (await connection.execute(kept)).scalars().all() == [5]


async def test_the_bonus_is_once_ever_for_an_address(house: House) -> None:
    first = await joined(house, EVE)
    async with writing(house.engine) as connection:
        changed = {"email": "gone", "email_norm": "gone"}
        await connection.execute(users.update().where(users.c.id == first).values(**changed))
    second = await joined(house, Identity("gh", "42", "eve@example.com", verified=True))
    async with reading(house.engine) as connection:
        query = select(purse.c.owner_id, purse.c.available).where(purse.c.kind == "wallet")
        kept = {row.owner_id: row.available for row in await connection.execute(query)}
        assert (await connection.execute(select(func.count(bonus_marks.c.mark)))).scalar_one() == 1
    assert kept == {first: 5, second: 0}


@pytest.mark.parametrize(
    "identity",
    [
        Identity("own", "x", "eve@example.com", verified=False),
        Identity("own", "x", "", verified=False),
        Identity("own", "x", "@example.com", verified=True),
    ],
)
async def test_no_verified_address_no_account(house: House, identity: Identity) -> None:
    with pytest.raises(CannotComeIn):
        await joined(house, identity)
    async with reading(house.engine) as connection:
        assert (await connection.execute(select(func.count(users.c.id)))).scalar_one() == 0


async def test_the_same_person_of_two_sites_is_two_identities(house: House) -> None:
    ann, bob = await house.user("ann@example.com"), await house.user("bob@example.com")
    other = Identity("gh", EVE.subject, EVE.email, verified=True)
    async with working(house.engine) as connection:
        await link(connection, ann, EVE, 1)
        await link(connection, ann, EVE, 2)
        await link(connection, bob, other, 3)
        with pytest.raises(LinkedElsewhere):
            await link(connection, bob, EVE, 4)
        assert await owner_of(connection, EVE) == ann
        assert await owner_of(connection, other) == bob
        (row,) = await identities_of(connection, ann)
    assert dict(row) == {**dict(row), "provider": "own", "email": EVE.email, "created_ms": 1}


async def test_of_two_ways_in_that_go_at_once_one_stays(house: House) -> None:
    ann = await house.user()
    async with working(house.engine) as connection:
        await link(connection, ann, EVE, 1)
        await link(connection, ann, Identity("gh", "42", "", verified=False), 1)
        ids = [row["id"] for row in await identities_of(connection, ann)]

    async def taken(identity_id: int) -> None:
        async with working(house.engine) as connection:
            await unlink(connection, ann, identity_id, {"own", "gh"})

    ends = await asyncio.gather(*map(taken, ids), return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["LastWayIn", "NoneType"]
    with pytest.raises(NoSuchIdentity):
        await taken(new_id())


async def test_a_password_is_a_way_in_and_a_site_that_is_gone_is_none(house: House) -> None:
    ann = await house.user(password="a password")
    bob = await house.user("bob@example.com")
    async with working(house.engine) as connection:
        await link(connection, ann, EVE, 1)
        (row,) = await identities_of(connection, ann)
        await unlink(connection, ann, row["id"], {"own"})
        assert not await identities_of(connection, ann)
        await link(connection, bob, EVE, 1)
        await link(connection, bob, Identity("gone", "1", "", verified=False), 1)
        mine = {row["provider"]: row["id"] for row in await identities_of(connection, bob)}
        with pytest.raises(LastWayIn):
            await unlink(connection, bob, mine["own"], {"own"})
        await unlink(connection, bob, mine["gone"], {"own"})
