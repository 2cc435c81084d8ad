"""Owns the random driver of the real books: batches, other processes' money, and death at any point.

After every step the file is compared with the model and every invariant is asked.
"""

import contextlib
import sqlite3
import tempfile
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.storage import books
from tests.storage.books import LIMIT, OTHER, WALLET
from tests.storage.books_model import beginning, of_file
from tollbridge.core.clock import now_ms
from tollbridge.storage.group_commit import GroupCommit
from tollbridge.storage.ledger_audit import QUESTIONS
from tollbridge.storage.ledger_items import Look, Poisoned
from tollbridge.storage.ledger_sqlite import SqliteBook

PURSES = ((WALLET,), (WALLET, LIMIT), (OTHER,), (OTHER, LIMIT))
WISH = st.tuples(
    st.sampled_from(
        ["hold"] * 5 + ["update"] * 4 + ["settle"] * 5 + ["twice", "void", "withheld", "rehold", "record"]
        + ["return", "return", "look", "stray"]
    ),
    st.integers(0, 7),
    st.integers(0, 500),
    st.integers(0, 500),
    st.sampled_from([*PURSES, PURSES[0]]),
    st.sampled_from([False] * 9 + [True]),
)  # fmt: skip
WISHES = st.lists(WISH, min_size=1, max_size=6)


class Killed(BaseException):
    """The process is gone."""


class MortalConnection(sqlite3.Connection):
    """Dies like a killed process: when its fuse has burnt, no statement gets through any more."""

    fuse: int | None = None
    answers = True

    def execute(self, sql, values=()):
        """Run one statement, if there is still life."""
        return self._live(super().execute, sql, values)

    def executemany(self, sql, values):
        """Run one statement many times, if there is still life."""
        return self._live(super().executemany, sql, values)

    def _live(self, run, *arguments):
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse == -1 and not self.answers:
                run(*arguments)
            if self.fuse < 0:
                raise Killed
        return run(*arguments)


class InlineLoop:
    """A loop whose callbacks run at once."""

    def call_soon_threadsafe(self, what, *facts):
        """Run it now."""
        what(*facts)


class Collector:
    """Keeps what the writer publishes."""

    def __init__(self):
        self.answers = []
        self.reasons = []

    def published(self, answers, purses, took_s):
        """Note the answers."""
        self.answers += answers

    def broken(self, reason):
        """Note the reason."""
        self.reasons.append(reason)


