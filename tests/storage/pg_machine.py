"""Owns the random driver of many nodes on PostgreSQL: batches, foreign money, lost answers, deaths.

After every step the database is compared with the model and every invariant is asked. What is not
decided by the rules (who came first, what a cut connection had done) is decided by the books, and
has to be one of the outcomes that the rules allow.
"""

import asyncio
from urllib.parse import urlsplit

import asyncpg
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.services.cable import Cable, Cut
from tests.storage import pg_books, pg_nodes
from tests.storage.books import LIMIT, OTHER, SECOND, WALLET
from tests.storage.books_wishes import wishes
from tests.storage.pg_model import PgModel, explain, explain_part
from tests.storage.pg_nodes import Node
from tollbridge.billing import reclaimer
from tollbridge.storage import ledger_nodes
from tollbridge.storage.ledger_postgres import PostgresBook
from tollbridge.storage.postgres_commit import PostgresCommit

NODES = 3
SLOT = st.integers(0, NODES - 1)
CUT = st.sampled_from([Cut.BEFORE, Cut.BLIND, Cut.AFTER, Cut.AFTER])
PASSES = st.sampled_from([0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14])
_DAY_MS = 86_400_000


class PgBooks(RuleBasedStateMachine):
    """The machine. `url` is that of a migrated database which is its own."""

    url = ""
    book_class: type[PostgresBook] = PostgresBook
    commit_class: type[PostgresCommit] = PostgresCommit

    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner()
        self.nodes: list[Node] = []
        self.silent: list[tuple[int, int]] = []
        self.control = None

    @initialize(
        available=st.integers(300, 3000), limit=st.integers(0, 2000), second=st.integers(0, 2000)
    )
    def begin(self, available, limit, second):
        self.runner.run(self._begin(available, limit, second))

    async def _begin(self, available, limit, second):
        parts = urlsplit(self.url)
        self.cable = Cable(parts.port)
        port = await self.cable.start()
        self.wired = self.url.replace(f":{parts.port}/", f":{port}/")
        self.control = await asyncpg.connect(self.url)
        await pg_nodes.wipe(self.control, available, limit, second)
        self.model = PgModel({WALLET: available, OTHER: available, LIMIT: limit, SECOND: second})
        self.nodes = [await self._born() for _ in range(NODES)]

    async def _born(self):
        node = Node(self.wired, self.book_class, self.commit_class)
        await node.enter(self.control)
        return node

    def teardown(self):
        try:
            self.runner.run(self._end())
        finally:
            self.runner.close()

    async def _end(self):
        for node in self.nodes:
            node.book.drop()
        if self.control is not None:
            await self.cable.stop()
            await pg_nodes.quiet(self.control, [])
            await self.control.close()

    @rule(slot=SLOT, wanted=wishes(5))
    def batch(self, slot, wanted):
        self._write(slot, wanted)

    def _write(self, slot, wanted):
        items = self._items(slot, wanted)
        told = self.runner.run(self.nodes[slot].write([item for item, _ in items]))
        self.model = explain(self.model, items, told, self._state())

    @rule(slot=SLOT, wanted=wishes(4, poison=False), cut=CUT, passes=PASSES)
    def batch_with_a_cut(self, slot, wanted, cut, passes):
        items = self._items(slot, wanted)

        async def write():
            self.cable.arm(cut, passes)
            try:
                return await self.nodes[slot].write([item for item, _ in items])
            finally:
                self.cable.mend()
                await pg_nodes.quiet(self.control, self.nodes)

        told = self.runner.run(write())
        self.model = explain(self.model, items, told, self._state(), doubt=True)

    @rule(slot=SLOT, wanted=wishes(4, poison=False), turns=st.integers(0, 12))
    def batch_with_its_backend_terminated(self, slot, wanted, turns):
        items = self._items(slot, wanted)

        async def write():
            async with asyncio.TaskGroup() as group:
                task = group.create_task(self.nodes[slot].write([item for item, _ in items]))
                for _ in range(turns):
                    await asyncio.sleep(0)
                await pg_nodes.terminate(self.control)
            await pg_nodes.quiet(self.control, self.nodes)
            return task.result()

        told = self.runner.run(write())
        self.model = explain(self.model, items, told, self._state(), doubt=True)

    @rule(
        slot=SLOT,
        wanted=wishes(3, poison=False),
        others=wishes(2, poison=False),
        reap=st.booleans(),
    )
    def two_at_once(self, slot, wanted, others, reap):
        second = (slot + 1) % NODES
        items, more = self._items(slot, wanted), self._items(second, others)

        async def write():
            jobs = [
                self.nodes[slot].write([item for item, _ in items]),
                self.nodes[second].write([item for item, _ in more]),
            ]
            if reap:
                jobs.append(self._reap())
            one, other, *_ = await asyncio.gather(*jobs)
            return one | other

        told = self.runner.run(write())
        self.model = explain(self.model, items + more, told, self._state(), reap=reap)

    @rule(wallet=st.sampled_from([WALLET, OTHER]), amount=st.integers(1, 600))
    def credit(self, wallet, amount):
        self.runner.run(pg_books.credit(self.control, wallet, amount))
        self.model.available[wallet] += amount

    @rule(wallet=st.sampled_from([WALLET, OTHER]), amount=st.integers(1, 600))
    def debit(self, wallet, amount):
        expected = min(amount, self.model.figures()[wallet].free)
        assert self.runner.run(pg_nodes.debit(self.control, wallet, amount)) == expected
        self.model.available[wallet] -= expected

    @rule(slot=SLOT, wanted=wishes(3, poison=False), cut=CUT, passes=PASSES)
    def kill_in_a_batch(self, slot, wanted, cut, passes):
        items = self._items(slot, wanted)
        node = self.nodes[slot]

        async def write():
            self.cable.arm(cut, passes)
            waits = (node.write([item for item, _ in items]), self.cable.fired.wait())
            tasks = [asyncio.create_task(one) for one in waits]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            node.book.drop()
            self.silent.append(node.epoch)
            self.nodes[slot] = await self._born()
            if cut is Cut.BLIND:
                await asyncio.sleep(0.005)
            self.cable.mend()
            await pg_nodes.quiet(self.control, self.nodes)

        self.runner.run(write())
        self.model = explain_part(self.model, items, self._state())

    @rule(
        slot=SLOT,
        late=st.booleans(),
        reaped=st.booleans(),
        back=st.booleans(),
        before=wishes(3),
        after=wishes(5),
    )
    def stall(self, slot, late, reaped, back, before, after):
        """A node is declared dead, is reaped, goes on as if nothing were, and comes back."""
        self._write(slot, before)
        self._declare(self.nodes[slot].epoch, late=late)
        if reaped:
            self._reap_all(1, late=late)
        if back:
            self._beat_or_rejoin(self.nodes[slot])
        self._write(slot, after)

    @rule(at_once=st.integers(1, 2), late=st.booleans())
    def reap(self, at_once, late):
        """All that were killed are dead by now."""
        self._reap_all(at_once, late=late)

    def _reap_all(self, at_once, *, late):
        while self.silent:
            self._declare(self.silent.pop(), late=late)

        async def reap():
            return await asyncio.gather(*[self._reap() for _ in range(at_once)])

        assert sum(self.runner.run(reap())) == len(self.model.orphans)
        self.model.recover()

    def _declare(self, epoch, *, late):
        beats = {(node, number): beat for node, number, beat in self._others()}
        if epoch in self.model.over:
            assert epoch not in beats
            return
        if late:
            marked = ledger_nodes.mark_dead(self.control, epoch, beats[epoch] - 1)
            assert not self.runner.run(marked), "it has beaten since"
        assert self.runner.run(ledger_nodes.mark_dead(self.control, epoch, beats[epoch]))
        self.model.over.add(epoch)

    @rule(slot=SLOT)
    def beat_or_rejoin(self, slot):
        self._beat_or_rejoin(self.nodes[slot])

    def _beat_or_rejoin(self, node):
        alive = self.runner.run(ledger_nodes.beat(self.control, node.epoch))
        assert (alive is None) == (node.epoch in self.model.over)
        if alive is None:
            before = node.epoch
            node.book.rejoin(self.runner.run(ledger_nodes.rejoin(self.control, before, "test")))
            assert node.epoch == (before[0], before[1] + 1)

    @rule(slot=SLOT, days=st.integers(-900, 900))
    def jump_of_the_wall_clock(self, slot, days):
        self.nodes[slot].calls.skew_ms = days * _DAY_MS

    @invariant()
    def right(self):
        if self.control is None:
            return
        assert self._state() == self.model.state()
        assert self.runner.run(pg_nodes.broken(self.control)) == []
        for node in self.nodes:
            known = {tid: own.amount for tid, own in node.book.own.items()}
            if node.epoch not in self.model.over:
                assert known == self.model.own(node.epoch)

    async def _reap(self):
        async with pg_books.opened(self.url) as connection:
            return await reclaimer.reclaim_orphans(connection)

    def _others(self):
        return self.runner.run(ledger_nodes.others(self.control, 0))

    def _state(self):
        return self.runner.run(pg_nodes.state(self.control))

    def _items(self, slot, wanted):
        node = self.nodes[slot]
        items = node.calls.items(wanted, self.model.holds)
        for item, _ in items:
            if hasattr(item, "tid"):
                self.model.writes_as[item.tid] = node.epoch
        return items
