"""Proof of checkpoints: they only grow, never exceed the hold, and come often enough."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.relay.calls import INPUT_NANO, OUTPUT_NANO, admitted, channel, chat, price, snapshot
from tests.relay.calls import model as a_model
from tests.relay.paper import no_budgets, paper_ledger
from tests.storage.books import run
from tollbridge.billing.bill import unpack
from tollbridge.catalog.prices import Rates
from tollbridge.core.money import Multiplier
from tollbridge.core.settings import Settings
from tollbridge.relay.checkpoint import Checkpoints
from tollbridge.relay.purses import Purses
from tollbridge.relay.reserve import Reserve
from tollbridge.storage.ledger_items import Update

PLENTY = 10**12


class Running:
    """A held call with checkpoints."""

    def __init__(self, step_nano=500, **values):
        self.ledger, self.writer = paper_ledger(w1=PLENTY)
        self.call = admitted(chat(stream=True), **values)
        self.step_nano = step_nano

    async def __aenter__(self):
        await Reserve(self.ledger, Settings(), Purses(no_budgets())).hold(self.call)
        self.points = Checkpoints(self.call, self.ledger, self.step_nano)
        return self

    async def __aexit__(self, *_):
        self.ledger.stop()

    @property
    def updates(self):
        return self.writer.only(Update)

    @property
    def standing(self):
        return self.writer.holds[self.call.tid]


async def test_the_first_checkpoint_covers_the_input_and_what_was_said():
    async with Running() as run_:
        run_.points.write(40)
        estimate = run_.call.input_estimate
        assert run_.standing.covered == estimate * INPUT_NANO + 10 * OUTPUT_NANO
        bill = unpack(run_.standing.bill)
        assert (bill.input, bill.output) == (estimate, 10)
        assert run_.standing.amount == run_.call.amount


async def test_the_next_is_due_after_another_step_of_streamed_cost():
    async with Running(step_nano=500) as run_:
        assert run_.points.next_bytes == 500 // OUTPUT_NANO * 4
        run_.points.write(60)
        assert run_.points.next_bytes == 60 + 500 // OUTPUT_NANO * 4


async def test_the_channels_multiplier_counts_in_steps_and_sums():
    half = snapshot(channel(multiplier=Multiplier(1, 2)))
    async with Running(step_nano=500, catalogue=half) as run_:
        assert run_.points.next_bytes == 2 * (500 // OUTPUT_NANO) * 4
        run_.points.write(40)
        whole = run_.call.input_estimate * INPUT_NANO + 10 * OUTPUT_NANO
        assert run_.standing.covered == -(-whole // 2)


@pytest.mark.parametrize("step", [1, OUTPUT_NANO, 10**15])
async def test_any_step_leads_forward(step):
    async with Running(step_nano=step) as run_:
        at = run_.points.next_bytes
        assert at > 0
        run_.points.write(at)
        assert run_.points.next_bytes > at


async def test_output_that_costs_nothing_needs_no_steps():
    rates = Rates.filled({"input": 1_000_000, "output": 0})
    free = snapshot(models=(a_model(price=price(rates=rates)),))
    async with Running(catalogue=free) as run_:
        assert run_.points.next_bytes > 10**11


@given(st.lists(st.integers(0, 20_000), max_size=20))
def test_checkpoints_only_grow_and_never_exceed_the_hold(sizes):
    async def check():
        async with Running() as run_:
            for size in sizes:
                run_.points.write(size)
            covered = [item.covered for item in run_.updates]
            assert covered == sorted(set(covered))
            assert all(0 < one <= run_.call.amount for one in covered)
            assert {item.amount for item in run_.updates} <= {run_.call.amount}
            if sizes:
                wanted = estimate_of(run_.call, max(sizes))
                assert run_.standing.covered == min(wanted, run_.call.amount)

    run(check())


def estimate_of(call, size):
    return call.input_estimate * INPUT_NANO + -(-size // 4) * OUTPUT_NANO


async def test_nothing_is_written_when_nothing_was_added():
    async with Running() as run_:
        run_.points.write(40)
        run_.points.write(40)
        run_.points.write(20)
        assert len(run_.updates) == 1
