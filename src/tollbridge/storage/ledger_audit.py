"""Owns the questions that prove the books right; the same SQL on SQLite and PostgreSQL.

Each question returns the rows that break its invariant, so no rows means it holds (money.md,
"Invariants"). The four about holds and purses are small and are simply asked. Those about calls
and the journal are first proved in two passes (`prove`), which need not look at what was proved
before, and are asked only to name what a proof found off. It reads only.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.storage.usage_floor import FLOOR_SQL

_DEAD_HOLD_AFTER_MS = 60_000
_LONG_HOLD_MS = 3_600_000


class Question(NamedTuple):
    """One invariant: its name, what a row of the answer says, and the query.

    A `proved` one is asked only when `prove` names it.
    """

    name: str
    says: str
    sql: str
    fatal: bool = True
    proved: bool = False


class Passage(NamedTuple):
    """What a proof looks at: journal lines from `line` on and calls from `tid` on.

    Calls before it that such a line names are looked at too. Lines before `line_to` are those
    whose sums are to be kept.
    """

    line: int
    tid: str
    line_to: int


EVERYTHING = Passage(-(2**63), "", -(2**63))
"""All lines and all calls, none of whose sums are to be kept."""


class Proof(NamedTuple):
    """What came of a passage: the questions that are off, how much it was, the sums to keep."""

    off: frozenset[str]
    calls: int
    lines: int
    closed: dict[str, int]


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
        UNION ALL SELECT other_purse_id, amount FROM hold WHERE other_purse_id IS NOT NULL
    ) AS parts GROUP BY purse_id
"""
CHARGE_KINDS = ("charge", "late", "return")
"""Journal lines between a wallet and revenue: together what a call was charged."""
REVERSAL_KIND = "reversal"
"""The journal line from revenue to a wallet by which staff gave a call's charge back."""

LOSS_KINDS = ("loss", "late_loss", "return_loss")
"""Journal lines between the operator's loss and revenue: together what nobody could be charged."""

_CORRECTED = ", ".join(f"'{kind}'" for kind in CHARGE_KINDS[1:])
_LOST = ", ".join(f"'{kind}'" for kind in LOSS_KINDS)
_SIDED = f"{_CORRECTED}, '{REVERSAL_KIND}'"
_RARE = f"{_SIDED}, {_LOST}"
_OF_CALLS = f"'charge', {_RARE}"
_EARNED = (
    "CASE 'revenue' WHEN {0}.credit THEN {0}.amount WHEN {0}.debit THEN -{0}.amount ELSE 0 END"
)
_OTHER_SIDE = "CASE 'revenue' WHEN {0}.credit THEN {0}.debit ELSE {0}.credit END"
_SIDE = _OTHER_SIDE.format("j")
# A call has at most one charge, found by the journal's index; all else is rare, and summed first.
_RARE_SUMS = f"""
    SELECT j.ref AS ref, COUNT(*) AS lines,
      SUM(CASE WHEN j.kind IN ({_CORRECTED}) THEN {_EARNED.format("j")} ELSE 0 END) AS charge,
      SUM(CASE WHEN j.kind IN ({_LOST}) THEN {_EARNED.format("j")} ELSE 0 END) AS loss,
      SUM(CASE WHEN j.kind = '{REVERSAL_KIND}' THEN -{_EARNED.format("j")} ELSE 0 END) AS back,
      MIN(CASE WHEN j.kind IN ({_SIDED}) THEN {_SIDE} END) AS least_side,
      MAX(CASE WHEN j.kind IN ({_SIDED}) THEN {_SIDE} END) AS most_side,
      SUM(CASE WHEN j.kind IN ({_LOST}) AND {_SIDE} <> 'operator_loss' THEN 1 ELSE 0 END) AS astray
    FROM journal j WHERE j.kind IN ({_RARE})
"""
_WITH_RARE = f"WITH rare AS MATERIALIZED ({_RARE_SUMS} GROUP BY j.ref)"
_EVERY_CALL = """
    FROM usage u
    LEFT JOIN journal c ON c.kind = 'charge' AND c.ref = u.tid
    LEFT JOIN rare r ON r.ref = u.tid
"""
# Below the floor of usage calls may have been removed whose lines stay.
_FROM_FLOOR = f" WHERE u.tid >= CAST({FLOOR_SQL} AS BPCHAR)"
_KEPT_LINE = f"ref >= {FLOOR_SQL}"
# The casts keep a text that is no tid whole, and let PostgreSQL find tids by their index. Without
# {collate} it compares as tids do, byte by byte, which the journal's index may not. An expression
# of the kind keeps SQLite from reading all of the journal's index by kind instead of the new lines.
_WITH_NEW = f"""
    WITH new AS MATERIALIZED (
        SELECT CAST(tid AS TEXT) AS tid FROM usage WHERE tid >= CAST(:tid AS BPCHAR)
        UNION SELECT ref FROM journal WHERE id >= :line AND kind || '' IN ({_OF_CALLS}) AND {_KEPT_LINE}
    ), rare AS MATERIALIZED (
        {_RARE_SUMS} AND j.ref IN (SELECT tid {{collate}} FROM new) GROUP BY j.ref
    )
"""
_NEW_CALLS = """
    FROM new t
    LEFT JOIN usage u ON u.tid = CAST(t.tid AS BPCHAR)
    LEFT JOIN journal c ON c.kind = 'charge' AND c.ref = t.tid {collate}
    LEFT JOIN rare r ON r.ref = t.tid
"""
_COLLATE = {"sqlite": "", "postgresql": 'COLLATE "default"'}
_CHARGED = f"{_EARNED.format('c')} + COALESCE(r.charge, 0)"
_WALLET = "'wallet:' || CAST(u.wallet_id AS TEXT)"
_CHARGE_OFF = f"u.charge <> {_CHARGED}"
_LOSS_OFF = "u.loss <> COALESCE(r.loss, 0)"
_BACK_OFF = "u.reversed <> COALESCE(r.back, 0)"
_BEYOND = "(u.reversed > u.charge OR u.reversed < 0)"
_SIDE_OFF = (
    f"({_OTHER_SIDE.format('c')} <> {_WALLET} OR r.least_side <> {_WALLET}"
    f" OR r.most_side <> {_WALLET} OR r.astray > 0)"
)
_BAD_LINE = "amount <= 0 OR debit = credit OR debit = '' OR credit = ''"