class Books(RuleBasedStateMachine):
    """The machine; `book_class` is what it drives."""

    book_class: type[SqliteBook] = SqliteBook

    def __init__(self):
        super().__init__()
        self.scope = contextlib.ExitStack()
        folder = self.scope.enter_context(tempfile.TemporaryDirectory())
        self.path = Path(folder, "books.db")
        self.known = []
        self.purses_of = {}

    @initialize(available=st.integers(300, 3000), limit=st.integers(0, 2000))
    def begin(self, available, limit):
        books.fresh(self.path.parent, available, limit=limit)
        self.model = beginning(available, limit)
        self.reader = sqlite3.connect(self.path)
        self.scope.callback(self.reader.close)
        self._open()

    def teardown(self):
        with self.scope:
            if hasattr(self, "book"):
                self.book.close()
                assert books.findings(self.path) == []

    @rule(wishes=WISHES)
    def batch(self, wishes):
        items = self._items(wishes)
        self.collector.answers.clear()
        expected, stages = self.model.stages(items)
        self.model = stages[-1]
        self.writer._commit([item for item, _ in items])
        told = [
            Poisoned if isinstance(answer, Poisoned) else answer
            for _, answer in self.collector.answers
        ]
        assert told == expected

    @rule(wallet=st.sampled_from([WALLET, OTHER]), amount=st.integers(1, 600))
    def credit(self, wallet, amount):
        books.credit(self.path, wallet, amount)
        self.model.available[wallet] += amount

    @rule(wallet=st.sampled_from([WALLET, OTHER]), amount=st.integers(1, 600))
    def debit(self, wallet, amount):
        taken = min(amount, self.model.figures()[wallet].free)
        books.credit(self.path, wallet, -taken)
        self.model.available[wallet] -= taken

    @rule()
    def kill(self):
        self._bury()
        self.model.recover()
        self._open()

    @rule(wishes=WISHES, fuse=st.integers(0, 10), answers=st.booleans())
    def kill_in_a_batch(self, wishes, fuse, answers):
        items = self._items(wishes)
        _, stages = self.model.stages(items)
        connection = self.book._connection
        connection.fuse, connection.answers = fuse, answers
        with contextlib.suppress(Killed):
            self.writer._commit([item for item, _ in items])
        self._bury()
        self._expect_one_of(stages)
        self.model.recover()
        self._open()

    @rule(fuse=st.integers(5, 16), answers=st.booleans())
    def kill_in_the_recovery(self, fuse, answers):
        self._bury()
        recovered = self.model.copy()
        recovered.recover()
        born = []

        def doomed(*arguments, **options):
            born.append(MortalConnection(*arguments, **options))
            born[0].fuse, born[0].answers = fuse, answers
            return born[0]

        with contextlib.suppress(Killed):
            books.open_book(self.path, self.book_class, doomed)
        born[0].close()
        self._expect_one_of([self.model, recovered])
        self.model.recover()
        self._open()

    @invariant()
    def right(self):
        assert self._state() == self.model.state()
        at = now_ms()
        for question in QUESTIONS:
            values = {"dead_before": at - 60_000, "long_before": at - 3_600_000}
            assert not self.reader.execute(question.sql, values).fetchall(), question.name

    def _open(self):
        self.book = books.open_book(self.path, self.book_class, MortalConnection)
        self.collector = Collector()
        self.writer = GroupCommit(self.book, InlineLoop(), self.collector, make_room=lambda: None)

    def _bury(self):
        """What the kernel does with the files of a killed process."""
        self.book._connection.close()

    def _expect_one_of(self, stages):
        state = self._state()
        reached = [stage for stage in stages if stage.state() == state]
        assert reached, "a batch was done in part"
        self.model = reached[0]

    def _state(self):
        return of_file(lambda sql: self.reader.execute(sql).fetchall())

    def _items(self, wishes):
        settled = set()
        items = []
        for kind, index, small, large, purses, poison in wishes:
            # Few calls at a time, so that much happens to each; strays know no call.
            recent = self.known[-4:]
            tid = recent[index % len(recent)] if recent else books.tid()
            if kind in {"hold", "record", "stray"}:
                tid = books.tid()
            elif kind == "rehold" and (tid in settled or tid not in self.model.holds):
                continue
            if kind in {"settle", "twice", "void", "withheld"}:
                settled.add(tid)
            if kind == "hold":
                self.known.append(tid)
                self.purses_of[tid] = purses
            item = self._item(kind, tid, small, large, purses, poison=poison)
            items.append((item, poison and kind != "look"))
            if kind == "twice":
                items.append((self._item(kind, tid, small, large, purses, poison=poison), poison))
        return items

    def _item(self, kind, tid, small, large, purses, *, poison):
        bill = "\ud800" if poison else "{}"
        if kind in {"hold", "rehold"}:
            return books.hold(tid, small + 1, purses, bill)
        if kind == "update":
            return books.update(tid, large, small, bill)
        if kind in {"settle", "twice", "void", "withheld", "stray"}:
            strange = {"model_asked": "\udc00", "input": 1 << 66} if poison else {}
            cost = 0 if kind == "void" else large
            item = books.settle(tid, cost, self.purses_of.get(tid, purses)[0], **strange)
            item.withheld = kind == "withheld"
            return item
        if kind == "record":
            item = books.record(tid)
            item.row = (*item.row[:-1], bill) if poison else item.row
            return item
        if kind == "return":
            return books.give_back(tid, self.purses_of.get(tid, purses))
        return Look(purses)
