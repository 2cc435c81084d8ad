"""Owns reading what calls of dead processes were sold and bought at: rows of prices, factors of accounts.

Each by primary key, on the plain connections that books are recovered with; writes nothing. Must not
know what a price row means.
"""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

_PRICES = "SELECT id, rates, tiers, items, services FROM prices WHERE id"
_COSTS = "SELECT id, cost_num, cost_den FROM accounts WHERE id"


class TermRows(NamedTuple):
    """Rows of prices, and (id, numerator, denominator) of accounts; of ids without one, none."""

    prices: Sequence[Mapping[str, Any]]
    costs: Sequence[tuple[int, int, int]]


def read_from_file(
    path: Path, price_ids: Collection[int], account_ids: Collection[int]
) -> TermRows:
    """Return the rows of some hundred ids at most; raises sqlite3.Error."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row

        def found(query: str, ids: Collection[int]) -> list[sqlite3.Row]:
            marks = ", ".join("?" * len(ids))
            return connection.execute(f"{query} IN ({marks})", tuple(ids)).fetchall()

        prices = [dict(row) for row in found(_PRICES, price_ids)]
        return TermRows(prices, [tuple(row) for row in found(_COSTS, account_ids)])


async def read_from_server(
    connection: asyncpg.Connection, price_ids: Collection[int], account_ids: Collection[int]
) -> TermRows:
    """Return the rows of the ids; raises asyncpg's errors."""
    prices = await connection.fetch(f"{_PRICES} = ANY($1::bigint[])", list(price_ids))
    costs = await connection.fetch(f"{_COSTS} = ANY($1::bigint[])", list(account_ids))
    return TermRows([dict(row) for row in prices], [tuple(row) for row in costs])
