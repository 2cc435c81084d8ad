"""Proof that each first step counts as done when it is."""

from sqlalchemy import insert, select, update

from tests.services.pages import House
from tollbridge.core.money import NANO
from tollbridge.people.first_steps import FirstSteps, read_first_steps
from tollbridge.storage.tables import api_keys, users
from tollbridge.storage.unit_of_work import reading, writing


async def steps(house: House, user_id: int) -> FirstSteps:
    async with reading(house.engine) as connection:
        wallet = select(users.c.wallet_id).where(users.c.id == user_id)
        wallet_id = (await connection.execute(wallet)).scalar_one()
        return await read_first_steps(connection, user_id, wallet_id)


async def test_steps_one_by_one(house: House) -> None:
    poor = await house.user("a@example.com")
    assert await steps(house, poor) == FirstSteps(verified=False, credit=False, key=False)
    rich = await house.user("b@example.com", credit=NANO, verified_ms=1)
    assert await steps(house, rich) == FirstSteps(verified=True, credit=True, key=False)
    key = {
        "id": 5, "user_id": rich, "name": "k", "hash": b"h", "last6": "abcdef", "enabled": True,
        "ips": "[]", "models": "[]", "may_pin": False, "rpm": 0, "tpm": 0, "concurrency": 0,
        "created_ms": 1,
    }  # fmt: skip
    async with writing(house.engine) as connection:
        await connection.execute(insert(api_keys).values(key))
    assert (await steps(house, rich)).key
    assert not (await steps(house, poor)).key
    for gone in ({"enabled": False}, {"enabled": True, "deleted_ms": 9}):
        async with writing(house.engine) as connection:
            await connection.execute(update(api_keys).values(gone))
        assert not (await steps(house, rich)).key
