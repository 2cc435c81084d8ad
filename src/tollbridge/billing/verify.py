"""Owns the verdict on the books: every invariant of money.md asked in one read transaction."""

from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.core.clock import now_ms
from tollbridge.storage.ledger_audit import QUESTIONS, ask
from tollbridge.storage.unit_of_work import reading


class Finding(NamedTuple):
    """One thing that is off; `fatal` when it breaks an invariant, else worth a look."""

    invariant: str
    sentence: str
    fatal: bool


async def verify(engine: AsyncEngine) -> list[Finding]:
    """Return all that is off in the books of this database; an empty list when they are right."""
    findings = []
    async with reading(engine) as connection:
        at_ms = now_ms()
        for question in QUESTIONS:
            findings += [
                Finding(question.name, sentence, question.fatal)
                for sentence in await ask(connection, question, at_ms)
            ]
    return findings
