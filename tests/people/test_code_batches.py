"""Batches add up their codes by state; a code shows its last six characters and who had it."""

from tests.people.operators import BOSS
from tests.services.pages import House
from tollbridge.core.clock import now_ms
from tollbridge.people.code_batches import batches, codes_of
from tollbridge.people.redeeming import Batch, make_codes, redeem, revoke_batch
from tollbridge.storage.unit_of_work import reading, working


async def made(house: House, at_ms: int, **batch) -> list[str]:
    async with working(house.engine) as connection:
        return await make_codes(connection, house.secrets, BOSS, Batch(**batch), at_ms)


async def test_states_of_a_batch(house: House) -> None:
    ann, at_ms = await house.user(), now_ms()
    old = await made(house, at_ms - 5, name="old", count=3, amount=7, expires_ms=at_ms + 9)
    new = await made(house, at_ms, name="new", count=2, amount=8, credit_days=4)
    async with working(house.engine) as connection:
        await redeem(connection, house.secrets, ann, old[0], at_ms)
        await redeem(connection, house.secrets, ann, new[1], at_ms)
        await revoke_batch(connection, BOSS, "new", at_ms)
    async with reading(house.engine) as connection:
        first, second = await batches(connection, at_ms)
        [over] = await batches(connection, at_ms + 9, name="old")
        assert await batches(connection, at_ms, before=first.last_id, limit=1) == [second]
        assert await batches(connection, at_ms, before=second.last_id) == []
        assert await batches(connection, at_ms, name="none") == []
        codes = await codes_of(connection, "new", at_ms)
        rest = await codes_of(connection, "new", at_ms, before=codes[0]["id"], limit=1)
    assert first[1:] == ("new", 8, 4, at_ms, None, 0, 1, 0, 1)
    assert second[1:] == ("old", 7, None, at_ms - 5, at_ms + 9, 2, 1, 0, 0)
    assert over[6:] == (0, 1, 2, 0)
    assert [(one["last6"], one["state"], one["email"]) for one in codes] == [
        (new[1][-6:], "redeemed", "ann@example.com"), (new[0][-6:], "revoked", None),
    ]  # fmt: skip
    assert [one["last6"] for one in rest] == [new[0][-6:]]
