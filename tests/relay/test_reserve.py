"""Proof of the money before a call: when it waits, when it asks again, and what it says."""

import asyncio
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.relay.calls import (
    INPUT_NANO,
    LIMIT,
    OUTPUT_NANO,
    WALLET,
    admitted,
    chat,
    key,
    model,
    price,
    snapshot,
)
from tests.relay.paper import REFUSED, no_budgets, paper_ledger
from tests.storage.books import run
from tollbridge.billing.bill import unpack
from tollbridge.catalog.prices import Rates
from tollbridge.core.errors import ApiError, Kind
from tollbridge.core.money import parse_usd
from tollbridge.core.settings import Settings
from tollbridge.relay.purses import Purses
from tollbridge.relay.reserve import Reserve, make_bill
from tollbridge.storage.ledger_items import Hold, HoldResult, Look, Poisoned

LIMITED = key(limit_purse_id=LIMIT)


class Desk:
    """A reserve over books on paper."""

    def __init__(self, share=1, floor=100, **purses):
        self.ledger, self.writer = paper_ledger(**purses)
        settings = Settings(hold_share=share, hold_floor_tokens=floor)
        self.reserve = Reserve(self.ledger, settings, Purses(no_budgets()))

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self.ledger.stop()

    async def refusal(self, call, step=None):
        with pytest.raises(ApiError) as caught:
            await (step or self.reserve.hold)(call)
        return caught.value

    async def outcome(self, call):
        """Ask for a hold and return the kind of its refusal, if it is one."""
        try:
            await self.reserve.hold(call)
        except ApiError as error:
            return error.kind
        return None


def worst(call, output=1_000):
    """Return what a call may cost at most."""
    return call.input_bound * INPUT_NANO + output * OUTPUT_NANO


async def test_a_rich_wallet_holds_the_worst_case_without_waiting():
    async with Desk(w1=10**9) as desk:
        await desk.ledger.look((WALLET,))
        desk.writer.slow = True
        call = admitted()
        await asyncio.wait_for(desk.reserve.hold(call), 30)
        assert not call.hold.future.done()
        assert (call.amount, call.output_limit) == (worst(call), None)
        assert call.purses == (WALLET,)
        desk.writer.write()
        await desk.reserve.confirm(call)
        assert desk.writer.purses[WALLET].held == worst(call)


