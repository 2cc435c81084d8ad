"""The twin of billing/ledger.py: figures under interleavings, deadlines, withholding.

The writer here is driven by hand, so that every order of events can be had; what needs the real
one is in test_node.py.
"""

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.billing.ledgers import Gauges, until
from tests.storage import books
from tests.storage.books import LIMIT, OTHER, WALLET
from tollbridge.billing.ledger import DatabaseDown, Ledger
from tollbridge.storage.ledger_items import (
    Figures,
    Hold,
    HoldResult,
    Look,
    Poisoned,
    Record,
    Return,
    Settle,
    SettleResult,
    Update,
)

TAKEN = HoldResult(ok=True, short=None)


class HandWriter:
    """Keeps items until the test answers them."""

    def __init__(self):
        self.items = []
        self.alive = True
        self.busy_since = None

    def submit(self, item):
        self.items.append(item)


class Desk:
    """A ledger over a writer driven by hand."""

    def __init__(self, deadline_s=1000.0, grace_s=1000.0, admits=lambda: True):
        self.gauges = Gauges()
        self.reasons = []
        self.writer = HandWriter()
        self.ledger = Ledger(
            self.gauges,
            deadline_s=deadline_s,
            grace_s=grace_s,
            on_broken=self.reasons.append,
            admits=admits,
        )
        self.ledger.start(self.writer)

    def hold(self, amount=100, purses=(WALLET,), tid="a"):
        return self.ledger.hold(tid, purses, amount, 1, "{}")

    def publish(self, *answers, **purses):
        self.ledger.published(
            list(answers), {int(k[1:]): Figures(*v) for k, v in purses.items()}, 0.0
        )

    def see(self, available, held=0, purse=WALLET):
        self.ledger.published([], {purse: Figures(available, held)}, 0.0)


@pytest.fixture
async def desk():
    desk = Desk()
    yield desk
    desk.ledger.stop()


@pytest.fixture
async def hasty():
    """A desk whose deadlines have passed as soon as the ledger looks."""
    desk = Desk(deadline_s=0.0)
    yield desk
    desk.ledger.stop()


async def test_an_unknown_purse_has_no_figure(desk):
    assert desk.ledger.free((WALLET,)) is None
    assert desk.ledger.must_wait((WALLET,), 1)
    desk.see(1000)
    assert desk.ledger.free((WALLET, LIMIT)) is None
    assert desk.ledger.must_wait((WALLET, LIMIT), 1)


async def test_a_hold_on_an_unknown_purse_does_not_make_it_known(desk):
    item = desk.hold()
    assert desk.ledger.free((WALLET,)) is None
    assert desk.ledger.must_wait((WALLET,), 0)
    desk.publish((item, Poisoned("x")))
    assert desk.ledger.free((WALLET,)) is None


async def test_free_is_the_poorest_purse_without_what_is_on_its_way(desk):
    desk.see(1000, 200)
    desk.see(500, 0, LIMIT)
    assert desk.ledger.free((WALLET, LIMIT)) == 500
    desk.hold(100, (WALLET, LIMIT))
    assert desk.ledger.free((WALLET, LIMIT)) == 400
    assert desk.ledger.free((WALLET,)) == 700
    assert desk.ledger.free(()) is None


@pytest.mark.parametrize(
    ("free", "unconfirmed", "need", "waits"),
    [(400, 0, 100, False), (399, 0, 100, True), (800, 100, 100, False), (799, 100, 100, True)],
)
async def test_a_hold_must_come_first_below_four_times_what_is_asked(
    desk, free, unconfirmed, need, waits
):
    desk.see(free + 50, 50)
    if unconfirmed:
        desk.hold(unconfirmed)
    assert desk.ledger.must_wait((WALLET,), need) is waits


async def test_every_purse_has_a_say_in_waiting(desk):
    desk.see(10_000)
    desk.see(399, 0, LIMIT)
    assert not desk.ledger.must_wait((WALLET,), 100)
    assert desk.ledger.must_wait((WALLET, LIMIT), 100)


async def test_a_confirmed_hold_moves_from_unconfirmed_to_held(desk):
    desk.see(1000)
    first, second = desk.hold(100), desk.hold(50, tid="b")
    desk.publish((first, TAKEN), p1=(1000, 100))
    assert desk.ledger.free((WALLET,)) == 850
    assert await first.future == TAKEN
    desk.publish((second, HoldResult(ok=False, short=WALLET)), p1=(1000, 100))
    assert desk.ledger.free((WALLET,)) == 900
    assert desk.gauges.refused == 1
    assert desk.gauges.batches == [0, 1, 1]