QUESTIONS = (
    Question(
        "I1 available",
        "wallet {0} has {1} but its journal lines come to {2}",
        f"""SELECT p.id, p.available, COALESCE(s.total, 0)
            FROM purse p LEFT JOIN ({_WALLET_SUMS}) AS s
              ON s.account = 'wallet:' || CAST(p.id AS TEXT)
            WHERE p.kind = 'wallet' AND p.available <> COALESCE(s.total, 0)""",
        proved=True,
    ),
    Question(
        "I1 journal",
        "the journal names {0}, which is no purse",
        f"""SELECT s.account FROM ({_WALLET_SUMS}) AS s
            LEFT JOIN purse p ON s.account = 'wallet:' || CAST(p.id AS TEXT) AND p.kind = 'wallet'
            WHERE p.id IS NULL""",
        proved=True,
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
        f"SELECT id, amount, debit, credit FROM journal WHERE {_BAD_LINE}",
        proved=True,
    ),
    Question(
        "I3 charge",
        "call {0} is charged {1} in its usage row and {2} in the journal",
        f"{_WITH_RARE} SELECT u.tid, u.charge, {_CHARGED} {_EVERY_CALL} WHERE {_CHARGE_OFF}",
        proved=True,
    ),
    Question(
        "I3 journal",
        "the journal has {1} lines for call {0}, which has no usage row",
        f"""SELECT j.ref, COUNT(*) FROM journal j LEFT JOIN usage u ON u.tid = CAST(j.ref AS BPCHAR)
           WHERE j.kind IN ({_OF_CALLS}) AND u.tid IS NULL AND j.{_KEPT_LINE} GROUP BY j.ref""",
        proved=True,
    ),
    Question(
        "I3 loss",
        "call {0} lost {1} by its usage row and {2} by the journal",
        f"{_WITH_RARE} SELECT u.tid, u.loss, COALESCE(r.loss, 0) {_EVERY_CALL} WHERE {_LOSS_OFF}",
        proved=True,
    ),
    Question(
        "I3 reversal",
        "call {0} was given back {1} by its usage row and {2} by the journal",
        f"""{_WITH_RARE} SELECT u.tid, u.reversed, COALESCE(r.back, 0) {_EVERY_CALL}
            WHERE {_BACK_OFF}""",
        proved=True,
    ),
    Question(
        "I3 beyond",
        "call {0} was charged {1}, but {2} of it was given back",
        f"SELECT u.tid, u.charge, u.reversed FROM usage u WHERE {_BEYOND}",
        proved=True,
    ),
    Question(
        "I3 wallet",
        "call {0} is of wallet {1} but {2} was charged",
        f"""{_WITH_RARE} SELECT u.tid, u.wallet_id, CASE
              WHEN {_OTHER_SIDE.format("c")} <> {_WALLET} THEN {_OTHER_SIDE.format("c")}
              WHEN r.least_side <> {_WALLET} THEN r.least_side
              WHEN r.most_side <> {_WALLET} THEN r.most_side ELSE 'another than the operator' END
            {_EVERY_CALL} WHERE {_SIDE_OFF}""",
        proved=True,
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
        """SELECT h.tid, h.at_ms FROM hold h
           JOIN node n ON n.id = h.node_id AND n.epoch = h.epoch
           WHERE NOT n.dead AND h.at_ms < :long_before""",
        fatal=False,
    ),
)

