"""Owns the one statement by which PostgreSQL writes a batch of money items. Knows no connection.

It accepts holds and extensions by running sum, because an `UPDATE … FROM` applies one source row
a target; it locks the node's epoch, then purses by id; and it does all of it or nothing. What it
does not accept is decided elsewhere, exactly and one item after the other (money.md, "Engines").
"""

from tollbridge.storage.ledger_tables import usage

SETTLED = 0
"""The number of usage rows and journal lines that depend on no claim."""


def _arrays(first: int, types: list[str]) -> str:
    return ", ".join(f"${first + at}::{kind}[]" for at, kind in enumerate(types))


_NODE, _EPOCH, _AT = 1, 2, 3
_PURSES = 4  # ids; then what settles do to each: available, held, and what they set free
_CLAIMS = 8  # number, purse, need, held, spent
_HOLDS = 13  # number, tid, three purses, amount, covered, at_ms, bill
_UPDATES = 22  # number, tid, amount before, amount, covered, bill
_ENDED = 28  # tids of holds
_USAGE = 29  # number, whole row
_JOURNAL = 31  # number, id, debit, credit, amount, kind, ref

USAGE_ORDER = tuple(usage.columns.keys())
"""The columns of a whole row as the table has them: migrations only ever append."""

_USAGE_NAMES = ", ".join(USAGE_ORDER)

APPLY = f"""
WITH alive AS MATERIALIZED (
  SELECT 1 AS one FROM node
  WHERE id = ${_NODE}::bigint AND epoch = ${_EPOCH}::bigint AND NOT dead FOR SHARE
), locked AS MATERIALIZED (
  SELECT p.id, p.available, p.held FROM purse p
  WHERE p.id = ANY(${_PURSES}::bigint[]) AND EXISTS (SELECT 1 FROM alive)
  ORDER BY p.id FOR UPDATE OF p
), moves AS MATERIALIZED (
  SELECT * FROM unnest({_arrays(_PURSES, ["bigint"] * 4)}) AS s(purse, available, held, freed)
), claims AS MATERIALIZED (
  SELECT c.*, SUM(c.need) OVER (PARTITION BY c.purse ORDER BY c.number) AS running
  FROM unnest({_arrays(_CLAIMS, ["integer"] + ["bigint"] * 4)})
    AS c(number, purse, need, held, spent)
), refused AS MATERIALIZED (
  SELECT DISTINCT c.number FROM claims c
  LEFT JOIN locked l ON l.id = c.purse LEFT JOIN moves s ON s.purse = c.purse
  WHERE l.id IS NULL OR c.running > l.available - l.held + s.freed
), ended AS (
  DELETE FROM hold h USING alive
  WHERE h.tid = ANY(${_ENDED}::bpchar[])
    AND h.node_id = ${_NODE}::bigint AND h.epoch = ${_EPOCH}::bigint
  RETURNING 1
), moved AS (
  UPDATE purse p SET available = p.available + d.available, held = p.held + d.held
  FROM (
    SELECT l.id, s.available - COALESCE(c.spent, 0) AS available, s.held + COALESCE(c.held, 0) AS held
    FROM locked l JOIN moves s ON s.purse = l.id LEFT JOIN (
      SELECT purse, SUM(held)::bigint AS held, SUM(spent)::bigint AS spent FROM claims
      WHERE number NOT IN (SELECT number FROM refused) GROUP BY purse
    ) c ON c.purse = l.id
  ) d WHERE p.id = d.id
  RETURNING p.id, p.available, p.held
), made AS (
  INSERT INTO hold (tid, wallet_id, key_purse_id, other_purse_id, amount, covered,
                    node_id, epoch, at_ms, bill)
  SELECT n.tid, n.wallet, n.second, n.third, n.amount, n.covered,
         ${_NODE}::bigint, ${_EPOCH}::bigint, n.at_ms, n.bill
  FROM unnest({_arrays(_HOLDS, ["integer", "text"] + ["bigint"] * 6 + ["text"])})
    AS n(number, tid, wallet, second, third, amount, covered, at_ms, bill) CROSS JOIN alive
  WHERE n.number NOT IN (SELECT number FROM refused)
), wanted AS MATERIALIZED (
  SELECT * FROM unnest({_arrays(_UPDATES, ["integer", "bpchar"] + ["bigint"] * 3 + ["text"])})
    AS u(number, tid, before, amount, covered, bill)
  WHERE u.number NOT IN (SELECT number FROM refused)
), changed AS (
  UPDATE hold h SET amount = u.amount, covered = GREATEST(h.covered, u.covered),
    bill = CASE WHEN u.covered >= h.covered THEN u.bill ELSE h.bill END
  FROM wanted u CROSS JOIN alive
  WHERE h.tid = u.tid AND h.amount = u.before
    AND h.node_id = ${_NODE}::bigint AND h.epoch = ${_EPOCH}::bigint
  RETURNING 1
), billed AS MATERIALIZED (
  -- Whole rows in one parameter: for the driver a third of the work of an array a column.
  SELECT u.* FROM unnest(${_USAGE}::integer[], ${_USAGE + 1}::usage[]) AS u(number, {_USAGE_NAMES})
  CROSS JOIN alive WHERE u.number NOT IN (SELECT number FROM refused)
), used AS (
  INSERT INTO usage ({_USAGE_NAMES}) SELECT {_USAGE_NAMES} FROM billed
), fed AS (
  INSERT INTO usage_feed (tid) SELECT tid FROM billed
), lines AS (
  INSERT INTO journal (id, at_ms, debit, credit, amount, kind, ref)
  SELECT j.id, ${_AT}::bigint, j.debit, j.credit, j.amount, j.kind, j.ref
  FROM unnest({_arrays(_JOURNAL, ["integer", "bigint", "text", "text", "bigint", "text", "text"])})
    AS j(number, id, debit, credit, amount, kind, ref) CROSS JOIN alive
  WHERE j.number NOT IN (SELECT number FROM refused)
)
SELECT
  EXISTS (SELECT 1 FROM alive) AS alive,
  ARRAY(SELECT number FROM refused) AS refused,
  -- A hold that is not as this node knows it: nothing of the batch may stand.
  1 / ((NOT EXISTS (SELECT 1 FROM alive))
       OR ((SELECT COUNT(*) FROM ended) = COALESCE(array_length(${_ENDED}::bpchar[], 1), 0)
           AND (SELECT COUNT(*) FROM changed) = (SELECT COUNT(*) FROM wanted)))::integer AS sound,
  array_agg(m.id) AS ids, array_agg(m.available) AS available, array_agg(m.held) AS held
FROM moved m
"""
"""Parameters: `Plan.arguments`. One row: whether the epoch lives, refused claims, purses after it."""
