"""Proof that sums of pieces are those of their rows, found by an index, however large they are."""

from typing import Any

import pytest
from sqlalchemy import ClauseElement, Executable, Select, func, insert, text
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.ext.compiler import compiles

from tollbridge.core.clock import now_ms
from tollbridge.identity.users import add_user
from tollbridge.storage import rollup_reads as module
from tollbridge.storage.query_tables import rollup
from tollbridge.storage.rollup_cover import Piece
from tollbridge.storage.rollup_marks import DAY, HOUR
from tollbridge.storage.rollup_reads import (
    NUMBERS,
    Asked,
    Parts,
    given_pieces,
    read_charges,
    read_names,
    read_sums,
    sums_query,
)
from tollbridge.storage.unit_of_work import reading, working, writing

_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000
LARGEST = 2**63 - 1


class Explained(Executable, ClauseElement):
    """A question about a question: how the database would find its rows."""

    inherit_cache = False

    def __init__(self, words: str, query: Select[Any]) -> None:
        self.words = words
        self.query = query


@compiles(Explained)
def _compiled(element: Explained, compiler: Any, **how: Any) -> str:
    return f"{element.words} {compiler.process(element.query, **how)}"


def row(span: int, start: int, user: int = 1, model: str = "m", status: int = 2, **more: object):
    return {
        **dict.fromkeys(NUMBERS, 1),
        "span": span, "start_ms": start, "user_id": user, "key_id": user, "channel_id": 3,
        "model": model, "status_class": status, "first_token_bins": "5:2", "total_bins": "7:1",
        **more,
    }  # fmt: skip


async def fill(engine: AsyncEngine, *rows: dict[str, object]) -> None:
    async with working(engine) as connection:
        await connection.execute(insert(rollup), list(rows))


async def test_sums_by_bucket_and_group(engine: AsyncEngine):
    await fill(
        engine,
        row(DAY, 0, charge=5),
        row(DAY, 0, user=2, charge=50),
        row(DAY, _DAY_MS, charge=7),
        row(DAY, 2 * _DAY_MS, model="n", charge=1_000),
        row(HOUR, 3 * _DAY_MS, charge=100),
        row(HOUR, 3 * _DAY_MS + _HOUR_MS, charge=99_999),
    )
    pieces = [
        (0, Piece(DAY, 0, 2 * _DAY_MS)),
        (1, Piece(DAY, 2 * _DAY_MS, 3 * _DAY_MS)),
        (1, Piece(HOUR, 3 * _DAY_MS, 3 * _DAY_MS + _HOUR_MS)),
    ]
    async with reading(engine) as connection:
        alone = await read_sums(connection, pieces, (), {}, 9)
        grouped = await read_sums(connection, pieces, ("user_id", "model"), {}, 9)
        mine = await read_sums(connection, pieces, (), {"user_id": 1, "model": "m"}, 9)
        few = await read_sums(connection, pieces, ("user_id", "model"), {}, 2)
        charges = await read_charges(connection, pieces, ("model",), {"user_id": 1})
        assert await read_sums(connection, [], (), {}, 9) == []
    assert [(one.bucket, one.numbers["charge"], one.numbers["calls"]) for one in alone] == [
        (0, 62, 3), (1, 1_100, 2)
    ]  # fmt: skip
    assert alone[0].bins == {"first_token_bins": "5:2,5:2,5:2", "total_bins": "7:1,7:1,7:1"}
    assert [(one.bucket, one.group, one.numbers["charge"]) for one in grouped] == [
        (0, (1, "m"), 12), (0, (2, "m"), 50), (1, (1, "m"), 100), (1, (1, "n"), 1_000)
    ]  # fmt: skip
    assert [one.numbers["charge"] for one in mine] == [12, 100]
    assert few == grouped[:2]
    assert charges == [(0, ("m",), 2, 12), (1, ("m",), 1, 100), (1, ("n",), 1, 1_000)]


async def test_sums_beyond_what_a_column_holds(engine: AsyncEngine):
    large = dict.fromkeys(("charge", "input", "loss"), LARGEST)
    await fill(engine, *(row(DAY, 0, user=user, **large) for user in range(3)))
    async with reading(engine) as connection:
        [found] = await read_sums(connection, [(0, Piece(DAY, 0, 1))], (), {}, 9)
    assert [found.numbers[name] for name in large] == [3 * LARGEST] * 3


@pytest.mark.parametrize("only", [{}, {"user_id": 7}])
async def test_pieces_are_found_by_an_index(engine: AsyncEngine, only: dict[str, int]):
    await fill(engine, *(row(DAY, day * _DAY_MS, user) for day in range(60) for user in range(30)))
    async with working(engine) as connection:
        await connection.execute(text("ANALYZE"))
    dialect = engine.dialect.name
    asked = Asked(("model",), only, ["charge"], lambda rows: [func.sum(rows.charge)])
    query = sums_query(dialect, asked, None)
    words = "EXPLAIN QUERY PLAN" if dialect == "sqlite" else "EXPLAIN"
    explained = Explained(words, query)
    async with reading(engine) as connection:
        await module.keep_to_indexes(connection)
        given = {"pieces": given_pieces([(0, Piece(DAY, 0, _DAY_MS))], asked)}
        plan = " ".join(str(line) for line in await connection.execute(explained, given))
    assert {"sqlite": "SCAN rollup", "postgresql": "Seq Scan on rollup"}[dialect] not in plan
    by_user = {"sqlite": "start_ms=? AND user_id=?", "postgresql": "ix_rollup_user_id"}[dialect]
    assert (by_user in plan) == bool(only)


async def test_names(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_AT_ONCE", 2)
    more = {"role": "user", "group_name": "default", "password_hash": None}
    async with writing(engine) as connection:
        for number in range(1, 6):
            wallet = {"wallet_id": number}
            await add_user(connection, number, f"u{number}@example.com", now_ms(), more | wallet)
    async with reading(engine) as connection:
        found = await read_names(connection, "user_id", [*range(1, 9), 1])
        assert await read_names(connection, "key_id", [1]) == {}
        assert await read_names(connection, "channel_id", []) == {}
    assert found == {number: f"u{number}@example.com" for number in range(1, 6)}


async def test_parts_alone(engine: AsyncEngine):
    await fill(engine, row(DAY, 0, charge=5), row(DAY, 0, user=2, charge=50))
    parts, pieces = Parts(("charge", "calls"), ("total_bins",)), [(0, Piece(DAY, 0, 1))]
    async with reading(engine) as connection:
        [found] = await read_sums(connection, pieces, (), {}, 9, parts)
        [counted] = await read_sums(connection, pieces, (), {}, 9, Parts(("calls",), ()))
    assert found.numbers == {"charge": 55, "calls": 2}
    assert found.bins == {"total_bins": "7:1,7:1"}
    assert (counted.numbers, counted.bins) == ({"calls": 2}, {})