async def test_a_hold_given_up_is_not_a_refusal_for_lack_of_money(desk):
    item = desk.hold()
    desk.publish((item, HoldResult(ok=False, short=None)))
    assert desk.gauges.refused == 0


async def test_a_look_brings_figures_and_later_ones_win(desk):
    looking = asyncio.ensure_future(desk.ledger.look((WALLET, LIMIT)))
    await asyncio.sleep(0)
    (item,) = desk.writer.items
    assert item.purses == (WALLET, LIMIT)
    answer = {WALLET: Figures(7, 0), LIMIT: Figures(5, 0)}
    desk.publish((item, answer), p1=(3, 0))
    await looking
    assert desk.ledger.free((WALLET,)) == 3
    assert desk.ledger.free((LIMIT,)) == 5


async def test_what_is_asked_reaches_the_writer_in_order(desk):
    desk.hold()
    desk.ledger.update("a", 200, 50, "{}")
    settle = desk.ledger.settle("a", 60, books.row("a"))
    desk.ledger.record(books.row("b"))
    assert [type(item) for item in desk.writer.items] == [Hold, Update, Settle, Record]
    desk.publish((settle, SettleResult(True, 60, 0, 940)))
    assert (await settle.future).balance == 940


async def test_a_loss_is_reported(desk):
    settle = desk.ledger.settle("a", 60, books.row("a"))
    free = desk.ledger.settle("b", 0, books.row("b"))
    desk.publish((settle, SettleResult(True, 50, 10, 0)), (free, SettleResult(True, 0, 0, 0)))
    assert desk.gauges.losses == [10]


async def test_poison_is_raised_to_whoever_waits_and_to_nobody_else(desk):
    item = desk.hold()
    left = desk.hold(tid="b")
    left.future.cancel()
    desk.publish((item, Poisoned("x")), (left, Poisoned("x")))
    with pytest.raises(Poisoned):
        await item.future


async def test_withholding_before_the_writer_took_it_only_marks(desk):
    settle = desk.ledger.settle("a", 60, books.row("a"))
    desk.ledger.withhold(settle, (WALLET,))
    assert settle.effective()[0] == 0
    assert desk.writer.items == [settle]


async def test_withholding_what_the_writer_took_marks_and_gives_back(desk):
    settle = desk.ledger.settle("a", 60, books.row("a"))
    settle.taken = True
    desk.ledger.withhold(settle, (WALLET, LIMIT))
    assert settle.effective()[0] == 0
    back = desk.writer.items[-1]
    assert (type(back), back.tid, back.purses) == (Return, "a", (WALLET, LIMIT))


async def test_a_hold_past_its_deadline_is_given_up(hasty):
    item = hasty.hold()
    update = hasty.ledger.update("a", 5, 5, "{}")
    assert hasty.ledger.ready
    with pytest.raises(DatabaseDown):
        await item.future
    with pytest.raises(DatabaseDown):
        await update
    assert item.cancelled
    assert not hasty.ledger.ready
    hasty.see(1000)
    assert hasty.ledger.free((WALLET,)) == 900
    hasty.publish((item, HoldResult(ok=False, short=None)))
    assert hasty.ledger.free((WALLET,)) == 1000


async def test_a_late_writer_is_probed_and_forgiven(hasty):
    item = hasty.hold()
    await until(lambda: type(hasty.writer.items[-1]) is Look)
    assert not hasty.ledger.ready
    with pytest.raises(DatabaseDown):
        await item.future
    probe = hasty.writer.items[-1]
    hasty.publish((probe, {}))
    assert hasty.ledger.ready


async def test_settles_have_no_short_deadline_but_a_stuck_batch_of_them_is_seen(hasty):
    settle = hasty.ledger.settle("a", 60, books.row("a"))
    hasty.writer.busy_since = time.monotonic() - 5
    await until(lambda: not hasty.ledger.ready)
    assert not settle.future.done()
    hasty.writer.busy_since = None


async def test_a_settle_past_its_grace_stays_queued_and_is_still_taken_over():
    desk = Desk(grace_s=0.0)
    settle = desk.ledger.settle("a", 60, books.row("a"))
    with pytest.raises(DatabaseDown):
        await settle.future
    assert desk.writer.items == [settle]
    assert not settle.withheld
    desk.publish((settle, SettleResult(True, 50, 10, 0)), p1=(0, 0))
    assert desk.gauges.losses == [10]
    assert desk.ledger.free((WALLET,)) == 0
    desk.ledger.stop()


