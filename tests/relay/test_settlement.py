"""Proof of the end table: what each end of a call costs and what its row says (money.md)."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.relay.calls import (
    INPUT_NANO,
    OUTPUT_NANO,
    WALLET,
    account,
    admitted,
    channel,
    chat,
    model,
    price,
    snapshot,
)
from tests.relay.paper import no_budgets, paper_ledger
from tests.storage.books import run
from tollbridge.catalog.prices import Rates
from tollbridge.core.errors import ApiError, Kind
from tollbridge.core.metrics import Metrics
from tollbridge.core.money import Multiplier
from tollbridge.core.settings import Settings
from tollbridge.protocols.usage import Usage
from tollbridge.relay.purses import Purses
from tollbridge.relay.reserve import Reserve
from tollbridge.relay.settlement import Settlement
from tollbridge.storage.ledger_items import Record, Settle

MONEY = 10**12
USED = Usage(input=100, output=40, reasoning=15)
EXACT = 100 * INPUT_NANO + 40 * OUTPUT_NANO
OK = (1, "ok", 12)


class Desk:
    """A settlement over books on paper."""

    def __init__(self, money=MONEY):
        self.ledger, self.writer = paper_ledger(w1=money)
        self.metrics = Metrics()
        self.settlement = Settlement(self.ledger, self.metrics)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self.ledger.stop()

    async def held(self, **values):
        """Return a call that an account answered while its hold stood."""
        call = admitted(chat(stream=True), **values)
        await Reserve(self.ledger, Settings(), Purses(no_budgets())).hold(call)
        call.account = call.channel.accounts[0]
        call.bill.account_id = call.account.id
        call.attempts.append(OK)
        return call

    @property
    def row(self):
        """The only usage row; every end also leaves no hold behind."""
        assert self.writer.holds == {}
        assert self.writer.purses[WALLET].held == 0
        (row,) = self.writer.rows
        assert self.writer.purses[WALLET].available == MONEY - row["charge"]
        return row

    def counted(self, outcome):
        return self.metrics.registry.get_sample_value(
            "tollbridge_requests_total", {"surface": "chat", "outcome": outcome}
        )


def estimate(call, text_bytes):
    return call.input_estimate * INPUT_NANO + -(-text_bytes // 4) * OUTPUT_NANO


async def test_complete_with_usage_is_exact():
    async with Desk() as desk:
        call = await desk.held()
        call.started_at -= 2
        call.first_token_at = call.started_at + 0.5
        settle = desk.settlement.complete(call, USED, 999, "gpt-test")
        assert (await settle.future).charge == EXACT
        row = desk.row
        assert (row["end_state"], row["status"], row["error_kind"]) == ("complete", 200, None)
        assert (row["charge"], row["loss"], row["flags"]) == (EXACT, 0, "")
        assert (row["input"], row["output"], row["reasoning"]) == (100, 40, 15)
        assert (row["held"], row["list_cost"]) == (call.amount, EXACT)
        assert row["first_token_ms"] in {499, 500}
        assert row["total_ms"] >= 2000
        assert (row["account_id"], row["attempts"], row["items"]) == (1, None, None)
        assert (row["model_sent"], row["model_answered"]) == ("gpt-test", "gpt-test")
        assert desk.counted("complete") == 1


async def test_an_explicit_zero_is_zero():
    async with Desk() as desk:
        desk.settlement.complete(await desk.held(), Usage(), 400, None)
        assert (desk.row["charge"], desk.row["flags"]) == (0, "")


async def test_complete_without_usage_is_estimated_from_the_text():
    async with Desk() as desk:
        call = await desk.held()
        desk.settlement.complete(call, None, 41, None)
        assert (desk.row["charge"], desk.row["flags"]) == (estimate(call, 41), "estimated")
        assert (desk.row["input"], desk.row["output"]) == (call.input_estimate, 11)


@pytest.mark.parametrize("end", ["complete", "gone", "partial"])
async def test_an_input_that_is_known_is_exact_though_the_output_is_not(end):
    async with Desk() as desk:
        call = await desk.held()
        getattr(desk.settlement, end)(call, Usage(input=7, interim=True), 41, None)
        assert desk.row["charge"] == 7 * INPUT_NANO + 11 * OUTPUT_NANO
        assert (desk.row["input"], desk.row["output"]) == (7, 11)
        assert "estimated" in desk.row["flags"].split(",")


@pytest.mark.parametrize(
    ("usage", "tokens_in"),
    [
        (Usage(input=7, interim=True), 7),
        (Usage(input=7, output=9_000), 7),
        (Usage(output=9_000), None),
        (None, None),
    ],
)
async def test_a_stream_that_the_money_ended_costs_what_the_client_was_shown(usage, tokens_in):
    async with Desk() as desk:
        call = await desk.held()
        desk.settlement.limited(call, usage, 41, None)
        assert desk.row["input"] == (tokens_in or call.input_estimate)
        assert (desk.row["output"], desk.row["flags"]) == (11, "estimated,balance_short")
        assert desk.row["charge"] == desk.row["input"] * INPUT_NANO + 11 * OUTPUT_NANO


@given(st.integers(0, 10**7))
def test_an_estimate_never_exceeds_the_hold(text_bytes):
    async def check():
        async with Desk() as desk:
            call = await desk.held()
            desk.settlement.complete(call, None, text_bytes, None)
            assert desk.row["charge"] == min(estimate(call, text_bytes), call.amount)
            assert desk.row["loss"] == 0

    run(check())


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_exact_usage_is_charged_also_above_the_hold(tokens_in, tokens_out):
    async def check():
        async with Desk() as desk:
            used = Usage(input=tokens_in, output=tokens_out)
            desk.settlement.complete(await desk.held(), used, 0, None)
            assert desk.row["charge"] == tokens_in * INPUT_NANO + tokens_out * OUTPUT_NANO

    run(check())


async def test_what_the_wallet_cannot_pay_is_the_operators():
    async with Desk(money=100_000) as desk:
        call = await desk.held()
        result = await desk.settlement.complete(call, Usage(output=20_000), 0, None).future
        assert (result.charge, result.loss, result.balance) == (100_000, 100_000, 0)


async def test_a_client_that_left_a_complete_answer_is_told_apart():
    async with Desk() as desk:
        desk.settlement.complete(await desk.held(), USED, 0, None, gone=True)
        assert (desk.row["end_state"], desk.row["status"]) == ("complete", 499)
        assert (desk.row["charge"], desk.row["flags"]) == (EXACT, "client_disconnected")


@pytest.mark.parametrize(
    ("usage", "flags"), [(USED, "client_disconnected"), (None, "client_disconnected,estimated")]
)
async def test_a_client_that_left_pays_for_the_input_and_what_was_streamed(usage, flags):
    async with Desk() as desk:
        call = await desk.held()
        desk.settlement.gone(call, usage, 80, "gpt-test")
        assert (desk.row["end_state"], desk.row["status"]) == ("client_gone", 499)
        assert desk.row["charge"] == (EXACT if usage else estimate(call, 80))
        assert desk.row["flags"] == flags
        assert desk.counted("client_gone") == 1


async def test_a_client_that_left_before_content_pays_for_the_input_alone():
    async with Desk() as desk:
        call = await desk.held()
        desk.settlement.gone(call, None, 0, None)
        assert desk.row["charge"] == call.input_estimate * INPUT_NANO
        assert desk.row["output"] == 0


@pytest.mark.parametrize(("usage", "flags"), [(USED, "partial"), (None, "partial,estimated")])
async def test_an_upstream_that_was_cut_is_paid_for_what_it_streamed(usage, flags):
    async with Desk() as desk:
        call = await desk.held()
        desk.settlement.partial(call, usage, 80, "gpt-test")
        assert (desk.row["end_state"], desk.row["status"]) == ("partial", 200)
        assert desk.row["charge"] == (EXACT if usage else estimate(call, 80))
        assert desk.row["flags"] == flags


async def test_another_model_than_the_one_sent_is_noted():
    async with Desk() as desk:
        desk.settlement.complete(await desk.held(), USED, 0, "gpt-test-2026-01-01")
        assert desk.row["flags"] == "model_mismatch"
        assert desk.row["model_answered"] == "gpt-test-2026-01-01"


async def test_figures_that_did_not_add_up_are_charged_and_flagged():
    async with Desk() as desk:
        used = Usage(input=100, output=40, clamped=True)
        desk.settlement.complete(await desk.held(), used, 0, None)
        assert (desk.row["charge"], desk.row["flags"]) == (EXACT, "clamped")


async def test_figures_beyond_any_price_cost_what_was_agreed_to():
    async with Desk() as desk:
        call = await desk.held()
        desk.settlement.complete(call, Usage(output=2**62, clamped=True), 0, None)
        assert (desk.row["charge"], desk.row["flags"]) == (call.amount, "clamped")
        assert desk.row["list_cost"] == 0


async def test_multiplier_fee_and_own_cost_are_each_counted_where_they_belong():
    dear = snapshot(
        channel(multiplier=Multiplier(3, 2), accounts=(account(cost=Multiplier(1, 3)),)),
        models=(model(price=price(request=1_001)),),
    )
    async with Desk() as desk:
        desk.settlement.complete(await desk.held(catalogue=dear), USED, 0, None)
        listed = EXACT + 1_001
        assert desk.row["list_cost"] == listed
        assert desk.row["charge"] == -(-listed * 3 // 2)
        assert desk.row["own_cost"] == -(-listed // 3)
        assert (desk.row["multiplier_num"], desk.row["multiplier_den"]) == (3, 2)
        assert msgspec.json.decode(desk.row["items"]) == {"request": 1}


async def test_failed_attempts_are_listed_and_one_good_one_is_not():
    async with Desk() as desk:
        call = await desk.held()
        call.attempts.insert(0, (9, "status_500", 31))
        desk.settlement.complete(call, USED, 0, None)
        assert msgspec.json.decode(desk.row["attempts"]) == [[9, "status_500", 31], [1, "ok", 12]]


@pytest.mark.parametrize(
    ("attempts", "kind", "state"),
    [
        ([], Kind.BALANCE_INSUFFICIENT, "refused"),
        ([], Kind.DATABASE_DOWN, "database_lost"),
        ([(1, "ok", 5)], Kind.DATABASE_DOWN, "database_lost"),
        ([(1, "ok", 5)], Kind.BALANCE_INSUFFICIENT, "refused"),
        ([(1, "empty", 5)], Kind.UPSTREAM_FAILED, "empty"),
        ([(1, "status_500", 5)], Kind.UPSTREAM_FAILED, "upstream_error"),
        ([(1, "empty", 5), (2, "idle_timeout", 5)], Kind.UPSTREAM_TIMEOUT, "upstream_error"),
        ([(1, "status_400", 5)], Kind.UPSTREAM_BAD_REQUEST, "upstream_error"),
    ],
)
@pytest.mark.parametrize("holding", [True, False])
async def test_a_call_that_came_to_nothing_costs_nothing_and_says_why(
    attempts, kind, state, holding
):
    async with Desk() as desk:
        call = await desk.held()
        call.attempts[:] = attempts
        if not holding:
            desk.writer.holds.clear()
            desk.writer.purses[WALLET] = desk.writer.purses[WALLET]._replace(held=0)
            call.hold = None
        desk.settlement.nothing(call, ApiError(kind), 503)
        row = desk.row
        assert (row["end_state"], row["error_kind"], row["status"]) == (state, kind.value, 503)
        assert (row["charge"], row["loss"], row["list_cost"]) == (0, 0, 0)
        assert (row["input"], row["output"], row["flags"]) == (0, 0, "")
        assert len(desk.writer.only(Settle if holding else Record)) == 1
        assert desk.counted(state) == 1
        assert (row["attempts"] is None) == (attempts in ([], [(1, "ok", 5)]))


async def test_a_hold_that_is_still_on_its_way_is_ended_too():
    async with Desk() as desk:
        await desk.ledger.look((WALLET,))
        desk.writer.slow = True
        call = await desk.held()
        desk.settlement.nothing(call, ApiError(Kind.UPSTREAM_FAILED), 502)
        desk.writer.write()
        assert desk.row["charge"] == 0


async def test_tokens_that_are_not_sold_cost_nothing_beside_the_fee():
    free = snapshot(models=(model(price=price(request=1, rates=Rates.filled({}))),))
    async with Desk() as desk:
        desk.settlement.complete(await desk.held(catalogue=free), USED, 0, None)
        assert desk.row["charge"] == 1


@pytest.mark.parametrize("said", ["x" * 201, "a name with blanks", "naïve", "line\nbreak", ""])
async def test_what_cannot_be_a_model_name_is_not_kept(said):
    async with Desk() as desk:
        call = await desk.held()
        desk.settlement.complete(call, USED, 0, said)
        assert desk.row["model_answered"] is None
