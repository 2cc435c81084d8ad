"""The twin of storage/ledger_batch.py: the arithmetic of one batch, by hand and at random."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.storage import books
from tests.storage.books import LIMIT, OTHER, WALLET
from tollbridge.storage.ledger_batch import Batch, Billed, Line, OpenHold
from tollbridge.storage.ledger_items import (
    INT64_MAX,
    REVERSED,
    USAGE_COLUMNS,
    Figures,
    HoldResult,
    Look,
    Poisoned,
    Settle,
    SettleResult,
)

BOTH = (WALLET, LIMIT)
TAKEN = HoldResult(ok=True, short=None)
GONE = HoldResult(ok=False, short=None)
NOT_OPEN = SettleResult(open=False, charge=0, loss=0, balance=0)


def batch(wallet=(1000, 0), limit=(500, 0), standing=(), billed=None):
    figures = {WALLET: Figures(*wallet), LIMIT: Figures(*limit), OTHER: Figures(1000, 0)}
    return Batch(figures.__getitem__, {one.tid: one for one in standing}, (billed or {}).get)


def standing(tid="old", amount=100, covered=0, purses=(WALLET,)):
    return OpenHold(tid, purses, amount, covered, 1, "old bill")


def charge_line(amount, tid="a", wallet=WALLET):
    return Line(f"wallet:{wallet}", "revenue", amount, "charge", tid)


def test_a_hold_sets_money_aside_in_every_purse():
    work = batch()
    assert work.take(books.hold("a", 300, BOTH)) == TAKEN
    assert work.purses == {WALLET: (1000, 300), LIMIT: (500, 300)}
    assert work.made["a"].amount == 300
    assert work.made["a"].row((7, 9)) == (
        "a",
        WALLET,
        LIMIT,
        None,
        300,
        0,
        7,
        9,
        *work.made["a"][4:],
    )


def test_a_hold_of_one_purse_names_no_limit():
    work = batch()
    work.take(books.hold("a", 300))
    assert work.made["a"].row((7, 9))[1:4] == (WALLET, None, None)


@pytest.mark.parametrize(
    ("wallet", "limit", "short"),
    [((299, 0), (500, 0), WALLET), ((1000, 701), (500, 0), WALLET), ((1000, 0), (299, 0), LIMIT)],
)
def test_a_hold_is_refused_whole_and_names_the_first_short_purse(wallet, limit, short):
    work = batch(wallet, limit)
    assert work.take(books.hold("a", 300, BOTH)) == HoldResult(ok=False, short=short)
    assert not work.purses
    assert not work.made


def test_holds_in_one_batch_are_taken_by_running_sum():
    work = batch()
    outcomes = [work.take(books.hold(name, 400)).ok for name in "abc"]
    assert outcomes == [True, True, False]
    assert work.purses[WALLET] == (1000, 800)


@pytest.mark.parametrize("amount", [0, -1, INT64_MAX + 1])
def test_an_amount_that_no_table_holds_is_poison(amount):
    with pytest.raises(Poisoned):
        batch().take(books.hold("a", amount))


def test_a_cancelled_or_repeated_hold_does_nothing():
    work = batch(standing=[standing()])
    item = books.hold("a", 5)
    item.cancelled = True
    assert work.take(item) == GONE
    assert work.take(books.hold("old", 5)) == GONE
    work.take(books.hold("b", 5))
    assert work.take(books.hold("b", 5)) == GONE
    work.take(books.settle("b", 5))
    assert work.take(books.hold("b", 5)) == GONE
    assert work.purses[WALLET].held == 0
    assert not work.made


def test_an_update_grows_and_never_shrinks():
    work = batch(wallet=(1000, 100), standing=[standing()])
    assert work.take(books.update("old", 250, 80, "new")) == TAKEN
    assert work.take(books.update("old", 120, 70, "stale")) == TAKEN
    assert work.changed["old"][2:] == (250, 80, 1, "new")
    assert work.changed["old"].changes() == (250, 80, "new", "old")
    assert work.purses[WALLET] == (1000, 250)


def test_an_update_that_lacks_money_changes_nothing():
    work = batch(wallet=(1000, 900), standing=[standing(amount=900)])
    assert work.take(books.update("old", 1001, 500)) == HoldResult(ok=False, short=WALLET)
    assert not work.changed
    assert not work.purses


def test_an_update_asks_every_purse():
    work = batch(limit=(500, 100), wallet=(1000, 100), standing=[standing(purses=BOTH)])
    assert work.take(books.update("old", 501, 0)) == HoldResult(ok=False, short=LIMIT)
    assert work.take(books.update("old", 500, 0)) == TAKEN
    assert work.purses == {WALLET: (1000, 500), LIMIT: (500, 500)}


def test_an_update_of_no_hold_is_refused():
    assert batch().take(books.update("a", 5, 5)) == GONE


@pytest.mark.parametrize(
    ("cost", "charge", "loss", "available"),
    [(0, 0, 0, 1000), (60, 60, 0, 940), (100, 100, 0, 900), (1000, 1000, 0, 0), (1001, 1000, 1, 0)],
)
def test_a_settle_charges_what_there_is_and_the_rest_is_the_operators(
    cost, charge, loss, available
):
    work = batch(wallet=(1000, 100), standing=[standing()])
    result = work.take(books.settle("old", cost))
    assert result == SettleResult(True, charge, loss, available)
    assert work.purses[WALLET] == (available, 0)
    assert work.ended == ["old"]
    assert work.usage[0][-2:] == (charge, loss)
    lines = [charge_line(charge, "old")] if charge else []
    lines += [Line("operator_loss", "revenue", loss, "loss", "old")] if loss else []
    assert work.journal == lines


def test_what_other_calls_hold_is_not_taken_for_a_dear_one():
    others = standing("other", 850)
    work = batch(wallet=(1000, 950), standing=[standing(), others])
    assert work.take(books.settle("old", 400)) == SettleResult(True, 150, 250, 850)
    assert work.purses[WALLET] == (850, 850)


def test_a_key_limit_may_be_overrun_but_not_below_what_it_holds():
    held = [standing(purses=BOTH), standing("other", 300, purses=BOTH)]
    work = batch(wallet=(1000, 400), limit=(450, 400), standing=held)
    assert work.take(books.settle("old", 600)).charge == 600
    assert work.purses == {WALLET: (400, 300), LIMIT: (300, 300)}


def test_a_second_settle_does_nothing():
    work = batch(wallet=(1000, 100), standing=[standing()])
    assert work.take(books.settle("old", 60)).open
    before = dict(work.purses)
    assert work.take(books.settle("old", 60)) == NOT_OPEN
    assert work.take(books.settle("old", 0)) == NOT_OPEN
    assert work.purses == before
    assert len(work.usage) == len(work.journal) == 1


def test_a_settle_of_an_older_batch_does_nothing():
    work = batch(billed={"a": Billed(5, 0)})
    assert work.take(books.settle("a", 0)) == NOT_OPEN
    assert not work.usage


def test_a_call_whose_hold_was_given_up_still_gets_its_row():
    work = batch()
    item = books.hold("a", 300)
    item.cancelled = True
    work.take(item)
    assert work.take(books.settle("a", 0)) == NOT_OPEN
    assert [one[0] for one in work.usage] == ["a"]
    assert not work.journal
    assert not work.purses


@pytest.mark.parametrize(
    ("cost", "charge", "loss"), [(-5, 0, 0), (1 << 80, 1000, INT64_MAX - 1000)]
)
def test_a_cost_beyond_reason_is_clamped_and_charged(cost, charge, loss):
    work = batch(wallet=(1000, 100), standing=[standing()])
    assert work.take(books.settle("old", cost)) == SettleResult(True, charge, loss, 1000 - charge)


def test_a_whole_life_in_one_batch_leaves_no_hold_behind():
    work = batch()
    items = [books.hold("a", 100, BOTH), books.update("a", 200, 150), books.settle("a", 180)]
    results = [work.take(item) for item in items]
    assert results == [TAKEN, TAKEN, SettleResult(True, 180, 0, 820)]
    assert (work.made, work.changed, work.ended) == ({}, {}, [])
    assert work.purses == {WALLET: (820, 0), LIMIT: (320, 0)}
    assert work.journal == [charge_line(180)]


def test_updates_and_settles_before_their_hold_are_refused():
    work = batch()
    items = [books.settle("a", 5), books.update("a", 5, 5), books.hold("a", 5)]
    assert [work.take(item) for item in items] == [NOT_OPEN, GONE, TAKEN]


def test_a_look_sees_the_items_before_it():
    work = batch()
    work.take(books.hold("a", 300))
    assert work.take(Look((WALLET, LIMIT))) == {WALLET: (1000, 300), LIMIT: (500, 0)}


def test_a_record_is_a_row_that_costs_nothing():
    work = batch()
    assert work.take(books.record("a")) is None
    assert work.usage[0][-2:] == (0, 0)
    assert not work.journal


def test_a_withheld_settle_frees_the_hold_and_costs_nothing():
    work = batch(wallet=(1000, 100), standing=[standing()])
    item = books.settle("old", 60)
    item.withheld = True
    assert work.take(item) == SettleResult(True, 0, 0, 1000)
    assert work.usage[0][USAGE_COLUMNS.index("end_state")] == "withheld"
    assert not work.journal


def test_a_return_gives_back_the_charge_and_the_loss():
    work = batch(billed={"a": Billed(60, 7)})
    assert work.take(books.give_back("a", BOTH)) is True
    assert work.purses == {WALLET: (1060, 0), LIMIT: (560, 0)}
    assert work.journal == [
        Line("revenue", "wallet:1", 60, "return", "a"),
        Line("revenue", "operator_loss", 7, "return_loss", "a"),
    ]
    assert work.returned == ["a"]


def test_a_return_credits_once_only():
    work = batch(billed={"a": Billed(60, 0)})
    assert [work.take(books.give_back("a")) for _ in range(3)] == [True, True, True]
    assert work.purses[WALLET] == (1060, 0)
    assert len(work.journal) == 1


def test_a_return_in_the_batch_of_its_settle_finds_the_charge():
    work = batch(wallet=(1000, 100), standing=[standing()])
    work.take(books.settle("old", 60))
    assert work.take(books.give_back("old")) is True
    assert work.purses[WALLET] == (1000, 0)
    assert [line.kind for line in work.journal] == ["charge", "return"]


def test_a_return_of_a_free_or_unknown_call_moves_nothing():
    work = batch(billed={"a": Billed(0, 0)})
    assert work.take(books.give_back("a")) is True
    assert work.take(books.give_back("b")) is False
    assert not work.journal
    assert not work.purses
    assert work.returned == ["a"]


# ---------------------------------------------------------------- at random

TIDS = st.sampled_from("abcde")
AMOUNT = st.integers(1, 400)
COST = st.integers(0, 900)
PURSES = st.sampled_from([(WALLET,), BOTH, (OTHER,)])
HOLDS = st.builds(books.hold, TIDS, AMOUNT, PURSES)
UPDATES = st.builds(books.update, TIDS, st.integers(0, 600), st.integers(0, 600))
SETTLES = st.builds(books.settle, TIDS, COST)
RETURNS = st.builds(books.give_back, TIDS)
ITEMS = st.lists(st.one_of(HOLDS, UPDATES, SETTLES, RETURNS), max_size=25)


@given(ITEMS, st.integers(0, 1000), st.integers(0, 600))
def test_money_is_conserved_and_never_negative(items, money, limit):
    work = batch(wallet=(money, 0), limit=(limit, 0))
    for item in items:
        open_hold = (work.made | work.changed).get(item.tid)
        result = work.take(item)
        check_purses(work, money)
        if isinstance(result, SettleResult) and result.open:
            wallet = open_hold.purses[0]
            assert result.charge + result.loss == item.cost
            assert result.charge >= min(item.cost, open_hold.amount)
            assert not result.loss or work.take(Look((wallet,)))[wallet].free == 0


def check_purses(work, money):
    held = dict.fromkeys((WALLET, OTHER, LIMIT), 0)
    for one in (work.made | work.changed).values():
        for purse in one.purses:
            held[purse] += one.amount
    now = work.take(Look((WALLET, OTHER, LIMIT)))
    assert {purse: figures.held for purse, figures in now.items()} == held
    assert all(figures.available >= figures.held >= 0 for figures in now.values())
    earned = {WALLET: 0, OTHER: 0}
    for line in work.journal:
        for side, sign in ((line.debit, -1), (line.credit, 1)):
            if side.startswith("wallet:"):
                earned[int(side.removeprefix("wallet:"))] += sign * line.amount
    assert now[WALLET].available == money + earned[WALLET]
    assert now[OTHER].available == 1000 + earned[OTHER]


@given(st.lists(UPDATES.filter(lambda item: item.tid == "a"), min_size=1, max_size=8))
def test_the_order_of_updates_does_not_matter(updates):
    def outcome(order):
        work = batch(wallet=(10**6, 100), standing=[standing("a")])
        for item in order:
            assert work.take(item).ok
        return work.changed["a"].amount, work.changed["a"].covered, work.purses.get(WALLET)

    assert outcome(updates) == outcome(updates[::-1]) == outcome(updates * 2)


RECLAIMED = {"a": Billed(60, 0, reclaimed=True)}


@pytest.mark.parametrize(
    ("cost", "charge", "loss", "lines"),
    [
        (60, 60, 0, []),
        (100, 100, 0, [Line("wallet:1", "revenue", 40, "late", "a")]),
        (0, 0, 0, [Line("revenue", "wallet:1", 60, "late", "a")]),
        (
            5000,
            1060,
            3940,
            [
                Line("wallet:1", "revenue", 1000, "late", "a"),
                Line("operator_loss", "revenue", 3940, "late_loss", "a"),
            ],
        ),
    ],
)
def test_a_late_settle_books_the_difference(cost, charge, loss, lines):
    work = batch(wallet=(1000, 0), limit=(500, 0), billed=RECLAIMED)
    item = Settle("a", cost, books.row("a", flags="partial"), BOTH)
    result = work.take(item)
    balance = 1000 + 60 - charge
    assert result == SettleResult(True, charge, loss, balance, late=True)
    assert work.journal == lines
    assert work.purses[WALLET] == (balance, 0)
    assert work.purses[LIMIT] == (max(500 + 60 - charge, 0), 0)
    (row,) = work.amended
    assert row[-2:] == (charge, loss)
    assert row[USAGE_COLUMNS.index("flags")] == "partial,late"
    # Once only: what it wrote is no reclaimer's row any more.
    assert work.take(item).open is False


@pytest.mark.parametrize(
    ("cost", "charge", "lines"),
    [
        (60, 60, []),
        (100, 100, [Line("wallet:1", "revenue", 40, "late", "a")]),
        (0, 60, []),
    ],
)
def test_what_staff_gave_back_is_not_given_back_again(cost, charge, lines):
    """By a late settle, nor by an answer that is withheld."""
    billed = {"a": Billed(60, 0, reclaimed=True, reversed=60)}
    work = batch(billed=billed)
    work.take(Settle("a", cost, books.row("a"), (WALLET,)))
    (row,) = work.amended
    assert (row[-2:], row[REVERSED]) == ((charge, 0), 60)
    assert row[USAGE_COLUMNS.index("flags")] == "late,reversed"
    assert (work.journal, work.purses[WALLET]) == (lines, (1060 - charge, 0))
    assert work.take(books.give_back("a")) is True
    given = [Line("revenue", "wallet:1", charge - 60, "return", "a")] if charge > 60 else []
    assert (work.journal, work.returned) == (lines + given, ["a"])


def test_a_late_settle_spares_what_other_calls_hold():
    work = batch(wallet=(1000, 990), billed=RECLAIMED)
    result = work.take(Settle("a", 100, books.row("a"), (WALLET,)))
    assert (result.charge, result.loss) == (70, 30)


def test_what_was_sent_again_is_answered_by_the_books():
    work = batch(standing=[standing()], billed={"done": Billed(7, 1), **RECLAIMED})
    again = [books.hold("old", 100), books.hold("a", 100), books.settle("done", 9)]
    for item in again:
        item.resent = True
    assert [work.take(item) for item in again] == [
        HoldResult(ok=True, short=None),
        HoldResult(ok=False, short=None),
        SettleResult(True, 7, 1, 1000),
    ]
    assert not (work.made or work.usage or work.journal or work.purses)
