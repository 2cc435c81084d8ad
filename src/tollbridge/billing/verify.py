"""Owns the verdict on the books: every invariant of money.md, asked of one state of the database.

What was proved before is not looked at again, unless something is off: then everything is, so that
a verdict never rests on marks. Must not know how a question is put.
"""

from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.core.clock import now_ms
from tollbridge.storage.audit_marks import MARGIN_MS, keep_marks, next_marks, read_marks
from tollbridge.storage.ledger_audit import EVERYTHING, QUESTIONS, Passage, Proof, ask, prove
from tollbridge.storage.unit_of_work import reading


class Finding(NamedTuple):
    """One thing that is off; `fatal` when it breaks an invariant, else worth a look."""

    invariant: str
    sentence: str
    fatal: bool


class Verdict(NamedTuple):
    """What an audit found and looked at.

    It proved `calls` usage rows and `lines` journal lines: those since `since_ms`, None for all
    there are. What is older was proved in full at `full_ms`.
    """

    findings: tuple[Finding, ...]
    calls: int
    lines: int
    since_ms: int | None
    full_ms: int

    @property
    def right(self) -> bool:
        """Whether every invariant holds."""
        return not any(finding.fatal for finding in self.findings)


async def verify(engine: AsyncEngine, *, full: bool = False) -> list[Finding]:
    """Return all that is off in the books of this database; an empty list when they are right.

    `full` trusts no earlier proof: only it finds what somebody changed in proved rows.
    """
    return list((await audit(engine, full=full)).findings)


async def audit(
    engine: AsyncEngine,
    *,
    full: bool = False,
    clock: Callable[[], int] = now_ms,
    margin_ms: int = MARGIN_MS,
) -> Verdict:
    """Prove the books and remember how far, so that the next proof begins there.

    Rows younger than `margin_ms` are proved again every time. Reads in one transaction, which
    blocks no writer; writes afterwards, in short ones. Raises what the database raises.
    """
    async with reading(engine) as connection:
        at_ms = clock()
        kept = await read_marks(connection)
        before = None if full else kept.marks
        marks = await next_marks(connection, at_ms, margin_ms, before)
        proof = None
        if before is not None:
            passage = Passage(before.line, before.tid, marks.line)
            proof = await prove(connection, kept.sums, passage)
        if proof is None or proof.off:
            before, marks = None, await next_marks(connection, at_ms, margin_ms, None)
            proof = await prove(connection, {}, EVERYTHING._replace(line_to=marks.line))
        findings = await _findings(connection, proof, at_ms)
    if not proof.off:
        await keep_marks(engine, kept, marks, proof.closed)
    since_ms = None if before is None else before.since_ms
    return Verdict(tuple(findings), proof.calls, proof.lines, since_ms, marks.full_ms)


async def _findings(connection: AsyncConnection, proof: Proof, at_ms: int) -> list[Finding]:
    findings = []
    for question in QUESTIONS:
        if question.proved and question.name not in proof.off:
            continue
        sentences = await ask(connection, question, at_ms)
        if question.proved and not sentences:
            sentences = ["the sums do not agree, though every row does"]
        findings += [Finding(question.name, sentence, question.fatal) for sentence in sentences]
    return findings