async def test_the_balance_is_what_was_seen_last_and_not_yet_charged(desk):
    assert desk.ledger.balance(WALLET) == 0
    item = desk.hold(100)
    assert desk.ledger.balance(WALLET) == 0
    desk.publish((item, TAKEN), p1=(1000, 100))
    assert desk.ledger.balance(WALLET) == 1000


async def test_a_full_disk_admits_nothing():
    room = [True]
    desk = Desk(admits=lambda: room[0])
    assert desk.ledger.ready
    room[0] = False
    await until(lambda: not desk.ledger.ready)
    room[0] = True
    await until(lambda: desk.ledger.ready)
    desk.ledger.stop()


async def test_a_broken_writer_frees_all_who_wait_and_takes_nothing_more(desk):
    item, settle = desk.hold(), desk.ledger.settle("b", 5, books.row("b"))
    desk.ledger.broken("a reason")
    with pytest.raises(DatabaseDown):
        await item.future
    with pytest.raises(DatabaseDown):
        await settle.future
    with pytest.raises(DatabaseDown):
        await desk.hold(tid="c").future
    with pytest.raises(DatabaseDown):
        await desk.ledger.look((WALLET,))
    with pytest.raises(DatabaseDown):
        await desk.ledger.settle("d", 5, books.row("d")).future
    assert len(desk.writer.items) == 2
    assert not desk.ledger.ready
    desk.ledger.broken("again")
    assert desk.reasons == ["a reason"]


async def test_a_dead_thread_is_noticed_once(desk):
    item = desk.hold()
    desk.writer.alive = False
    with pytest.raises(DatabaseDown):
        await item.future
    assert desk.reasons == ["the writer thread is gone"]


async def test_views_are_bounded_but_for_holds_on_their_way(desk, monkeypatch):
    monkeypatch.setattr("tollbridge.billing.ledger._VIEWS_MAX", 10)
    desk.hold(100, (WALLET,))
    for purse in range(100, 150):
        desk.see(5, 0, purse)
        assert desk.ledger.free((purse,)) == 5
        assert len(desk.ledger._views) <= 12
    desk.see(1000)
    assert desk.ledger.free((WALLET,)) == 900


async def test_an_item_that_makes_no_sense_spoils_no_other(desk, monkeypatch):
    monkeypatch.setattr("tollbridge.billing.ledger._VIEWS_MAX", 0)
    strange, item = desk.hold(0, (OTHER,), "z"), desk.hold()
    desk.see(1, 0, 100)
    desk.publish((strange, Poisoned("x")), (item, TAKEN))
    assert await item.future == TAKEN
    with pytest.raises(Poisoned):
        await strange.future


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("hold"), st.integers(1, 300), st.sampled_from([(1,), (1, 3), (2,)])),
        st.tuples(st.just("write"), st.integers(1, 5), st.just(())),
        st.tuples(st.just("settle"), st.integers(0, 400), st.just(())),
        st.tuples(st.just("publish"), st.just(0), st.just(())),
    ),
    max_size=40,
)


@given(STEPS)
def test_figures_are_right_under_every_interleaving(steps):
    asyncio.run(interleave(steps))


async def interleave(steps):
    """Writes happen now, are published later: free never counts what the books or calls hold."""
    from tests.storage.books_model import beginning

    desk, model, written, made = Desk(), beginning(1000, 500), [], []
    for purse, figures in model.figures().items():
        desk.see(*figures, purse)
    for number, (what, amount, purses) in enumerate(steps):
        if what == "hold":
            desk.hold(amount, purses, f"{number}")
            made.append(f"{number}")
        elif what == "settle" and made:
            desk.ledger.settle(made.pop(0), amount, books.row("x"))
        elif what == "write":
            items, desk.writer.items = desk.writer.items[:amount], desk.writer.items[amount:]
            answers = [(item, model.take(item)) for item in items]
            written.append((answers, model.figures()))
        elif what == "publish":
            while written:
                desk.ledger.published(*written.pop(0), 0.0)
        pending = [*desk.writer.items, *(item for batch in written for item, _ in batch[0])]
        check_view(desk, model, pending, settled=not written)
    desk.ledger.stop()


def check_view(desk, model, pending, *, settled):
    for purse, figures in model.figures().items():
        asked = sum(item.amount for item in pending if type(item) is Hold and purse in item.purses)
        view = desk.ledger._views[purse]
        assert view.unconfirmed == asked
        if settled:
            assert desk.ledger.free((purse,)) == figures.free - asked