_SUMS = f"""
    SELECT debit, credit, CASE WHEN id < :line_to THEN 1 ELSE 0 END AS closing,
      SUM(amount) AS total, COUNT(*) AS lines,
      SUM(CASE WHEN {_BAD_LINE} THEN 1 ELSE 0 END) AS bad,
      SUM(CASE WHEN kind IN ({_OF_CALLS}) AND {_KEPT_LINE} THEN 1 ELSE 0 END) AS of_calls
    FROM journal WHERE id >= :line GROUP BY debit, credit, closing
"""
_COUNTS = f"""
    SELECT COUNT(*) AS tids, COUNT(u.tid) AS calls, COUNT(c.id) + COALESCE(SUM(r.lines), 0) AS lines,
      SUM(CASE WHEN {_CHARGE_OFF} THEN 1 ELSE 0 END) AS charge_off,
      SUM(CASE WHEN {_LOSS_OFF} THEN 1 ELSE 0 END) AS loss_off,
      SUM(CASE WHEN {_BACK_OFF} THEN 1 ELSE 0 END) AS back_off,
      SUM(CASE WHEN {_BEYOND} THEN 1 ELSE 0 END) AS beyond,
      SUM(CASE WHEN {_SIDE_OFF} THEN 1 ELSE 0 END) AS side_off
"""
_WALLETS = "SELECT id, available FROM purse WHERE kind = 'wallet'"
# PostgreSQL's 4 MB for a sort or a hash would spill to disk.
_POSTGRES_SETTING = "SET LOCAL work_mem = '64MB'"


async def ask(
    connection: AsyncConnection, question: Question, at_ms: int, most: int = 20
) -> list[str]:
    """Return one sentence for each row that breaks the invariant, `most` at most."""
    values: Mapping[str, int] = {
        "dead_before": at_ms - _DEAD_HOLD_AFTER_MS,
        "long_before": at_ms - _LONG_HOLD_MS,
    }
    result = await connection.execute(text(question.sql), _used(values, question.sql))
    return [question.says.format(*row) for row in result.fetchmany(most)]


async def prove(connection: AsyncConnection, kept: Mapping[str, int], passage: Passage) -> Proof:
    """Prove every question marked `proved` for a passage, given what accounts came to before it.

    Two passes over what is new; over the whole tables when the passage is of everything.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(text(_POSTGRES_SETTING))
    values = {"line": passage.line, "tid": passage.tid, "line_to": passage.line_to}
    closed, totals = dict(kept), dict(kept)
    lines = of_calls = bad = 0
    for row in await connection.execute(text(_SUMS), _used(values, _SUMS)):
        for account, change in ((row.debit, -int(row.total)), (row.credit, int(row.total))):
            totals[account] = totals.get(account, 0) + change
            if row.closing:
                closed[account] = closed.get(account, 0) + change
        lines += row.lines
        of_calls += row.of_calls
        bad += row.bad
    query = _WITH_RARE + _COUNTS + _EVERY_CALL + _FROM_FLOOR
    if passage.tid:
        collate = _COLLATE[connection.dialect.name]
        query = (_WITH_NEW + _COUNTS + _NEW_CALLS).format(collate=collate)
    calls = (await connection.execute(text(query), _used(values, query))).one()
    strays = calls.tids > calls.calls or (not passage.tid and calls.lines != of_calls)
    off = {
        "I2 balance": bad,
        "I3 charge": calls.charge_off,
        "I3 loss": calls.loss_off,
        "I3 reversal": calls.back_off,
        "I3 beyond": calls.beyond,
        "I3 wallet": calls.side_off,
        "I3 journal": strays,
    } | await _wallets_off(connection, totals)
    return Proof(
        frozenset(name for name, is_off in off.items() if is_off), calls.calls, lines, closed
    )


async def _wallets_off(connection: AsyncConnection, totals: Mapping[str, int]) -> dict[str, bool]:
    wallets = {
        f"wallet:{purse_id}": available
        for purse_id, available in await connection.execute(text(_WALLETS))
    }
    return {
        "I1 available": any(totals.get(name, 0) != has for name, has in wallets.items()),
        "I1 journal": any(name.startswith("wallet:") and name not in wallets for name in totals),
    }


def _used(values: Mapping[str, Any], sql: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if f":{name}" in sql}
