"""Owns made-up books whose rows have any age: calls, late corrections, holds, on either engine."""

from contextlib import asynccontextmanager

from sqlalchemy import text

from tests.storage import books
from tollbridge.billing.verify import audit
from tollbridge.core.clock import first_id, now_ms
from tollbridge.storage.engine import open_engine
from tollbridge.storage.ledger_items import USAGE_COLUMNS
from tollbridge.storage.unit_of_work import working

MINUTE = 60_000
HOUR = 60 * MINUTE
TABLES = ("usage", "journal", "hold", "purse", "node", "audit_mark", "audit_sum")
_INSERT_USAGE = text(
    f"INSERT INTO usage ({', '.join(USAGE_COLUMNS)})"
    f" VALUES ({', '.join(f':{name}' for name in USAGE_COLUMNS)})"
)
_LINE = "INSERT INTO journal VALUES (:id, 0, :debit, :credit, :amount, 'USD', :kind, :ref)"
_HOLD = (
    "INSERT INTO hold (tid, wallet_id, amount, covered, node_id, epoch, at_ms, bill)"
    " VALUES (:tid, :wallet, :amount, 0, 1, 1, :at_ms, 'x')"
)
WALLETS = (1, 2)


class History:
    """Books that begin a day ago and are always right; `at_ms` is their clock, moved by `wait`."""

    def __init__(self, engine):
        self.engine = engine
        self.at_ms = now_ms() - 24 * HOUR
        self._count = 0
        self.tids = []
        self.open = {}
        self.used = set()

    def wait(self, ms):
        """Let time pass."""
        self.at_ms += ms

    async def audit(self, **options):
        """Prove the books by their own clock."""
        return await audit(self.engine, clock=lambda: self.at_ms, **options)

    async def run(self, *statements, **values):
        """Do what has to be done together."""
        async with working(self.engine) as connection:
            for statement in statements:
                used = {name: value for name, value in values.items() if f":{name}" in statement}
                await connection.execute(text(statement), used)

    async def query(self, sql, **values):
        """Read from outside."""
        async with self.engine.connect() as connection:
            return [tuple(row) for row in await connection.execute(text(sql), values)]

    async def grant(self, wallet, amount):
        """Credit a wallet."""
        await self._move(wallet, -amount, "grant", self._next_tid(), other="promo")

    async def call(self, wallet, charge, loss=0):
        """Begin and end a call within its millisecond; return its tid."""
        tid = self._next_tid()
        await self._bill(tid, wallet, charge, loss)
        return tid

    async def begin(self, wallet, amount):
        """Begin a call that holds."""
        tid = self._next_tid()
        await self.run(
            _HOLD, "UPDATE purse SET held = held + :amount WHERE id = :wallet",
            tid=tid, wallet=wallet, amount=amount, at_ms=self.at_ms,
        )  # fmt: skip
        self.open[tid] = (wallet, amount)
        return tid

    async def end(self, tid, charge):
        """End a call that holds."""
        wallet, amount = self.open.pop(tid)
        await self.run(
            "DELETE FROM hold WHERE tid = :tid",
            "UPDATE purse SET held = held - :amount WHERE id = :wallet",
            tid=tid, wallet=wallet, amount=amount,
        )  # fmt: skip
        await self._bill(tid, wallet, charge, 0)

    async def correct(self, tid, kind, amount):
        """Charge more for an ended call, or less, if that kind of line was not written yet."""
        ((wallet, charge, loss),) = await self.query(
            "SELECT wallet_id, charge - reversed, loss FROM usage WHERE tid = :tid", tid=tid
        )
        column, now = ("loss", loss) if "loss" in kind else ("charge", charge)
        amount = max(amount, -now)
        if amount and (kind, tid) not in self.used:
            self.used.add((kind, tid))
            await self.run(
                f"UPDATE usage SET {column} = {column} + :amount WHERE tid = :tid",
                tid=tid, amount=amount,
            )  # fmt: skip
            await self._move(wallet, amount, kind, tid)

    async def reverse(self, tid):
        """Give back what a call was charged."""
        ((wallet, charge, back),) = await self.query(
            "SELECT wallet_id, charge, reversed FROM usage WHERE tid = :tid", tid=tid
        )
        if charge and not back:
            await self.run("UPDATE usage SET reversed = charge WHERE tid = :tid", tid=tid)
            await self._move(wallet, -charge, "reversal", tid)

    async def sums(self, before):
        """Return what accounts come to by the lines before a journal id."""
        return dict(
            await self.query(
                "SELECT account, SUM(amount) FROM ("
                " SELECT credit AS account, amount FROM journal WHERE id < :before"
                " UNION ALL SELECT debit, -amount FROM journal WHERE id < :before) AS lines"
                " GROUP BY account",
                before=before,
            )
        )

    def _next_tid(self):
        self._count += 1
        return f"{self.at_ms:012x}{self._count:020x}"

    async def _bill(self, tid, wallet, charge, loss):
        facts = dict(zip(USAGE_COLUMNS, (*books.row(tid, wallet), charge, loss), strict=True))
        async with working(self.engine) as connection:
            await connection.execute(_INSERT_USAGE, facts | {"stream": False})
        self.tids.append(tid)
        if charge:
            await self._move(wallet, charge, "charge", tid)
        if loss:
            await self._move(wallet, loss, "loss", tid)

    async def _move(self, wallet, amount, kind, ref, other="revenue"):
        """Move money from the wallet (from the operator, for a loss); backwards below zero."""
        self._count += 1
        own = "operator_loss" if "loss" in kind else f"wallet:{wallet}"
        debit, credit = (own, other) if amount > 0 else (other, own)
        statements = [_LINE]
        if own != "operator_loss":
            statements.append("UPDATE purse SET available = available - :change WHERE id = :wallet")
        await self.run(
            *statements, id=first_id(self.at_ms) + self._count, debit=debit, credit=credit,
            amount=abs(amount), kind=kind, ref=ref, wallet=wallet, change=amount,
        )  # fmt: skip


@asynccontextmanager
async def history(url):
    """Yield books with two wallets in a migrated database, emptied before."""
    engine = open_engine(url)
    try:
        made = History(engine)
        await made.run(*(f"DELETE FROM {table}" for table in TABLES))
        await made.run("INSERT INTO node VALUES (1, 'n', 1, 0, false)")
        for wallet in WALLETS:
            await made.run(
                "INSERT INTO purse (id, kind, owner_id, available, held)"
                " VALUES (:wallet, 'wallet', :wallet, 0, 0)",
                wallet=wallet,
            )
            await made.grant(wallet, 10**6)
        yield made
    finally:
        await engine.dispose()


async def play(made, steps):
    """Do random steps, each after some minutes; prove the books where one says so."""
    for kind, which, amount, minutes in steps:
        made.wait(minutes * MINUTE)
        wallet = WALLETS[which % 2]
        if kind == "audit":
            verdict = await made.audit()
            assert not [found for found in verdict.findings if found.fatal], verdict.findings
        elif kind == "call":
            await made.call(wallet, amount, which * amount % 3)
        elif kind == "grant":
            await made.grant(wallet, amount + 1)
        elif kind == "begin":
            await made.begin(wallet, amount + 1)
        elif kind == "end" and made.open:
            await made.end(sorted(made.open)[which % len(made.open)], amount)
        elif made.tids and kind == "reverse":
            await made.reverse(made.tids[which % len(made.tids)])
        elif made.tids and kind not in {"end", "reverse"}:
            await made.correct(made.tids[which % len(made.tids)], kind, amount - 50)
