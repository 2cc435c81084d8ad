"""Proof of which purses pay, and that a budget that is used up ends calls until the next period."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.billing.budgeted import BUDGET, DAY_MS, add_budgeted_key, record
from tests.relay.calls import LIMIT, WALLET, admitted, key
from tests.relay.paper import paper_ledger
from tollbridge.billing.budgets import Budgets
from tollbridge.core.errors import ApiError, Kind
from tollbridge.core.settings import Settings
from tollbridge.relay.purses import Purses, Shortage, shortage
from tollbridge.relay.reserve import Reserve
from tollbridge.storage.engine import open_engine
from tollbridge.storage.ledger_items import Figures
from tollbridge.storage.migrate import migrate

MONEY = 10**9


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """Return a database with a key that has a budget."""
    url = f"sqlite:///{tmp_path}/budgets.db"
    await migrate(url)
    opened = open_engine(url)
    await add_budgeted_key(opened)
    yield opened
    await opened.dispose()


@pytest.fixture
def purses(engine: AsyncEngine) -> Purses:
    """Return purses that know no budget yet."""
    return Purses(Budgets(engine))


async def test_without_a_budget_nobody_waits(purses: Purses):
    assert purses.known(key(), 5) == await purses.find(key(), 5) == (WALLET,)
    limited = key(limit_purse_id=LIMIT)
    assert purses.known(limited, 5) == await purses.find(limited, 5) == (WALLET, LIMIT)


async def test_the_budget_comes_last_and_is_known_for_its_period(purses: Purses):
    plain, limited = record(wallet_id=WALLET), record(wallet_id=WALLET, limit_purse_id=LIMIT)
    assert purses.known(plain, 5) is None
    wallet, budget = await purses.find(plain, 5)
    assert (wallet, purses.known(plain, 7)) == (WALLET, (WALLET, budget))
    assert purses.known(limited, DAY_MS - 1) == (WALLET, LIMIT, budget)
    assert await purses.find(limited, DAY_MS - 1) == (WALLET, LIMIT, budget)
    assert purses.known(plain, DAY_MS) is None
    assert (await purses.find(plain, DAY_MS))[1] != budget


async def test_without_a_database_the_call_is_refused(tmp_path: Path):
    nowhere = open_engine(f"sqlite:///{tmp_path}/empty.db")
    purses = Purses(Budgets(nowhere))
    assert await purses.find(key(), 5) == (WALLET,)
    with pytest.raises(ApiError) as caught:
        await purses.find(record(), 5)
    assert caught.value.kind is Kind.DATABASE_DOWN
    await nowhere.dispose()


def test_what_is_short_has_its_own_kind():
    of = record(wallet_id=WALLET, limit_purse_id=LIMIT)
    wallet = Shortage(Kind.BALANCE_INSUFFICIENT, "The balance")
    assert shortage(of, WALLET, 5) == wallet
    assert shortage(of, LIMIT, 5) == Shortage(Kind.KEY_LIMIT_REACHED, "The key's spending limit")
    budget = shortage(of, 99, 5)
    assert (budget.kind, budget.whose) == (Kind.BUDGET_REACHED, "The key's budget of this day")
    assert budget.advice == " The next day begins at 1970-01-02T00:00:00Z."


@pytest.mark.parametrize(
    ("at_ms", "wait_s"), [(0, 86_400), (1, 86_400), (DAY_MS - 1, 1), (DAY_MS - 1_000, 1)]
)
def test_the_wait_is_for_the_period_to_end(at_ms: int, wait_s: int):
    assert shortage(record(), 99, at_ms).retry_after_s == wait_s


async def test_a_budget_that_is_used_up_ends_calls_until_the_next_period(engine: AsyncEngine):
    ledger, writer = paper_ledger(**{f"w{WALLET}": MONEY, f"w{LIMIT}": MONEY})
    budgets = Budgets(engine)
    reserve = Reserve(ledger, Settings(), Purses(budgets))
    whose = record(wallet_id=WALLET, limit_purse_id=LIMIT, budget_nano=BUDGET)
    try:
        writer.purses[await budgets.open(whose, 5)] = Figures(BUDGET // 10, 0)
        writer.purses[await budgets.open(whose, DAY_MS)] = Figures(MONEY, 0)
        call = admitted(by=whose)
        call.at_ms = DAY_MS - 90_000
        with pytest.raises(ApiError) as caught:
            await reserve.hold(call)
        error = caught.value
        assert (error.kind, error.retry_after_s) == (Kind.BUDGET_REACHED, 90)
        assert error.message is not None
        assert error.message.startswith("The key's budget of this day does not cover this call: $")
        assert error.message.endswith(" The next day begins at 1970-01-02T00:00:00Z.")
        call = admitted(by=whose)
        call.at_ms = DAY_MS
        await reserve.hold(call)
        await reserve.confirm(call)
        assert [writer.purses[purse].held for purse in call.purses] == [call.amount] * 3
    finally:
        ledger.stop()


async def test_the_error_names_what_is_short(engine: AsyncEngine):
    ledger, writer = paper_ledger(**{f"w{WALLET}": MONEY, f"w{LIMIT}": 1})
    budgets = Budgets(engine)
    reserve = Reserve(ledger, Settings(), Purses(budgets))
    whose = record(wallet_id=WALLET, limit_purse_id=LIMIT)
    try:
        budget = await budgets.open(whose, 5)
        for limit, left, kind in (
            (1, MONEY, Kind.KEY_LIMIT_REACHED),
            (MONEY, 1, Kind.BUDGET_REACHED),
        ):
            writer.purses |= {LIMIT: Figures(limit, 0), budget: Figures(left, 0)}
            call = admitted(by=whose)
            call.at_ms = 5
            with pytest.raises(ApiError) as caught:
                await reserve.hold(call)
            assert caught.value.kind is kind
    finally:
        ledger.stop()
