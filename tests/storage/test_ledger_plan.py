"""The twin of storage/ledger_plan.py: what a batch is folded into comes to the same as its items."""

from hypothesis import given, target
from hypothesis import strategies as st

from tests.storage import books
from tests.storage.books import LIMIT, OTHER, WALLET
from tollbridge.storage.ledger_batch import Batch, OpenHold
from tollbridge.storage.ledger_items import Figures, HoldResult, Look, SettleResult
from tollbridge.storage.ledger_plan import Own, Plan
from tollbridge.storage.ledger_statement import HOLD_ORDER, SETTLED, USAGE_ORDER

HELD = HoldResult(ok=True, short=None)
GONE = HoldResult(ok=False, short=None)
TIDS = ["known 1", "known 2", "known 3", "new 1", "new 2", "new 3"]
AMOUNTS = st.integers(0, 400)
ITEMS = st.lists(
    st.one_of(
        st.builds(
            books.hold,
            st.sampled_from(TIDS[3:]),
            AMOUNTS.map(lambda amount: amount + 1),
            st.sampled_from([(WALLET,), (WALLET, LIMIT), (OTHER,)]),
        ),
        st.builds(books.update, st.sampled_from(TIDS), AMOUNTS, AMOUNTS, st.text("ab", max_size=2)),
        st.builds(books.settle, st.sampled_from(TIDS), AMOUNTS),
        st.builds(books.record, st.uuids().map(lambda number: number.hex)),
    ),
    max_size=10,
)


class Outcome:
    """What the statement does with a plan's parameters, in plain Python."""

    def __init__(self, arguments, purses, holds):
        ids, flat, wishes, numbers, rows, *rest = map(list, arguments[2:])
        moves = dict(zip(ids, zip(*[iter(flat)] * 3, strict=True), strict=True))
        claims = list(zip(*[iter(wishes)] * 5, strict=True))
        made = list(zip(numbers, rows, strict=True))
        updates, ended = list(zip(*rest[:6], strict=True)), rest[6]
        self.refused = self._refused(claims, purses, moves)
        spent, more = dict.fromkeys(ids, 0), dict.fromkeys(ids, 0)
        for number, purse, _, held_more, cost in claims:
            if number not in self.refused:
                more[purse] += held_more
                spent[purse] += cost
        self.purses = purses | {
            one: Figures(
                purses[one].available + moves[one][0] - spent[one],
                purses[one].held + moves[one][1] + more[one],
            )
            for one in ids
        }
        self.holds = {tid: hold for tid, hold in holds.items() if tid not in ended}
        assert len(self.holds) == len(holds) - len(ended)
        for number, whole in made:
            if number not in self.refused:
                row = dict(zip(HOLD_ORDER, whole, strict=True))
                assert (row["node_id"], row["epoch"]) == (1, 1)
                three = (row["wallet_id"], row["key_purse_id"], row["other_purse_id"])
                self.holds[row["tid"]] = OpenHold(
                    row["tid"],
                    tuple(one for one in three if one is not None),
                    *(row[name] for name in ("amount", "covered", "at_ms", "bill")),
                )
        for number, tid, before, amount, covered, bill in updates:
            if number not in self.refused:
                hold = self.holds[tid]
                assert hold.amount == before
                self.holds[tid] = hold._replace(
                    amount=amount,
                    covered=max(hold.covered, covered),
                    bill=bill if covered >= hold.covered else hold.bill,
                )
        at = [USAGE_ORDER.index(name) for name in ("tid", "charge", "loss")]
        self.usage = [
            tuple(row[one] for one in at)
            for number, row in zip(*rest[7:9], strict=True)
            if number not in self.refused
        ]
        self.lines = [
            (debit, credit, amount, kind, ref)
            for number, (_, at_ms, debit, credit, amount, currency, kind, ref) in zip(
                *rest[9:11], strict=True
            )
            if number not in self.refused and (at_ms, currency) == (0, "USD")
        ]

    @staticmethod
    def _refused(claims, purses, moves):
        refused, running = set(), dict.fromkeys(moves, 0)
        for number, purse, need, _, _ in claims:
            running[purse] += need
            if purse not in purses or running[purse] > purses[purse].free + moves[purse][2]:
                refused.add(number)
        return refused


def standing(amounts):
    owners = [(WALLET,), (WALLET, LIMIT), (OTHER,)]
    return {
        tid: OpenHold(tid, purses, amount + 1, covered, 5, "old")
        for tid, purses, (amount, covered) in zip(TIDS, owners, amounts, strict=False)
    }


def figures(holds, spare):
    held = dict.fromkeys((WALLET, OTHER, LIMIT), 0)
    for hold in holds.values():
        for purse in hold.purses:
            held[purse] += hold.amount
    return {purse: Figures(held[purse] + spare[at], held[purse]) for at, purse in enumerate(held)}


