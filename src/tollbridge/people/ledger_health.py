"""Owns how the books are, as operators see it: the last proof, the sums, what moved by kind.

Reads, and lets the books be proved further while that is little work. Amounts are nano-dollars.
Must not know pages, nor how anything is proved.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.billing.verify import Verdict, audit
from tollbridge.identity.audit import Actor, Subject, note
from tollbridge.notify.kinds import Kind
from tollbridge.storage.alerts import Alert, list_alerts
from tollbridge.storage.audit_marks import Marks, read_marks
from tollbridge.storage.books_sums import lines_since, sum_holds, sum_wallets
from tollbridge.storage.journal_kinds import KindSum, sums_by_kind
from tollbridge.storage.ledger_audit import LOSS_KINDS, QUESTIONS
from tollbridge.storage.rollup_cover import Piece, read_kept
from tollbridge.storage.rollup_reads import read_charges
from tollbridge.storage.spending_reads import DAY_MS
from tollbridge.storage.unit_of_work import reading, working

DAYS: Final = 30
NEW_MAX: Final = 200_000
"""More new journal lines than these are proved by the worker or the shell only."""
CHECK_S: Final = 20.0
"""How long a proof that a page asked for may take, in seconds."""

_ALERTS_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Health:
    """The books. `off` are sentences by the name of an invariant, as the last look at them said.

    `marks` are None while nothing was proved; `kinds` are of the last DAYS days of UTC, `charges` of
    the same days by their start, net of what was given back.
    """

    marks: Marks | None
    checked_ms: int | None
    off: Mapping[str, str]
    invariants: Sequence[str]
    wallets: int
    available: int
    held: int
    holds: int
    held_by_calls: int
    oldest_hold_ms: int | None
    kinds: Sequence[KindSum]
    charges: Mapping[int, int]

    @property
    def losses(self) -> int:
        """What no wallet covered in these days."""
        return sum(one.amount for one in self.kinds if one.kind in LOSS_KINDS)


class TooMuchToProve(Exception):
    """There is more to prove than a page may wait for."""


async def read_health(connection: AsyncConnection, at_ms: int) -> Health:
    """Return how the books are, of one state of the database."""
    marks = (await read_marks(connection)).marks
    alerts = await _imbalances(connection)
    seen = [one.last_ms for one in alerts] + ([marks.at_ms] if marks else [])
    wallets, holds = await sum_wallets(connection), await sum_holds(connection)
    start_ms = at_ms - at_ms % DAY_MS - (DAYS - 1) * DAY_MS
    return Health(
        marks=marks,
        checked_ms=max(seen) if seen else None,
        off={one.subject: one.detail for one in alerts},
        invariants=[question.name for question in QUESTIONS if question.fatal],
        wallets=wallets.count,
        available=wallets.available,
        held=wallets.held,
        holds=holds.count,
        held_by_calls=holds.amount,
        oldest_hold_ms=holds.oldest_ms,
        kinds=await sums_by_kind(connection, start_ms),
        charges=await _charges(connection, start_ms, at_ms),
    )


async def check_now(engine: AsyncEngine, actor: Actor, at_ms: int) -> Verdict:
    """Prove the books as the worker does, and note who asked; TooMuchToProve, nothing noted then."""
    async with reading(engine) as connection:
        marks = (await read_marks(connection)).marks
        since = marks.line if marks else None
        if await lines_since(connection, since, NEW_MAX + 1) > NEW_MAX:
            raise TooMuchToProve
    try:
        async with asyncio.timeout(CHECK_S):
            verdict = await audit(engine)
    except TimeoutError:
        raise TooMuchToProve from None
    async with working(engine) as connection:
        subject = Subject("ledger", None, "books")
        found = sorted({one.invariant for one in verdict.findings if one.fatal})
        await note(
            connection, actor, "ledger.check", subject, at_ms,
            right=verdict.right, off=found, calls=verdict.calls, lines=verdict.lines,
        )  # fmt: skip
    return verdict


async def _imbalances(connection: AsyncConnection) -> list[Alert]:
    alerts = await list_alerts(connection, most=_ALERTS_MAX)
    return [one for one in alerts if one.kind == Kind.IMBALANCE]


async def _charges(connection: AsyncConnection, start_ms: int, at_ms: int) -> dict[int, int]:
    """Return what calls of each day of UTC were charged, from the roll-ups."""
    kept = await read_kept(connection, at_ms)
    today = at_ms - at_ms % DAY_MS
    pieces: list[tuple[int, Piece]] = [
        (day, piece)
        for day, day_ms in enumerate(range(start_ms, today + DAY_MS, DAY_MS))
        for piece in kept.pieces(day_ms, day_ms + DAY_MS)
    ]
    # By channel, for which there is a view of everybody.
    charges: dict[int, int] = {}
    for day, _, _, charge in await read_charges(connection, pieces, ("channel_id",), {}):
        day_ms = start_ms + day * DAY_MS
        charges[day_ms] = charges.get(day_ms, 0) + charge
    return charges
