"""The sums of the books as a whole."""

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.billing.grants import grant, open_wallet
from tollbridge.core.clock import new_id, new_tid
from tollbridge.storage.books_sums import Holds, Wallets, lines_since, sum_holds, sum_wallets
from tollbridge.storage.ledger_tables import hold, journal
from tollbridge.storage.unit_of_work import working


async def test_books_without_anything(engine: AsyncEngine) -> None:
    async with working(engine) as connection:
        assert await sum_wallets(connection) == Wallets(0, 0, 0)
        assert await sum_holds(connection) == Holds(0, 0, None)
        assert await lines_since(connection, None, 10) == 0


async def test_sums(engine: AsyncEngine) -> None:
    async with working(engine) as connection:
        for amount in (3, 4, 5):
            wallet_id = await open_wallet(connection, new_id())
            await grant(connection, wallet_id, amount, f"test:{amount}", 1_000)
        for age, amount in ((9, 5), (2, 6)):
            row = {"tid": new_tid(), "wallet_id": 1, "amount": amount, "at_ms": 100 - age}
            more = {"covered": 0, "node_id": 1, "epoch": 1, "bill": "{}"}
            await connection.execute(insert(hold).values(**row, **more))
        assert await sum_wallets(connection) == Wallets(3, 12, 0)
        assert await sum_holds(connection) == Holds(2, 11, 91)
        ids = sorted((await connection.execute(journal.select())).scalars())
        assert await lines_since(connection, None, 10) == 3
        assert await lines_since(connection, None, 2) == 2
        assert await lines_since(connection, ids[1], 10) == 2