@given(
    ITEMS,
    st.lists(st.tuples(AMOUNTS, AMOUNTS), min_size=3, max_size=3),
    st.tuples(AMOUNTS, AMOUNTS, AMOUNTS),
)
def test_a_plan_comes_to_what_its_items_do_one_after_the_other(items, amounts, spare):
    holds = standing(amounts)
    purses = figures(holds, spare)
    plan = Plan(items, {tid: Own(one.purses, one.amount, 5) for tid, one in holds.items()})
    outcome = Outcome(plan.arguments((1, 1), 0), purses, holds)
    answers, changes = plan.answers(sorted(outcome.refused), outcome.purses)
    decided = [item for item, _ in answers]
    target(len(decided))
    assert len(decided) + len(plan.left) == len(items)
    assert {*map(id, decided), *map(id, plan.left)} == set(map(id, items))

    # First the calls that end or free money, then those that need some, each in its order.
    claimed = {row[1] for row in _claimed(plan)}
    batch = Batch(purses.__getitem__, holds, lambda tid: None)
    first = [one for one in items if one in decided and getattr(one, "tid", "") not in claimed]
    then = [one for one in items if one in decided and getattr(one, "tid", "") in claimed]
    expected = {id(item): batch.take(item) for item in (*first, *then)}
    assert outcome.purses == purses | batch.purses
    after = {tid: one for tid, one in holds.items() if tid not in batch.ended}
    assert outcome.holds == after | batch.changed | batch.made
    assert sorted(outcome.usage) == sorted((row[0], *row[-2:]) for row in batch.usage)
    assert sorted(outcome.lines) == sorted(map(tuple, batch.journal))
    for item, answer in answers:
        if isinstance(answer, SettleResult):
            assert answer._replace(balance=0) == expected[id(item)]._replace(balance=0)
        else:
            assert answer == expected[id(item)]
    mirror = {tid: one.amount for tid, one in holds.items()}
    mirror |= {tid: own.amount for tid, own in changes.items() if own is not None}
    ended = {tid for tid, own in changes.items() if own is None}
    assert {tid: amount for tid, amount in mirror.items() if tid not in ended} == {
        tid: one.amount for tid, one in outcome.holds.items()
    }


def _claimed(plan):
    return [(number, tid) for number, (tid, _) in plan._claimed.items()]


def plan_of(*items, own=()):
    return Plan(items, {tid: Own((WALLET,), 100, 0) for tid in own})


def test_what_one_statement_cannot_decide_is_left_over():
    again = books.settle("a", 5)
    again.resent = True
    cancelled = books.hold("b", 5)
    cancelled.cancelled = True
    for items, own in (
        ([books.settle("a", 101)], ["a"]),  # costs more than it held
        ([books.settle("a", -1)], ["a"]),
        ([again], ["a"]),
        ([books.settle("a", 5)], []),  # a hold that is not known
        ([books.update("a", 5, 5)], []),
        ([books.hold("a", 5)], ["a"]),  # held already
        ([books.hold("a", 0)], []),
        ([books.hold("a", 1 << 63)], []),
        ([books.hold("a", 5), books.update("a", 6, 1)], []),  # held and extended at once
        ([books.hold("a", 5), books.update("a", 6, 1), books.settle("a", 1)], []),
        ([books.settle("a", 5), books.settle("a", 5)], ["a"]),
        ([books.settle("a", 5), books.update("a", 5, 5)], ["a"]),
        ([books.update("a", 50, 5), books.update("a", 60, 4)], ["a"]),  # goes back
        ([books.update("a", 50, 5), books.update("a", 40, 5)], ["a"]),
        ([books.give_back("a")], []),
        ([cancelled, books.settle("b", 0)], []),
    ):
        plan = plan_of(*items, own=own)
        assert plan.left == items
        assert plan.empty


def test_a_hold_given_up_before_it_was_made_is_answered_without_the_database():
    item = books.hold("a", 5)
    item.cancelled = True
    plan = plan_of(item)
    assert plan.empty
    assert plan.answers((), {}) == ([(item, GONE)], {})


def test_the_last_checkpoint_stands_for_all():
    items = [books.update("a", 100, covered, f"{covered}") for covered in (1, 2, 3)]
    plan = plan_of(*items, own=["a"])
    assert plan._updates == [(SETTLED, "a", 100, 100, 3, "3")]
    answers, _ = plan.answers((), {})
    assert answers == [(item, HELD) for item in items]


def test_balances_are_those_after_each_settle():
    items = [books.settle(tid, cost) for tid, cost in (("a", 10), ("b", 20), ("c", 30))]
    plan = plan_of(*items, own=["a", "b", "c"])
    answers, _ = plan.answers((), {WALLET: Figures(940, 0)})
    assert {item.tid: answer.balance for item, answer in answers} == {"a": 990, "b": 970, "c": 940}


def test_a_settle_that_is_withheld_while_it_is_written_is_answered_as_written():
    item = books.settle("a", 10)
    plan = plan_of(item, own=["a"])
    item.withheld = True
    ((_, answer),) = plan.answers((), {WALLET: Figures(990, 0)})[0]
    assert answer.charge == 10


def test_looks_are_not_for_plans():
    look = Look((WALLET,))
    assert plan_of(look).left == [look]
