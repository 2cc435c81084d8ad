"""Proof of sliced holds: when more is asked for, how much, and what each answer leads to.

That nothing passes which the books do not pay for is in test_slices_money.py.
"""

import asyncio

import pytest

from tests.relay.calls import INPUT_NANO, LIMIT, OUTPUT_NANO, WALLET, admitted, chat, key, snapshot
from tests.relay.calls import model as a_model
from tests.relay.paper import REFUSED, no_budgets, paper_ledger
from tollbridge.billing.bill import unpack
from tollbridge.core.settings import Settings
from tollbridge.protocols.usage import Usage
from tollbridge.relay.checkpoint import NO_LIMIT, Answer, Checkpoints
from tollbridge.relay.purses import Purses
from tollbridge.relay.reserve import Reserve
from tollbridge.relay.slices import HiddenOutput, Slices, cover
from tollbridge.storage.ledger_items import HoldResult, Look, Update

SLICE = 1_000
LONG = snapshot(models=(a_model(max_output=40_000),))
SHORT = HoldResult(ok=False, short=WALLET)


class Running:
    """A stream with a first slice of a thousand tokens in the books."""

    def __init__(self, money=10**12, by=None, step_nano=10**15, **purses):
        self.ledger, self.writer = paper_ledger(w1=money, **purses)
        self.call = admitted(chat(stream=True), by=by or key(), catalogue=LONG)
        self.settings = Settings(
            slice_tokens=SLICE, hold_floor_tokens=100, checkpoint_nano=step_nano
        )
        self.told = []

    async def __aenter__(self):
        await Reserve(self.ledger, self.settings, Purses(no_budgets())).hold(self.call)
        self.slices = cover(self.call, self.ledger, self.settings, lambda: None)
        self.slices.told = self.told.append
        return self

    async def __aexit__(self, *_):
        self.ledger.stop()

    @property
    def updates(self):
        return self.writer.only(Update)

    @property
    def held(self):
        return self.writer.holds[self.call.tid].amount

    def pays_for(self, tokens):
        """Return the hold for so many output tokens."""
        return self.call.input_bound * INPUT_NANO + tokens * OUTPUT_NANO

    async def answered(self):
        """Let answers arrive."""
        for _ in range(6):
            await asyncio.sleep(0)


async def test_the_first_slice_pays_for_two_bytes_a_token():
    async with Running() as run_:
        assert isinstance(run_.slices, Slices)
        assert run_.call.amount == run_.held == run_.pays_for(SLICE)
        assert run_.slices.limit_bytes == 2 * SLICE
        assert run_.slices.next_bytes == SLICE


async def test_a_whole_hold_has_no_limit():
    ledger, _ = paper_ledger(w1=10**12)
    call = admitted(chat(stream=True))
    points = cover(call, ledger, Settings(), lambda: None)
    assert type(points) is Checkpoints
    assert points.limit_bytes == NO_LIMIT
    assert not points.pays(Usage(input=1))
    ledger.stop()


async def test_past_half_of_it_one_statement_extends_and_checkpoints():
    async with Running() as run_:
        run_.slices.write(SLICE)
        [update] = run_.updates
        assert update.amount == run_.held == run_.pays_for(SLICE + 2 * SLICE)
        assert update.covered == run_.call.input_estimate * INPUT_NANO + SLICE // 4 * OUTPUT_NANO
        assert unpack(update.bill).output == SLICE // 4
        # Durable on paper, but this side has not heard of it yet.
        assert run_.call.amount == run_.pays_for(SLICE)
        assert run_.slices.next_bytes == run_.slices.limit_bytes + 1 == 2 * SLICE + 1
        await run_.answered()
        assert run_.told == [Answer.MORE]
        assert run_.call.amount == run_.held
        assert (run_.slices.limit_bytes, run_.slices.next_bytes) == (6 * SLICE, 3 * SLICE)


