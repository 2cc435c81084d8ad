"""Owns many calls at once of several writers on a few wallets, while connections are cut and
epochs end: every answer is kept, and the books have to agree with all of them.
"""

import asyncio
import random
from collections import Counter

from tests.services.cable import Cable, Cut
from tests.storage import books, pg_books, pg_nodes
from tollbridge.billing.reclaimer import reclaim_orphans
from tollbridge.storage import ledger_nodes

WALLETS = (1, 2, 11, 12)
LIMITS = (3, 4)
MONEY = 20_000
WRITERS = 6
CALLERS = 4


class Member(pg_books.Writer):
    """A writer that runs; whatever it is told is in `told`."""

    def __init__(self, url, entrance, tally):
        super().__init__(url, entrance)
        self.tally = tally
        self.told = {}
        self.dead = asyncio.Event()

    async def call(self, dice):
        """One call from hold to end; an answer that does not come is a writer that died."""
        tid, amount = books.tid(), dice.randint(1, 400)
        purses = (dice.choice(WALLETS), *dice.sample(LIMITS, dice.randint(0, 2)))
        (held,) = await self.do(books.hold(tid, amount, purses))
        self.tally["holds" if held.ok else "refused"] += 1
        if not held.ok:
            return
        covered = 0
        for _ in range(dice.randint(0, 2)):
            amount, covered = amount + dice.randint(0, 50), covered + dice.randint(0, 60)
            await self.do(books.update(tid, amount, covered))
        cost = max(covered, dice.randint(0, int(amount * 1.2)))
        (end,) = await self.do(books.settle(tid, cost, purses[0], purses=purses))
        self.told[tid] = end
        self.tally["late" if end.late else "settled"] += 1
        if dice.random() < 0.1:
            del self.told[tid]
            await self.do(books.give_back(tid, purses))
            self.told[tid] = end._replace(charge=0, loss=0)
            self.tally["returned"] += 1


class Hammer:
    """`run` it, then `verdict`."""

    def __init__(self, url, port, seed):
        self.url, self.dice = url, random.Random(seed)
        self.cable = Cable(port)
        self.tally = Counter()
        self.gone = []
        self.over = False

    async def run(self, rounds):
        """Let every caller of every writer make so many calls, in the midst of trouble."""
        port = await self.cable.start()
        wired = self.url.replace(f":{self.cable._server_port}/", f":{port}/")
        async with pg_books.opened(self.url) as control:
            await self._fill(control)
            self.members = [Member(wired, self.url, self.tally) for _ in range(WRITERS)]
            for member in self.members:
                await member.start()
            trouble = asyncio.create_task(self._trouble(control, wired))
            jobs = [self._callers(slot, rounds) for slot in range(WRITERS) for _ in range(CALLERS)]
            try:
                await asyncio.gather(*jobs)
            finally:
                self.over = True
                await trouble
            self.cable.mend()
            for member in self.members:
                assert await member.commit.stop(60)
            await self.cable.stop()
            await control.execute("UPDATE node SET dead = true")
            await pg_nodes.quiet(control, [])
            self.tally["reaped at the end"] = await reclaim_orphans(control)

    async def _fill(self, control):
        await pg_nodes.wipe(control, MONEY, MONEY, MONEY)
        for wallet in WALLETS[2:]:
            await control.execute(
                "INSERT INTO purse (id, kind, owner_id, period_start, available, held)"
                " VALUES ($1, 'wallet', $1, 0, 0, 0)", wallet,
            )  # fmt: skip
            await pg_books.credit(control, wallet, MONEY)

    async def _callers(self, slot, rounds):
        dice = random.Random(self.dice.random())
        for _ in range(rounds):
            member = self.members[slot]
            call = asyncio.create_task(member.call(dice))
            dead = asyncio.create_task(member.dead.wait())
            await asyncio.wait({call, dead}, return_when=asyncio.FIRST_COMPLETED)
            dead.cancel()
            if member.dead.is_set():
                call.cancel()
                await asyncio.gather(call, return_exceptions=True)
            else:
                await call

    async def _trouble(self, control, wired):
        while not self.over:
            what = self.dice.choice(["cut", "cut", "terminate", "stall", "kill", "money"])
            await getattr(self, f"_{what}")(control, wired)
            self.tally[what] += 1
            await asyncio.sleep(0.02)

    async def _cut(self, control, wired):
        self.cable.arm(self.dice.choice(list(Cut)), self.dice.randint(0, 20))

    async def _terminate(self, control, wired):
        await pg_nodes.terminate(control)

    async def _money(self, control, wired):
        wallet = self.dice.choice(WALLETS)
        if self.dice.random() < 0.5:
            await pg_books.credit(control, wallet, self.dice.randint(1, 2000))
        else:
            await pg_nodes.debit(control, wallet, self.dice.randint(1, 2000))

    async def _stall(self, control, wired):
        """A living node is declared dead, its calls are reaped, and it comes back."""
        member = self.dice.choice(self.members)
        beats = {row[:2]: row[2] for row in await ledger_nodes.others(control, 0)}
        mine = member.book.node
        if mine in beats and await ledger_nodes.mark_dead(control, mine, beats[mine]):
            self.tally["reaped"] += await reclaim_orphans(control)
            member.book.rejoin(await ledger_nodes.rejoin(control, mine, "test"))

    async def _kill(self, control, wired):
        """A process dies without a word; another one begins in its place."""
        slot = self.dice.randrange(WRITERS)
        old, new = self.members[slot], Member(wired, self.url, self.tally)
        await new.start()
        self.members[slot] = new
        self.gone.append(old)
        old.dead.set()
        old.commit._task.cancel()
        await asyncio.wait({old.commit._task})
        old.book.drop()
        await ledger_nodes.leave(control, old.book.node)
        self.tally["reaped"] += await reclaim_orphans(control)

    async def verdict(self):
        """Return what is wrong."""
        wrong = await pg_books.findings(self.url)
        async with pg_books.opened(self.url) as control:
            rows = await control.fetch("SELECT tid, charge, loss, end_state FROM usage")
            usage = {row[0]: row for row in rows}
            wrong += [
                f"{tid} was told {end} and has {usage.get(tid)}"
                for member in (*self.members, *self.gone)
                for tid, end in member.told.items()
                if end.open and (tid not in usage or tuple(usage[tid][1:3]) != end[1:3])
            ]
            wrong += [
                str(row) for row in await control.fetch("SELECT * FROM purse WHERE held <> 0")
            ]
        return wrong


async def hammer(url, port, seed, rounds):
    """Run one; return the counts and what is wrong."""
    one = Hammer(url, port, seed)
    await one.run(rounds)
    return dict(one.tally), await one.verdict()
