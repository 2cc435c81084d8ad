"""Proof that exactly the wallets are found whose lots want looking at."""

from tests.billing.tills import DAY_MS, TODAY, till
from tests.services.control_plane import database_url, engine
from tollbridge.billing.grants import grant, open_wallet
from tollbridge.storage.lot_search import active_wallets, wallets_behind, wallets_with_ended_lots
from tollbridge.storage.unit_of_work import reading, working

__all__ = ["database_url", "engine"]


async def found(made, search, *values):
    async with reading(made.engine) as connection:
        return list(await search(connection, *values))


async def another(made):
    async with working(made.engine) as connection:
        return await open_wallet(connection, 77)


async def test_wallets_whose_lots_do_not_come_to_what_they_have(engine):
    async with till(engine) as made:
        other = await another(made)
        assert await found(made, wallets_behind) == []
        await made.call(5)
        assert await found(made, wallets_behind) == [made.wallet]
        async with working(engine) as connection:
            await made._change(connection, other, 9)
        assert await found(made, wallets_behind) == [made.wallet, other]
        await made.attribute()
        assert await found(made, wallets_behind) == [other]


async def test_wallets_of_users_who_made_calls_since(engine):
    async with till(engine) as made:
        await another(made)
        await made.call(5, TODAY)
        await made.count()
        assert await found(made, active_wallets, TODAY) == [made.wallet]
        assert await found(made, active_wallets, TODAY + 1) == []


async def test_wallets_with_something_left_of_a_lot_that_is_over(engine):
    async with till(engine) as made:
        other = await another(made)
        await made.grant(10, TODAY, TODAY + DAY_MS)
        async with working(engine) as connection:
            await grant(connection, other, 4, "x", TODAY, expires_ms=TODAY)
        assert await found(made, wallets_with_ended_lots, TODAY - 1) == []
        assert await found(made, wallets_with_ended_lots, TODAY) == [other]
        assert await found(made, wallets_with_ended_lots, TODAY + DAY_MS) == [made.wallet, other]
        await made.expire(TODAY + DAY_MS)
        assert await found(made, wallets_with_ended_lots, TODAY + DAY_MS) == [other]
