"""The money of a session: held ahead, in the books after each response, settled at its exact sum."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.relay.calls import LIMIT, WALLET, admitted, channel, key, model, price, snapshot
from tests.relay.paper import REFUSED, PaperWriter, paper_ledger
from tollbridge.billing.bill import unpack
from tollbridge.billing.pricing import charge
from tollbridge.catalog.prices import Rates
from tollbridge.core.errors import ApiError, Kind
from tollbridge.core.money import Multiplier
from tollbridge.protocols.realtime import Used
from tollbridge.protocols.realtime_usage import added
from tollbridge.protocols.usage import Usage
from tollbridge.relay.checkpoint import Answer
from tollbridge.relay.realtime_tab import Tab, durable
from tollbridge.storage.ledger_items import Hold, HoldResult, Poisoned, Settle, Update

RATES = {"input": 4, "cache_read": 1, "output": 16, "audio_input": 32, "audio_output": 64}
SLICE = 10
FIRST = SLICE * (32 + 64)


class Scene:
    """An open tab of a model at whole nano-dollars a token; ten tokens each way are a slice."""

    def __init__(self, money: int = 10**9, **values: Any) -> None:
        rates = Rates.filled({name: nano * 1_000_000 for name, nano in RATES.items()})
        multiplier = values.pop("multiplier", Multiplier(1, 1))
        one = model(price=price(rates=rates, **values))
        main = channel(multiplier=multiplier)
        self.call = admitted(catalogue=snapshot(main, models=(one,)), by=key(limit_purse_id=LIMIT))
        self.call.purses = (WALLET, LIMIT)
        self.call.account = main.accounts[0]
        self.ledger, self.writer = paper_ledger(**{f"w{WALLET}": money, f"w{LIMIT}": 10**12})
        self.tab = Tab(self.call, self.ledger, SLICE)

    async def __aenter__(self) -> "Scene":
        await self.tab.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.ledger.stop()

    @property
    def hold(self) -> Any:
        return self.writer.holds[self.call.tid]

    async def end(self, state: str = "complete") -> dict[str, Any]:
        settle = self.tab.settle(state, 101, (), None)
        assert settle is not None
        assert await durable(settle) is not None
        [row] = self.writer.rows
        return row


def response(name: str, **counts: int) -> Used:
    return Used(name, True, Usage(**counts))


async def test_a_slice_is_held_before_anything_is_said():
    async with Scene() as scene:
        assert (scene.hold.amount, scene.hold.covered) == (FIRST, 0)
        row = await scene.end()
    assert (row["charge"], row["held"], row["end_state"]) == (0, FIRST, "complete")
    assert scene.writer.purses[WALLET] == (10**9, 0)


async def test_a_response_is_in_the_books_with_a_reserve_for_the_next():
    async with Scene() as scene:
        used = {"input": 5, "cache_read": 7, "output": 3, "audio_input": 11, "audio_output": 13}
        assert await scene.tab.add(response("a", **used)) is Answer.MORE
        cost = 5 * 4 + 7 + 3 * 16 + 11 * 32 + 13 * 64
        # All of it is read again, a slice more goes in, and as much comes out.
        reserve = (5 + 7 + 11 + 3 + 13 + SLICE) * 32 + 16 * 64
        assert (scene.hold.covered, scene.hold.amount) == (cost, cost + reserve)
        assert unpack(scene.hold.bill).used == Usage(**used)
        row = await scene.end()
    assert {name: row[name] for name in used} == used
    assert (row["charge"], row["list_cost"]) == (cost, cost)
    assert scene.writer.purses[WALLET] == (10**9 - cost, 0)
    assert scene.writer.purses[LIMIT] == (10**12 - cost, 0)


async def test_nothing_is_counted_twice_but_different_things_are():
    async with Scene() as scene:
        for told in (
            response("a", output=1),
            response("a", output=1),
            Used("a", False, Usage(output=1)),
            response("", output=1),
            response("", output=1),
        ):
            assert await scene.tab.add(told) is Answer.MORE
        assert scene.tab.used == Usage(output=4)
        await scene.end()


async def test_text_without_usage_is_estimated_and_flagged():
    async with Scene() as scene:
        await scene.tab.add(Used("a", True, None, 9))
        await scene.tab.add(Used("b", True, None, 0))
        row = await scene.end()
    assert (row["output"], row["flags"]) == (3, "estimated")


async def test_a_fee_for_requests_is_one_for_each_response():
    async with Scene(request=100) as scene:
        assert scene.hold.amount == FIRST + 100
        await scene.tab.add(response("a", input=1))
        await scene.tab.add(response("b", input=1))
        await scene.tab.add(Used("c", False, Usage(input=1)))
        row = await scene.end()
    assert (row["charge"], row["items"]) == (212, '{"request":2}')


async def test_seconds_without_a_price_are_audio_tokens():
    async with Scene() as scene:
        await scene.tab.add(Used("a", False, Usage(second=3)))
        row = await scene.end()
    assert (row["audio_input"], row["charge"], row["flags"]) == (30, 30 * 32, "estimated")
    async with Scene(second=5) as scene:
        await scene.tab.add(Used("a", False, Usage(second=3)))
        row = await scene.end()
    assert (row["audio_input"], row["charge"], row["flags"]) == (0, 15, "")


async def test_money_that_runs_out_leaves_a_checkpoint_and_says_whose_it_was():
    async with Scene(money=FIRST + 400) as scene:
        assert await scene.tab.add(response("a", output=10)) is Answer.SHORT
        assert (scene.hold.amount, scene.hold.covered) == (FIRST, 160)
        assert scene.tab.shortage().kind is Kind.BALANCE_INSUFFICIENT
        row = await scene.end("limited")
    assert (row["charge"], row["loss"]) == (160, 0)


async def test_a_response_beyond_the_hold_is_taken_from_the_wallet_then_borne():
    async with Scene(money=FIRST + 500) as scene:
        assert await scene.tab.add(response("a", audio_output=100)) is Answer.SHORT
        assert scene.hold.covered == FIRST
        row = await scene.end("limited")
    assert (row["charge"], row["loss"]) == (FIRST + 500, 6400 - FIRST - 500)
    assert scene.writer.purses[WALLET] == (0, 0)


async def test_a_hold_that_is_gone_and_books_that_refuse_are_told_apart():
    async with Scene() as scene:
        scene.writer.scripted[Update] = [REFUSED, Poisoned("no")]
        assert await scene.tab.add(response("a", output=1)) is Answer.GONE
        assert await scene.tab.add(response("b", output=1)) is Answer.LATE
        assert scene.tab.used == Usage(output=2)
        assert (await scene.end())["charge"] == 32


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (REFUSED, Kind.DATABASE_DOWN),
        (HoldResult(ok=False, short=LIMIT), Kind.KEY_LIMIT_REACHED),
        (Poisoned("no"), Kind.INTERNAL),
    ],
)
async def test_a_session_that_cannot_be_held_leaves_only_its_row(answer, kind):
    scene = Scene()
    scene.writer.scripted[Hold] = [answer]
    with pytest.raises(ApiError) as refused:
        await scene.tab.open()
    assert refused.value.kind is kind
    assert scene.tab.settle("refused", 402, (), kind.value) is None
    assert [row["end_state"] for row in scene.writer.rows] == ["refused"]
    scene.ledger.stop()


async def test_figures_that_no_price_can_be_worked_out_for_cost_the_hold():
    async with Scene() as scene:
        scene.tab.used = Usage(output=2**62)
        assert scene.tab.cost() == (FIRST, 0)
        await scene.end()


async def test_a_settle_that_is_lost_is_not_durable():
    async with Scene() as scene:
        scene.writer.scripted[Settle] = [Poisoned("no")]
        settle = scene.tab.settle("complete", 101, (), None)
        assert settle is not None and await durable(settle) is None


_counts = st.fixed_dictionaries({name: st.integers(0, 500) for name in RATES})


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), _counts), max_size=8),
    st.integers(FIRST, 200_000),
    st.sampled_from([Multiplier(1, 1), Multiplier(1, 7), Multiplier(3, 2)]),
)
def test_whatever_is_used_is_charged_exactly_once(parts, money, multiplier):
    async def play() -> tuple[Usage, PaperWriter, Scene, bool]:
        scene = Scene(money * 2, multiplier=multiplier)
        used, short = Usage(), False
        async with scene:
            for number, (whole, counts) in enumerate(parts):
                answer = await scene.tab.add(Used(str(number), whole, Usage(**counts)))
                used = added(used, Usage(**counts))
                if answer is Answer.SHORT:
                    short = True
                    break
                assert scene.hold.covered == scene.tab.cost()[0] <= scene.hold.amount
            await scene.end()
        return used, scene.writer, scene, short

    used, writer, scene, short = asyncio.run(play())
    [row] = writer.rows
    cost = charge(used, scene.call.price, multiplier)
    assert row["charge"] + row["loss"] == cost
    assert short or row["loss"] == 0
    assert writer.purses[WALLET] == (money * 2 - row["charge"], 0) and not writer.holds
