"""Owns the questions that prove the books right; the same SQL on SQLite and PostgreSQL.

Each question returns the rows that break its invariant, so no rows means it holds (money.md,
"Invariants"). It reads only.
"""

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_DEAD_HOLD_AFTER_MS = 60_000
_LONG_HOLD_MS = 3_600_000


class Question(NamedTuple):
    """One invariant: its name, what a row of the answer says, and the query."""

    name: str
    says: str
    sql: str
    fatal: bool = True


_WALLET_SUMS = """
    SELECT account, SUM(amount) AS total FROM (
        SELECT credit AS account, amount FROM journal WHERE credit LIKE 'wallet:%'
        UNION ALL SELECT debit, -amount FROM journal WHERE debit LIKE 'wallet:%'
    ) AS lines GROUP BY account
"""
_HELD_SUMS = """
    SELECT purse_id, SUM(amount) AS total FROM (
        SELECT wallet_id AS purse_id, amount FROM hold
        UNION ALL SELECT key_purse_id, amount FROM hold WHERE key_purse_id IS NOT NULL
    ) AS parts GROUP BY purse_id
"""
_EARNED = """
    SELECT ref, SUM(CASE 'revenue' WHEN credit THEN amount WHEN debit THEN -amount ELSE 0 END)
      AS total FROM journal WHERE kind IN ({kinds}) GROUP BY ref
"""
_CHARGE_SUMS = _EARNED.format(kinds="'charge', 'late'")
_LOSS_SUMS = _EARNED.format(kinds="'loss', 'late_loss'")

QUESTIONS = (
    Question(
        "I1 available",
        "wallet {0} has {1} but its journal lines come to {2}",
        f"""SELECT p.id, p.available, COALESCE(s.total, 0)
            FROM purse p LEFT JOIN ({_WALLET_SUMS}) AS s
              ON s.account = 'wallet:' || CAST(p.id AS TEXT)
            WHERE p.kind = 'wallet' AND p.available <> COALESCE(s.total, 0)""",
    ),
    Question(
        "I1 journal",
        "the journal names {0}, which is no purse",
        f"""SELECT s.account FROM ({_WALLET_SUMS}) AS s
            LEFT JOIN purse p ON s.account = 'wallet:' || CAST(p.id AS TEXT) AND p.kind = 'wallet'
            WHERE p.id IS NULL""",
    ),
    Question(
        "I1 held",
        "purse {0} has {1} held but its open holds come to {2}",
        f"""SELECT p.id, p.held, COALESCE(h.total, 0)
            FROM purse p LEFT JOIN ({_HELD_SUMS}) AS h ON h.purse_id = p.id
            WHERE p.held <> COALESCE(h.total, 0)""",
    ),
    Question(
        "I1 range",
        "purse {0} has available {1}, held {2}",
        """SELECT id, available, held FROM purse
           WHERE available < 0 OR held < 0 OR available < held""",
    ),
    Question(
        "I2 balance",
        "journal line {0} moves {1} from {2} to {3}",
        """SELECT id, amount, debit, credit FROM journal
           WHERE amount <= 0 OR debit = credit OR debit = '' OR credit = ''""",
    ),
    Question(
        "I3 charge",
        "call {0} is charged {1} in its usage row and {2} in the journal",
        f"""SELECT u.tid, u.charge, COALESCE(c.total, 0)
            FROM usage u LEFT JOIN ({_CHARGE_SUMS}) AS c ON c.ref = u.tid
            WHERE u.charge <> COALESCE(c.total, 0)""",
    ),
    Question(
        "I3 journal",
        "the journal has {1} lines for call {0}, which has no usage row",
        """SELECT j.ref, COUNT(*) FROM journal j LEFT JOIN usage u ON u.tid = j.ref
           WHERE j.kind IN ('charge', 'late', 'loss', 'late_loss') AND u.tid IS NULL
           GROUP BY j.ref""",
    ),
    Question(
        "I3 loss",
        "call {0} lost {1} by its usage row and {2} by the journal",
        f"""SELECT u.tid, u.loss, COALESCE(c.total, 0)
            FROM usage u LEFT JOIN ({_LOSS_SUMS}) AS c ON c.ref = u.tid
            WHERE u.loss <> COALESCE(c.total, 0)""",
    ),
    Question(
        "I3 wallet",
        "call {0} is of wallet {1} but {2} was charged",
        """SELECT u.tid, u.wallet_id, j.debit FROM journal j JOIN usage u ON u.tid = j.ref
           WHERE j.kind = 'charge' AND j.debit <> 'wallet:' || CAST(u.wallet_id AS TEXT)""",
    ),
    Question(
        "I3 once",
        "call {0} has both a hold and a usage row",
        "SELECT h.tid FROM hold h JOIN usage u ON u.tid = h.tid",
    ),
    Question(
        "I4 dead",
        "hold {0} belongs to epoch {1} of node {2}, which is over",
        """SELECT h.tid, h.epoch, h.node_id FROM hold h
           LEFT JOIN node n ON n.id = h.node_id AND n.epoch = h.epoch
           WHERE (n.id IS NULL OR n.dead) AND h.at_ms < :dead_before""",
    ),
    Question(
        "I4 long",
        "hold {0} of a live node stands since {1}",
        "SELECT tid, at_ms FROM hold WHERE at_ms < :long_before",
        fatal=False,
    ),
)


async def ask(
    connection: AsyncConnection, question: Question, at_ms: int, most: int = 20
) -> list[str]:
    """Return one sentence for each row that breaks the invariant, `most` at most."""
    values: Mapping[str, int] = {
        "dead_before": at_ms - _DEAD_HOLD_AFTER_MS,
        "long_before": at_ms - _LONG_HOLD_MS,
    }
    used = {name: value for name, value in values.items() if f":{name}" in question.sql}
    result = await connection.execute(text(question.sql), used)
    return [question.says.format(*row) for row in result.fetchmany(most)]
