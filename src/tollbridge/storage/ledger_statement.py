"""Owns the one statement by which PostgreSQL writes a batch of money items. Knows no connection.

It accepts holds and extensions by running sum, because an `UPDATE … FROM` applies one source row
a target; it locks the node's epoch, then purses by id; and it does all of it or nothing. What it
does not accept is decided elsewhere, exactly and one item after the other (money.md, "Engines").
Rows travel whole and figures in flat arrays: for the driver each parameter costs as much as a row.
"""

from tollbridge.storage.ledger_tables import hold, journal, usage

SETTLED = 0
"""The number of usage rows and journal lines that depend on no claim."""


def _arrays(first: int, types: list[str]) -> str:
    return ", ".join(f"${first + at}::{kind}[]" for at, kind in enumerate(types))


_NODE, _EPOCH = 1, 2
_PURSES = 3  # ids
_MOVES = 4  # flat: what settles do to each purse's available and held, and what they set free
_CLAIMS = 5  # flat: number, purse, need, held, spent
_HOLDS = 6  # number, whole row
_UPDATES = 8  # number, tid, amount before, amount, covered, bill
_ENDED = 14  # tids of holds
_USAGE = 15  # number, whole row
_JOURNAL = 17  # number, whole row

# The columns of whole rows as the tables have them: migrations only ever append.
HOLD_ORDER = tuple(hold.columns.keys())
JOURNAL_ORDER = tuple(journal.columns.keys())
USAGE_ORDER = tuple(usage.columns.keys())

_HOLD_NAMES = ", ".join(HOLD_ORDER)
_JOURNAL_NAMES = ", ".join(JOURNAL_ORDER)
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
  SELECT s.purse, m[3 * s.at - 2] AS available, m[3 * s.at - 1] AS held, m[3 * s.at] AS freed
  FROM unnest(${_PURSES}::bigint[]) WITH ORDINALITY AS s(purse, at),
    (SELECT ${_MOVES}::bigint[] AS m) AS flat
), claims AS MATERIALIZED (
  SELECT c.*, SUM(c.need) OVER (PARTITION BY c.purse ORDER BY c.number) AS running
  FROM (
    SELECT f[5 * at + 1]::integer AS number, f[5 * at + 2] AS purse, f[5 * at + 3] AS need,
           f[5 * at + 4] AS held, f[5 * at + 5] AS spent
    FROM (SELECT ${_CLAIMS}::bigint[] AS f) AS flat, generate_series(0, cardinality(f) / 5 - 1) AS at
  ) AS c
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
  INSERT INTO hold ({_HOLD_NAMES})
  SELECT {_HOLD_NAMES}
  FROM unnest(${_HOLDS}::integer[], ${_HOLDS + 1}::hold[]) AS n(number, {_HOLD_NAMES}) CROSS JOIN alive
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
  SELECT u.* FROM unnest(${_USAGE}::integer[], ${_USAGE + 1}::usage[]) AS u(number, {_USAGE_NAMES})
  CROSS JOIN alive WHERE u.number NOT IN (SELECT number FROM refused)
), used AS (
  INSERT INTO usage ({_USAGE_NAMES}) SELECT {_USAGE_NAMES} FROM billed
), fed AS (
  INSERT INTO usage_feed (tid) SELECT tid FROM billed
), lines AS (
  INSERT INTO journal ({_JOURNAL_NAMES})
  SELECT {_JOURNAL_NAMES}
  FROM unnest(${_JOURNAL}::integer[], ${_JOURNAL + 1}::journal[]) AS j(number, {_JOURNAL_NAMES})
  CROSS JOIN alive WHERE j.number NOT IN (SELECT number FROM refused)
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
