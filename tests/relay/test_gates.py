"""Proof that the two gates of money.md are watched: a relay without one fails the test of it."""

import msgspec
import pytest

from tests.relay import test_pipeline as proofs
from tests.relay.floor import open_floor
from tollbridge.relay.pipeline import Relay
from tollbridge.relay.reserve import Reserve
from tollbridge.storage.ledger_items import SettleResult


@pytest.fixture
async def floor():
    async with open_floor() as one:
        yield one


async def _does_not_wait_for_the_hold(self, call):
    return


async def _does_not_wait_for_the_settle(self, call, settle, *, withhold=False):
    return SettleResult(open=True, charge=settle.cost, loss=0, balance=0)


ONE = (Reserve, "confirm", _does_not_wait_for_the_hold)
TWO = (Relay, "_durable", _does_not_wait_for_the_settle)
STREAMED = proofs.test_no_content_leaves_before_the_hold_is_durable
WHOLE = proofs.test_no_whole_answer_leaves_before_hold_and_settle_are_durable
FINAL = proofs.test_a_stream_whose_settle_is_refused_never_gets_its_final_frame
WITHHELD = proofs.test_a_whole_answer_whose_settle_is_refused_is_withheld

# What is read as an error's body is none where an answer was let out.
CAUGHT = (AssertionError, KeyError, msgspec.DecodeError)


@pytest.mark.parametrize("proof", [STREAMED, WHOLE, FINAL, WITHHELD])
async def test_with_its_gates_the_relay_passes(floor, proof):
    await proof(floor)


@pytest.mark.parametrize(
    ("gate", "proof"),
    [(ONE, STREAMED), (TWO, STREAMED), (TWO, WHOLE), (TWO, FINAL), (TWO, WITHHELD)],
)
async def test_without_a_gate_its_proof_fails(floor, monkeypatch, gate, proof):
    monkeypatch.setattr(*gate)
    with pytest.raises(CAUGHT):
        await proof(floor)


@pytest.mark.parametrize("body", [proofs.WHOLE, proofs.STREAM])
async def test_without_gate_one_a_call_that_nobody_pays_for_is_answered(monkeypatch, body):
    """The refusal in flight is what gate 1 is for: for a whole answer its settle tells, too."""
    proof = proofs.test_a_hold_refused_for_good_withholds_the_answer_and_costs_nothing
    async with open_floor() as one:
        await proof(one, body)
    monkeypatch.setattr(*ONE)
    if body is proofs.STREAM:
        async with open_floor() as one:
            with pytest.raises(CAUGHT):
                await proof(one, body)
