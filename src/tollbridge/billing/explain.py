"""Owns all that the books know of one call, and whether it fits together, for an operator.

The arithmetic is the user's receipt; beside it stand the hold, the journal and the attempts. Must
not know how it is shown.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msgspec import DecodeError
from msgspec.json import Decoder
from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.billing.bill import Bill, unpack
from tollbridge.billing.receipts import Receipt, receipt_of
from tollbridge.catalog.price_rows import price_of
from tollbridge.core.money import format_usd
from tollbridge.core.phrase import phrase
from tollbridge.storage.ledger_audit import CHARGE_KINDS, LOSS_KINDS, REVERSAL_KIND
from tollbridge.storage.ledger_batch import owners
from tollbridge.storage.ledger_tables import hold, journal, node
from tollbridge.storage.tables import accounts
from tollbridge.storage.usage_reads import find_price, find_usage

_DEAD_HOLD_AFTER_MS = 60_000
_attempts = Decoder(list[tuple[int, str, int]])


@dataclass(frozen=True, slots=True)
class OpenHold:
    """What a running call has set aside, in nano-dollars, and whose it is.

    `covered` is what it is charged if its node dies now. `node` and `beat_ms` (the node's last
    beat) are None when the node is gone; `over` says that nobody runs this call any more.
    """

    purses: tuple[int, ...]
    amount: int
    covered: int
    at_ms: int
    node_id: int
    epoch: int
    node: str | None
    beat_ms: int | None
    over: bool
    bill: Bill | None


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One transfer of nano-dollars from the debited to the credited ledger account."""

    id: int
    at_ms: int
    debit: str
    credit: str
    amount: int
    currency: str
    kind: str

    @property
    def earned(self) -> int:
        """What revenue gained by it; below zero when it gave back."""
        if self.credit == "revenue":
            return self.amount
        return -self.amount if self.debit == "revenue" else 0

    @property
    def other_side(self) -> str:
        """The account that is not revenue."""
        return self.debit if self.credit == "revenue" else self.credit


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of an upstream account and how it went."""

    account_id: int
    account: str | None
    outcome: str
    took_ms: int


@dataclass(frozen=True, slots=True)
class Settled:
    """A usage row: the receipt, and what only the operator sees of it (nano-dollars)."""

    receipt: Receipt
    user_id: int
    key_id: int
    wallet_id: int
    channel_id: int
    account_id: int | None
    account: str | None
    platform: str | None
    client: str | None
    own_cost: int
    loss: int
    held: int
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """Everything about one call. `wrong` is empty when it all fits; `verdict` is one sentence."""

    tid: str
    hold: OpenHold | None
    settled: Settled | None
    lines: tuple[JournalLine, ...]
    wrong: tuple[str, ...]
    verdict: str


async def explain(connection: AsyncConnection, tid: str, at_ms: int) -> Story | None:
    """Return what the books know of a call, None when they do not know it; read in one transaction."""
    standing = await _find_hold(connection, tid)
    settled = await _find_settled(connection, tid)
    lines = await _find_lines(connection, tid)
    if not (standing or settled or lines):
        return None
    wrong = tuple(_what_is_wrong(standing, settled, lines, at_ms))
    verdict = "wrong: " + "; ".join(wrong) if wrong else _verdict(standing, settled)
    return Story(tid, standing, settled, lines, wrong, verdict)


async def _find_hold(connection: AsyncConnection, tid: str) -> OpenHold | None:
    same = (node.c.id == hold.c.node_id) & (node.c.epoch == hold.c.epoch)
    query = (
        select(hold, node.c.name, node.c.beat, node.c.dead)
        .outerjoin(node, same)
        .where(hold.c.tid == tid)
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        return None
    purses = (row["wallet_id"], row["key_purse_id"], row["other_purse_id"])
    return OpenHold(
        purses=owners(purses),
        amount=row["amount"],
        covered=row["covered"],
        at_ms=row["at_ms"],
        node_id=row["node_id"],
        epoch=row["epoch"],
        node=row["name"],
        beat_ms=row["beat"],
        over=row["name"] is None or row["dead"],
        bill=_bill(row["bill"]),
    )


def _bill(text: str) -> Bill | None:
    """A bill of another version explains nothing, and must not hide the rest."""
    try:
        return unpack(text)
    except DecodeError:
        return None


async def _find_settled(connection: AsyncConnection, tid: str) -> Settled | None:
    row = await find_usage(connection, tid)
    if row is None:
        return None
    price = await find_price(connection, row["price_id"]) if row["price_id"] else None
    attempts = _attempts_of(row["attempts"])
    ids = {row["account_id"], *(attempt[0] for attempt in attempts)} - {None}
    named = select(accounts.c.id, accounts.c.name).where(accounts.c.id.in_(ids))
    names = {account.id: account.name for account in await connection.execute(named)}
    return Settled(
        receipt=receipt_of(row, price_of(price, row["model_asked"]) if price else None),
        **{name: row[name] for name in _PLAIN},
        account=names.get(row["account_id"]),
        attempts=tuple(
            Attempt(account, names.get(account), outcome, took)
            for account, outcome, took in attempts
        ),
    )


def _attempts_of(text: str | None) -> list[tuple[int, str, int]]:
    """As with the bill: what cannot be read must not hide the rest."""
    try:
        return _attempts.decode(text or "[]")
    except DecodeError:
        return []


_PLAIN = (
    "user_id", "key_id", "wallet_id", "channel_id", "account_id", "platform", "client", "own_cost",
    "loss", "held",
)  # fmt: skip


async def _find_lines(connection: AsyncConnection, tid: str) -> tuple[JournalLine, ...]:
    query = (
        select(journal)
        .where(
            journal.c.kind.in_((*CHARGE_KINDS, *LOSS_KINDS, REVERSAL_KIND)), journal.c.ref == tid
        )
        .order_by(journal.c.id)
    )
    return tuple(_line(row) for row in (await connection.execute(query)).mappings())


def _line(row: RowMapping) -> JournalLine:
    return JournalLine(**{name: value for name, value in row.items() if name != "ref"})


def _what_is_wrong(
    standing: OpenHold | None, settled: Settled | None, lines: Sequence[JournalLine], at_ms: int
) -> Iterator[str]:
    """Say which invariants of money.md this call breaks (I3 and I4; the others are of purses)."""
    if standing and settled:
        yield "it has both a hold and a usage row"
    if standing and standing.over and standing.at_ms < at_ms - _DEAD_HOLD_AFTER_MS:
        yield "its node is over and nobody has posted its hold"
    if lines and settled is None:
        yield "the journal has lines of it, but there is no usage row"
    if settled is None:
        return
    for what, says, kinds in (
        ("charged", settled.receipt.charge + settled.receipt.given_back, CHARGE_KINDS),
        ("lost", settled.loss, LOSS_KINDS),
        ("earned by a reversal", -settled.receipt.given_back, (REVERSAL_KIND,)),
    ):
        moved = sum(line.earned for line in lines if line.kind in kinds)
        if moved != says:
            usd, other = format_usd(says), format_usd(moved)
            yield f"its usage row says that ${usd} was {what}, its journal lines come to ${other}"
    for line in lines:
        owner = "operator_loss" if line.kind in LOSS_KINDS else f"wallet:{settled.wallet_id}"
        if line.other_side != owner or "revenue" not in {line.debit, line.credit}:
            yield f"journal line {line.id} is not between {owner} and revenue"


def _verdict(standing: OpenHold | None, settled: Settled | None) -> str:
    if settled is None:
        if standing is not None and standing.over:
            return phrase(
                "right so far: its node has just ended, and its hold is about to be posted"
            )
        return phrase("right so far: it is running and holds its money")
    charge = settled.receipt.charge
    if settled.receipt.given_back:
        back = format_usd(settled.receipt.given_back)
        return phrase(
            "right: $%(back)s was given back, and $%(charge)s stays charged",
            back=back,
            charge=format_usd(charge),
        )
    if not charge and not settled.loss:
        return phrase("right: it cost nothing, and its journal lines come to nothing")
    return phrase(
        "right: its charge of $%(charge)s is the sum of its journal lines",
        charge=format_usd(charge),
    )
