"""Owns the monthly partitions of tables keyed by tid on PostgreSQL. SQLite has none.

A partition is a range of tids, whose first 12 hex digits are milliseconds since 1970. The
migration makes the first ones, upkeep makes later ones, well before their month begins.
"""

import re
from calendar import timegm
from time import gmtime
from typing import NamedTuple

from sqlalchemy import Connection, inspect, text

MONTHS_BEFORE = 1
MONTHS_AHEAD = 12

_TID_TAIL = "0" * 20


class Partition(NamedTuple):
    """One month of a table: tids from `lower` (included) to `upper` (excluded)."""

    name: str
    lower: str
    upper: str


def months_around(at_ms: int, table: str = "usage") -> list[Partition]:
    """Return `table`'s partitions from the month before `at_ms` to twelve months after it (UTC)."""
    today = gmtime(at_ms // 1000)
    this_month = today.tm_year * 12 + today.tm_mon - 1
    return [
        _partition(table, month)
        for month in range(this_month - MONTHS_BEFORE, this_month + MONTHS_AHEAD + 1)
    ]


def _partition(table: str, month: int) -> Partition:
    year, index = divmod(month, 12)
    return Partition(f"{table}_{year:04d}{index + 1:02d}", _first_tid(month), _first_tid(month + 1))


def _first_tid(month: int) -> str:
    year, index = divmod(month, 12)
    at_ms = timegm((year, index + 1, 1, 0, 0, 0)) * 1000
    return f"{at_ms:012x}{_TID_TAIL}"


def create_partitions(connection: Connection, at_ms: int, table: str = "usage") -> None:
    """Create `table`'s partitions around `at_ms` that are missing, and the default one; idempotent.

    Only for PostgreSQL. Rows that no month covers land in the default one, so that a call is
    never lost to a missing partition; a month that has rows there already stays there.
    """
    connection.execute(
        text(f"CREATE TABLE IF NOT EXISTS {table}_default PARTITION OF {table} DEFAULT")
    )
    there = {*inspect(connection).get_table_names()}
    for name, lower, upper in months_around(at_ms, table):
        if name in there or _has_strays(connection, table, lower, upper):
            continue
        connection.execute(
            text(
                f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table}"
                f" FOR VALUES FROM ('{lower}') TO ('{upper}')"
            )
        )


def _has_strays(connection: Connection, table: str, lower: str, upper: str) -> bool:
    """Tell whether the default partition has rows of a month: PostgreSQL would refuse to make it."""
    query = text(f"SELECT 1 FROM {table}_default WHERE tid >= :lower AND tid < :upper LIMIT 1")
    return connection.execute(query, {"lower": lower, "upper": upper}).first() is not None


def partitions_before(connection: Connection, tid: str, table: str = "usage") -> list[str]:
    """Return `table`'s months that stand and whose tids are all below `tid`, the oldest first.

    Only for PostgreSQL; the default partition is no month.
    """
    named = re.compile(rf"{table}_([0-9]{{4}})([0-9]{{2}})")
    found = filter(None, map(named.fullmatch, inspect(connection).get_table_names()))
    months = sorted(int(one[1]) * 12 + int(one[2]) - 1 for one in found)
    partitions = (_partition(table, month) for month in months)
    return [partition.name for partition in partitions if partition.upper <= tid]