async def test_slices_double_up_to_sixteen_and_the_worst_case_is_the_end():
    async with Running() as run_:
        sizes = []
        while run_.slices.limit_bytes < NO_LIMIT:
            before = run_.call.amount
            run_.slices.write(run_.slices.next_bytes)
            await run_.answered()
            sizes.append((run_.call.amount - before) // OUTPUT_NANO // SLICE)
        assert sizes == [2, 4, 8, 16, 9]
        assert run_.call.amount == run_.held == run_.call.tariff.worst == run_.pays_for(40_000)
        assert set(run_.told) == {Answer.MORE}


async def test_one_frame_longer_than_a_slice_is_extended_beyond_itself():
    async with Running() as run_:
        run_.slices.write(20 * SLICE)
        await run_.answered()
        assert run_.call.amount == run_.pays_for(10 * SLICE + 2 * SLICE)
        assert run_.slices.limit_bytes >= 20 * SLICE


async def test_nothing_is_written_while_an_extension_is_under_way():
    async with Running() as run_:
        run_.writer.slow = True
        run_.slices.write(SLICE)
        run_.slices.write(SLICE + 900)
        assert len(run_.updates) == 1
        run_.writer.write()
        await run_.answered()
        assert run_.told == [Answer.MORE]


async def test_checkpoints_come_between_extensions():
    async with Running(step_nano=50 * OUTPUT_NANO) as run_:
        assert run_.slices.next_bytes == 200
        run_.slices.write(200)
        [update] = run_.updates
        assert update.amount == run_.call.amount
        assert run_.slices.next_bytes == 400
        run_.slices.write(900)
        assert run_.slices.next_bytes == SLICE


async def test_short_of_money_what_is_free_is_asked_for_once():
    async with Running(money=30_000) as run_:
        free = 30_000 - run_.call.amount
        run_.slices.write(SLICE)
        await run_.answered()
        first, second = run_.updates
        assert first.amount > 30_000
        assert second.amount == run_.call.amount == run_.held == 30_000
        assert run_.told == [Answer.MORE]
        assert free // OUTPUT_NANO >= 256
        # A look lies between, because only fresh figures say what is left.
        assert [type(item) for item in run_.writer.seen[-3:]] == [Update, Look, Update]


async def test_too_little_is_not_asked_for_and_the_stream_goes_on_to_its_limit():
    async with Running(money=12_000) as run_:
        assert (12_000 - run_.call.amount) // OUTPUT_NANO < 256
        run_.slices.write(SLICE)
        await run_.answered()
        assert run_.told == [Answer.SHORT]
        assert len(run_.updates) == 1
        assert run_.slices.next_bytes == run_.slices.limit_bytes + 1
        # Money came meanwhile.
        run_.writer.spend(WALLET, -(10**9))
        run_.slices.write(2 * SLICE + 1)
        await run_.answered()
        assert run_.told == [Answer.SHORT, Answer.MORE]


async def test_a_keys_limit_is_as_short_as_a_wallet():
    async with Running(by=key(limit_purse_id=LIMIT), w3=12_000) as run_:
        run_.slices.write(SLICE)
        await run_.answered()
        assert run_.told == [Answer.SHORT]
        assert run_.writer.purses[WALLET].held == run_.call.amount


async def test_refused_twice_is_short():
    async with Running() as run_:
        run_.writer.scripted[Update] = [SHORT, SHORT]
        run_.slices.write(SLICE)
        await run_.answered()
        assert (run_.told, len(run_.updates)) == ([Answer.SHORT], 2)
        assert run_.call.amount == run_.pays_for(SLICE)


async def test_a_hold_that_is_not_there_any_more_is_not_asked_for_again():
    async with Running() as run_:
        run_.writer.scripted[Update] = [REFUSED]
        run_.slices.write(SLICE)
        await run_.answered()
        assert (run_.told, len(run_.updates)) == ([Answer.GONE], 1)


@pytest.mark.parametrize("when", ["update", "look"])
async def test_books_that_do_not_answer_are_late(when):
    async with Running() as run_:
        if when == "look":
            run_.writer.scripted[Update] = [SHORT]
        run_.slices.write(SLICE) if when == "look" else None
        run_.writer.slow = True
        run_.slices.write(SLICE) if when == "update" else None
        await run_.answered()
        assert run_.told == []
        run_.ledger.broken("the disk is gone")
        await run_.answered()
        assert run_.told == [Answer.LATE]


@pytest.mark.parametrize("result", [SHORT, None])
async def test_after_the_end_nobody_is_told_and_nothing_more_is_asked(result):
    async with Running() as run_:
        if result is not None:
            run_.writer.scripted[Update] = [result]
        run_.slices.write(SLICE)
        run_.slices.close()
        await run_.answered()
        assert (run_.told, len(run_.updates)) == ([], 1)


async def test_usage_within_the_durable_hold_is_paid():
    async with Running() as run_:
        tokens = run_.call.input_bound
        assert run_.slices.pays(Usage(input=tokens, output=SLICE))
        assert not run_.slices.pays(Usage(input=tokens, output=SLICE + 1))
        assert not run_.slices.pays(None)
        assert not run_.slices.pays(Usage(output=10**30))


async def test_a_model_that_bills_what_it_does_not_show_is_remembered():
    call, hidden = admitted(chat(stream=True), catalogue=LONG), HiddenOutput()
    hidden.learn(call, Usage(output=300), 100)
    hidden.learn(call, None, 0)
    assert call.model.id not in hidden
    hidden.learn(call, Usage(output=307), 100)
    assert call.model.id in hidden
