"""Owns the question whose money has moved since somebody asked last, and by which lines.

Reads the journal by its growing ids, a bounded piece at a time. Amounts are nano-dollars, times
milliseconds since 1970. Must not know who is told of what.
"""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.storage.ledger_tables import journal, usage

CALL_KINDS: Final = ("charge", "late", "return", "reversal")
"""Lines that charge a call or correct its charge; their reference is its tid."""

LINES_MAX: Final = 20_000
_WALLET = "wallet:"


class Span(NamedTuple):
    """When the first and the last of some calls began."""

    first_ms: int
    last_ms: int


class Stirred(NamedTuple):
    """Whose money a piece of the journal moved, up to the line `upto`; `more` may follow.

    `keys` are those of the calls, `callers` the wallets of calls, `others` those moved otherwise.
    """

    keys: Mapping[int, Span]
    callers: Mapping[int, Span]
    others: frozenset[int]
    upto: int
    more: bool

    @property
    def wallets(self) -> frozenset[int]:
        """All wallets that anything moved."""
        return self.others | self.callers.keys()


class Line(NamedTuple):
    """What a journal line did to a wallet: `amount` above zero was spent, below it came back.

    `call` and `key_id` are None, and `began_ms` 0, where the line is about no call.
    """

    id: int
    wallet_id: int
    amount: int
    call: str | None
    key_id: int | None
    began_ms: int


async def stirred_after(
    connection: AsyncConnection, after: int, *, most: int = LINES_MAX
) -> Stirred:
    """Look at the next `most` journal lines after the line `after`."""
    if connection.dialect.name == "postgresql":
        # Without statistics of a young month the planner would read all of it for each piece.
        await connection.execute(select(func.set_config("enable_seqscan", "off", True)))
    later = select(journal.c.id).where(journal.c.id > after).order_by(journal.c.id).limit(most)
    piece = later.subquery()
    bounds = await connection.execute(select(func.max(piece.c.id), func.count(piece.c.id)))
    upto, count = bounds.one()
    if upto is None:
        return Stirred({}, {}, frozenset(), after, more=False)
    keys: dict[int, Span] = {}
    callers: dict[int, Span] = {}
    for wallet_id, key_id, first, last in await _calls(connection, after, upto):
        for spans, name in ((keys, key_id), (callers, wallet_id)):
            spans[name] = _joined(spans.get(name), Span(first, last))
    others = await _others(connection, after, upto)
    return Stirred(keys, callers, others, upto, more=count == most)


async def _calls(
    connection: AsyncConnection, after: int, upto: int
) -> list[tuple[int, int, int, int]]:
    group = (usage.c.wallet_id, usage.c.key_id)
    query = (
        select(*group, func.min(usage.c.at_ms), func.max(usage.c.at_ms))
        .join(journal, usage.c.tid == journal.c.ref)
        .where(journal.c.id > after, journal.c.id <= upto, journal.c.kind.in_(CALL_KINDS))
        .group_by(*group)
    )
    return [tuple(row) for row in await connection.execute(query)]


async def _others(connection: AsyncConnection, after: int, upto: int) -> frozenset[int]:
    query = select(journal.c.debit, journal.c.credit).distinct()
    query = query.where(
        journal.c.id > after, journal.c.id <= upto, journal.c.kind.not_in(CALL_KINDS)
    )
    names = [name for row in await connection.execute(query) for name in row]
    return frozenset(_wallet(name) for name in names if name.startswith(_WALLET))


async def lines_of(
    connection: AsyncConnection, wallet_ids: Collection[int], after: int
) -> list[Line]:
    """Return the lines after the line `after` that moved one of some wallets, the newest first."""
    names = [f"{_WALLET}{wallet_id}" for wallet_id in sorted(wallet_ids)]
    if not names:
        return []
    query = (
        select(
            journal.c.id, journal.c.debit, journal.c.credit, journal.c.amount, journal.c.kind,
            journal.c.ref, usage.c.key_id, usage.c.at_ms,
        )
        .outerjoin(usage, usage.c.tid == journal.c.ref)
        .where(journal.c.id > after, journal.c.debit.in_(names) | journal.c.credit.in_(names))
        .order_by(journal.c.id.desc())
    )  # fmt: skip
    lines = []
    for row in await connection.execute(query):
        spent = row.debit.startswith(_WALLET)
        lines.append(
            Line(
                row.id,
                _wallet(row.debit if spent else row.credit),
                row.amount if spent else -row.amount,
                row.ref if row.kind in CALL_KINDS else None,
                row.key_id if row.kind in CALL_KINDS else None,
                row.at_ms or 0 if row.kind in CALL_KINDS else 0,
            )
        )
    return lines


def _joined(before: Span | None, more: Span) -> Span:
    if before is None:
        return more
    return Span(min(before.first_ms, more.first_ms), max(before.last_ms, more.last_ms))


def _wallet(name: str) -> int:
    return int(name.removeprefix(_WALLET))
