"""Proof that the job finds the wallets whose lots are behind or over, and no more work than that."""

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.billing.tills import DAY_MS, TODAY, till
from tollbridge.billing.grants import grant, open_wallet
from tollbridge.billing.lots import lots_of
from tollbridge.storage.ledger_tables import purse
from tollbridge.storage.unit_of_work import working
from tollbridge.worker.lots import Lots

_TEN_MINUTES = 600_000


class Hands:
    """A clock and a stop-watch that are moved by hand."""

    def __init__(self, at_ms: int = TODAY) -> None:
        self.at_ms = at_ms
        self.ticks_ms = 0

    def wait(self, ms: int) -> None:
        """Let time pass."""
        self.at_ms += ms
        self.ticks_ms += ms

    def job(self, engine: AsyncEngine, **options) -> Lots:
        """Return a job that goes by these."""
        return Lots(engine, clock=lambda: self.at_ms, ticks=lambda: self.ticks_ms, **options)


async def test_the_first_run_looks_at_all_wallets(engine: AsyncEngine):
    async with till(engine) as made:
        await made.call(30, TODAY - 50 * DAY_MS)
        assert await Hands().job(engine).run() is False
        assert await made.lots() == [("grant", 1000, 970)]


async def test_later_runs_look_at_wallets_of_late_calls_alone(engine: AsyncEngine):
    async with till(engine) as made:
        hands = Hands()
        job = hands.job(engine)
        await job.run()
        await made.call(30, TODAY)
        await made.count()
        hands.wait(60_000)
        await job.run()
        assert await made.lots() == [("grant", 1000, 970)]
        # A call of long ago is not found by the roll-ups, but when all are looked at.
        await made.correct(made.tids[0], 5)
        await made.call(7, TODAY - DAY_MS)
        hands.wait(_TEN_MINUTES * 2)
        await made.count()
        later = hands.job(engine)
        later._all_at, later._since_ms = hands.ticks_ms, hands.at_ms
        await later.run()
        assert await made.lots() == [("grant", 1000, 970)]
        await job.run()
        assert await made.lots() == [("grant", 1000, 958)]


async def test_lots_that_are_over_leave_the_wallet_and_the_rest_follows(engine: AsyncEngine):
    async with till(engine, credit=0) as made:
        hands = Hands()
        job = hands.job(engine)
        await made.grant(100, TODAY - 1, TODAY + 60_000)
        await made.grant(5, TODAY - 1)
        async with working(engine) as connection:
            await connection.execute(update(purse).where(purse.c.id == made.wallet).values(held=30))
        await job.run()
        assert await made.available() == 105
        hands.wait(_TEN_MINUTES)
        await job.run()
        assert await made.available() == 30
        async with working(engine) as connection:
            await connection.execute(update(purse).values(held=0))
        hands.wait(_TEN_MINUTES)
        assert await job.run() is False
        assert (await made.available(), await made.lots()) == (
            5, [("grant", 100, 0), ("grant", 5, 5)]
        )  # fmt: skip


async def test_a_run_that_gets_long_asks_for_another(engine: AsyncEngine):
    async with till(engine, credit=0) as made:
        wallets = [made.wallet]
        async with working(engine) as connection:
            for number in range(3):
                wallets.append(await open_wallet(connection, 100 + number))
                await grant(connection, wallets[-1], 10, str(number), 1)
            await connection.execute(
                update(purse).where(purse.c.id.in_(wallets[1:])).values(available=4)
            )
        job = Hands().job(engine, run_ms=0)
        assert [await job.run() for _ in range(3)] == [True, True, False]
        async with working(engine) as connection:
            for wallet in wallets[1:]:
                assert [one.remaining for one in await lots_of(connection, wallet)] == [4]