async def test_the_input_is_bounded_by_its_bytes_and_estimated_lower():
    async with Desk(w1=10**9) as desk:
        call = admitted()
        await desk.reserve.hold(call)
        size = len(call.exchange.body)
        assert call.input_bound == -(-size // 2)
        assert call.input_estimate == -(-size // 4)
        assert not call.has_media


async def test_content_that_nobody_here_can_see_is_bounded_by_the_context_window():
    async with Desk(w1=10**9) as desk:
        url = {"type": "image_url", "image_url": {"url": "https://pictures.example/1.png"}}
        call = admitted(chat(messages=[{"role": "user", "content": [url]}]))
        await desk.reserve.hold(call)
        assert (call.input_bound, call.has_media) == (10_000, True)
        assert call.input_estimate < 1_000


async def test_an_embedded_picture_is_estimated_by_the_piece_and_bounded_by_its_cap():
    async with Desk(w1=10**12) as desk:
        data = "data:image/png;base64,iVBORw0KGgo" + "A" * 4_000
        picture = {"type": "image_url", "image_url": {"url": data}}
        body = chat(messages=[{"role": "user", "content": [picture]}])
        wide = snapshot(models=(model(context=10**6),))
        call = admitted(body, catalogue=wide)
        await desk.reserve.hold(call)
        assert call.has_media
        assert 50_000 < call.input_bound < 50_200
        assert 1_000 < call.input_estimate < 1_100


async def test_the_first_call_of_a_wallet_looks_and_then_waits_for_nobody():
    async with Desk(w1=10**9) as desk:
        await desk.reserve.hold(admitted())
        await desk.reserve.hold(admitted())
        assert [type(item) for item in desk.writer.seen] == [Look, Hold, Hold]


async def test_where_money_is_short_the_hold_comes_before_the_call():
    async with Desk(w1=30_000) as desk:
        await desk.ledger.look((WALLET,))
        desk.writer.slow = True
        call = admitted()
        waiting = asyncio.ensure_future(desk.reserve.hold(call))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not waiting.done()
        assert len(desk.writer.only(Hold)) == 1
        desk.writer.write()
        await waiting
        assert call.hold.future.result().ok


async def test_a_share_of_a_small_balance_is_held_and_the_limit_it_pays_for_is_written():
    async with Desk(w1=20_000, share=4, floor=100) as desk:
        call = admitted()
        await desk.reserve.hold(call)
        assert call.output_limit == (5_000 - call.input_bound * INPUT_NANO) // OUTPUT_NANO
        assert call.amount == worst(call, call.output_limit) <= 5_000


@given(
    st.integers(0, 60_000), st.integers(1, 8), st.integers(1, 500), st.integers(1, 1_000),
    st.integers(1, 4),
)  # fmt: skip
def test_a_hold_always_pays_for_the_most_that_the_request_can_still_cost(
    money, share, floor, limit, copies
):
    async def check():
        async with Desk(share, floor, w1=money) as desk:
            call = admitted(chat(max_tokens=limit, n=copies))
            if (kind := await desk.outcome(call)) is not None:
                assert kind is Kind.BALANCE_INSUFFICIENT
                assert money < worst(call, min(limit * copies, max(floor, copies)))
                assert desk.writer.purses[WALLET].held == 0
                return
            sent = limit if call.output_limit is None else min(limit, call.output_limit)
            assert worst(call, sent * copies) <= call.amount <= money
            assert call.hold.future.result().ok

    run(check())


@pytest.mark.parametrize("money", [400, 401, 409, 413, 999])
async def test_a_wallet_that_cannot_pay_the_floor_is_told_what_it_could(money):
    async with Desk(w1=money, floor=100) as desk:
        error = await desk.refusal(admitted())
        assert error.kind is Kind.BALANCE_INSUFFICIENT
        said = re.fullmatch(
            r"The balance does not cover this call: \$(\S+) is free\."
            r" With max_tokens of (\d+) or less it would fit\.",
            error.message,
        )
        assert parse_usd(said[1]) == money
        assert error.facts == {"key_last6": "abc123", "model": "gpt-test"}
        follows = admitted(chat(max_completion_tokens=int(said[2])))
        await desk.reserve.hold(follows)
        assert follows.hold.future.result().ok
    async with Desk(w1=money, floor=100) as desk:
        hopes = admitted(chat(max_completion_tokens=int(said[2]) + 4))
        assert (await desk.refusal(hopes)).kind is Kind.BALANCE_INSUFFICIENT


async def test_an_empty_wallet_is_refused_without_advice():
    async with Desk(w1=0) as desk:
        error = await desk.refusal(admitted())
        assert error.message == "The balance does not cover this call: $0.00 is free."
        assert desk.writer.only(Hold) == []


async def test_only_figures_just_read_may_refuse():
    async with Desk(w1=0) as desk:
        await desk.ledger.look((WALLET,))
        desk.writer.spend(WALLET, -(10**9))
        call = admitted()
        await desk.reserve.hold(call)
        assert call.hold.future.result().ok


async def test_a_keys_limit_is_held_beside_the_wallet_and_named_when_it_is_what_lacks():
    async with Desk(w1=10**9, w3=10**8) as desk:
        call = admitted(by=LIMITED)
        await desk.reserve.hold(call)
        assert call.purses == (WALLET, LIMIT)
        assert desk.writer.purses[LIMIT].held == desk.writer.purses[WALLET].held == call.amount
    async with Desk(w1=10**9, w3=300) as desk:
        error = await desk.refusal(admitted(by=LIMITED))
        assert error.kind is Kind.KEY_LIMIT_REACHED
        assert error.message.startswith("The key's spending limit does not cover this call")
        assert "$0.0000003 is free" in error.message
    async with Desk(w1=300, w3=10**9) as desk:
        error = await desk.refusal(admitted(by=LIMITED))
        assert error.kind is Kind.BALANCE_INSUFFICIENT


async def test_a_waiting_hold_that_is_refused_is_asked_for_once_more_with_less():
    async with Desk(w1=30_000, floor=100) as desk:
        await desk.ledger.look((WALLET,))
        desk.writer.spend(WALLET, 25_000)
        call = admitted()
        await desk.reserve.hold(call)
        first, second = desk.writer.only(Hold)
        assert second.amount == call.amount < first.amount
        assert call.hold is second
        assert call.output_limit < 600


async def test_a_waiting_hold_that_nothing_is_left_for_is_refused_with_fresh_figures():
    async with Desk(w1=30_000) as desk:
        await desk.ledger.look((WALLET,))
        desk.writer.spend(WALLET, 29_990)
        error = await desk.refusal(admitted())
        assert error.kind is Kind.BALANCE_INSUFFICIENT
        assert "$0.00000001 is free" in error.message


async def test_a_waiting_hold_refused_twice_gives_up():
    async with Desk(w1=30_000) as desk:
        await desk.ledger.look((WALLET,))
        desk.writer.scripted[Hold] = [HoldResult(ok=False, short=WALLET)] * 2
        call = admitted()
        error = await desk.refusal(call)
        assert error.kind is Kind.BALANCE_INSUFFICIENT
        assert call.hold is None
        assert len(desk.writer.only(Hold)) == 2


async def test_a_hold_in_flight_that_is_refused_is_asked_for_once_more():
    async with Desk(w1=10**9) as desk:
        await desk.ledger.look((WALLET,))
        desk.writer.scripted[Hold] = [HoldResult(ok=False, short=WALLET)]
        call = admitted()
        await desk.reserve.hold(call)
        await desk.reserve.confirm(call)
        first, second = desk.writer.only(Hold)
        # The request is on its way, so what was bounded stays what is held.
        assert first.amount == second.amount == call.amount
        assert call.hold is second
        assert second.future.result().ok


@pytest.mark.parametrize("waits", [True, False])
async def test_a_hold_that_is_refused_though_there_is_money_is_not_asked_for_again(waits):
    """It may have been made and posted by others by now; the tid is used up."""
    async with Desk(w1=30_000 if waits else 10**9) as desk:
        await desk.ledger.look((WALLET,))
        desk.writer.scripted[Hold] = [REFUSED]
        call = admitted()
        if waits:
            error = await desk.refusal(call)
        else:
            await desk.reserve.hold(call)
            error = await desk.refusal(call, desk.reserve.confirm)
        assert error.kind is Kind.DATABASE_DOWN
        assert call.hold is None
        assert len(desk.writer.only(Hold)) == 1


@pytest.mark.parametrize(
    ("short", "kind"), [(WALLET, Kind.BALANCE_INSUFFICIENT), (LIMIT, Kind.KEY_LIMIT_REACHED)]
)
async def test_gate_one_stays_shut_when_the_money_is_really_gone(short, kind):
    async with Desk(w1=10**9, w3=10**9) as desk:
        await desk.ledger.look((WALLET, LIMIT))
        desk.writer.spend(short, 10**9)
        call = admitted(by=LIMITED)
        await desk.reserve.hold(call)
        error = await desk.refusal(call, desk.reserve.confirm)
        assert error.kind is kind
        assert call.hold is None
        assert desk.writer.holds == {}


@pytest.mark.parametrize("step", ["look", "first hold", "confirm"])
async def test_a_dead_database_is_named_at_every_step(step):
    async with Desk(w1=10**9 if step == "confirm" else 30_000) as desk:
        if step != "look":
            await desk.ledger.look((WALLET,))
        desk.writer.slow = True
        call = admitted()
        waits_for = desk.reserve.hold
        if step == "confirm":
            await desk.reserve.hold(call)
            waits_for = desk.reserve.confirm
        waiting = asyncio.ensure_future(desk.refusal(call, waits_for))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not waiting.done()
        desk.ledger.broken("the disk is gone")
        assert (await waiting).kind is Kind.DATABASE_DOWN


async def test_a_hold_that_no_table_can_take_is_our_fault():
    async with Desk(w1=10**9) as desk:
        desk.writer.scripted[Hold] = [Poisoned("no")]
        call = admitted()
        await desk.reserve.hold(call)
        error = await desk.refusal(call, desk.reserve.confirm)
        assert error.kind is Kind.INTERNAL
        assert call.hold is None


async def test_a_price_that_no_sum_can_hold_is_refused():
    async with Desk(w1=10**9) as desk:
        huge = price(rates=Rates.filled({"input": 2**62, "output": 2**62}))
        dear = snapshot(models=(model(price=huge, max_output=10**9),))
        error = await desk.refusal(admitted(catalogue=dear))
        assert (error.kind, error.code) == (Kind.INVALID_REQUEST, "call_too_large")


async def test_the_hold_carries_the_bill_for_whoever_has_to_post_it():
    async with Desk(w1=10**9) as desk:
        call = admitted(chat(stream=True), headers={b"user-agent": b"OpenAI/Python 1.0"})
        await desk.reserve.hold(call)
        bill = unpack(desk.writer.only(Hold)[0].bill)
        assert bill == make_bill(call)
        assert (bill.tid, bill.wallet_id, bill.price_id) == (call.tid, WALLET, 7)
        assert (bill.user_id, bill.key_id, bill.key_name) == (12, 11, "a key")
        assert (bill.channel_id, bill.channel_name, bill.account_id) == (1, "main", None)
        assert (bill.model_asked, bill.model_sent, bill.stream) == ("gpt-test", "gpt-test", True)
        assert (bill.surface, bill.platform, bill.client) == ("chat", "openai", "openai-python")
        assert (bill.num, bill.den) == (1, 1)
