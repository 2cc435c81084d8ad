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
from tests.storage.books import OTHER, WALLET
from tests.storage.books_model import beginning, of_file
from tests.storage.books_wishes import Calls, wishes
from tollbridge.core.clock import now_ms
from tollbridge.storage.group_commit import GroupCommit
from tollbridge.storage.ledger_audit import QUESTIONS
from tollbridge.storage.ledger_items import Poisoned
from tollbridge.storage.ledger_sqlite import SqliteBook

WISHES = wishes()


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
        self.calls = Calls()

    @initialize(
        available=st.integers(300, 3000), limit=st.integers(0, 2000), second=st.integers(0, 2000)
    )
    def begin(self, available, limit, second):
        books.fresh(self.path.parent, available, limit=limit, second=second)
        self.model = beginning(available, limit, second)
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
        items = self.calls.items(wishes, self.model.holds)
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
        items = self.calls.items(wishes, self.model.holds)
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
