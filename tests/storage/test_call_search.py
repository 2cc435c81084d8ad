"""Proof that calls are found by any filter, by a walk of an index that always ends."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tests.storage.usage_writer import make_calls, recharge
from tollbridge.core.clock import new_tid
from tollbridge.storage import call_search
from tollbridge.storage.call_index import index_chunk
from tollbridge.storage.call_search import (
    Found,
    Wanted,
    find_calls,
    keep_to_indexes,
    look_up,
    walks,
)
from tollbridge.storage.query_tables import call_index
from tollbridge.storage.unit_of_work import reading, working

WISHES = [
    Wanted(),
    Wanted(user_id=3),
    Wanted(key_id=3),
    Wanted(channel_id=3),
    Wanted(user_id=3, model="m1"),
    Wanted(user_id=3, key_id=3, channel_id=3, model="m1", status_class=2),
    Wanted(user_id=3, channel_id=3, min_charge=5),
    Wanted(user_id=3, key_id=3, model="m1"),
    Wanted(user_id=3, status_class=5, min_charge=5, from_ms=1, until_ms=2_000_000_000_000),
    Wanted(status_class=5),
    Wanted(from_ms=1, until_ms=2_000_000_000_000),
]


async def all_of(connection: AsyncConnection, wanted: Wanted, **how: Any) -> list[str]:
    """Follow the pages to the end."""
    seen, after = [], None
    while True:
        found = await find_calls(connection, wanted, after=after, **how)
        assert len(found.rows) <= how["limit"]
        seen += [row["tid"] for row in found.rows]
        assert found.on is None or after is None or found.on < after
        if found.on is None:
            return seen
        after = found.on


async def all_back(connection: AsyncConnection, wanted: Wanted, **how: Any) -> list[str]:
    """Follow the pages from the oldest call to the newest."""
    pages, before = [], "0" * 32
    while True:
        found = await find_calls(connection, wanted, after=None, before=before, **how)
        pages.append([row["tid"] for row in found.rows])
        if found.on is None:
            return [tid for page in reversed(pages) for tid in page]
        assert found.on > before
        before = found.on


async def fill(engine: AsyncEngine) -> list[dict[str, Any]]:
    made = []
    async with working(engine) as connection:
        for number in range(40):
            one = {"user_id": number % 2, "key_id": number % 3, "channel_id": number % 5,
                   "status": 502 if number % 7 == 0 else 200}  # fmt: skip
            made.append({"tid": new_tid(), **one})
            await make_calls(connection, [made[-1]["tid"]], **one)
    while await index_chunk(engine):
        pass
    return made


async def test_every_page_size_and_span_finds_the_same(engine: AsyncEngine):
    made = await fill(engine)
    wishes = [
        {}, {"user_id": 1}, {"key_id": 2}, {"channel_id": 3}, {"user_id": 1, "key_id": 2},
        {"user_id": 0, "channel_id": 4}, {"key_id": 99},
    ]  # fmt: skip
    async with reading(engine) as connection:
        for wish in wishes:
            for status in (None, 2, 5, 4):
                expected = [
                    one["tid"] for one in made
                    if all(one[name] == value for name, value in wish.items())
                    and status in {None, one["status"] // 100}
                ]  # fmt: skip
                expected.sort(reverse=True)
                wanted = Wanted(**wish, status_class=status)
                for limit, span in ((1, 3), (7, 10), (200, 1000), (10, 10)):
                    assert await all_of(connection, wanted, limit=limit, span=span) == expected
                    assert await all_back(connection, wanted, limit=limit, span=span) == expected


async def test_a_search_ends_after_its_span_and_says_where_to_go_on(engine: AsyncEngine):
    made = sorted(one["tid"] for one in await fill(engine))
    async with reading(engine) as connection:
        found = await find_calls(connection, Wanted(status_class=4), limit=5, after=None, span=10)
        assert found == Found([], made[-10])


async def test_times_are_those_of_the_tids(engine: AsyncEngine):
    tids = [f"{ms:012x}7{'0' * 3}8{'f' * 15}" for ms in (1_767_225_600_000 + n for n in range(4))]
    async with working(engine) as connection:
        await make_calls(connection, tids)
    while await index_chunk(engine):
        pass
    async with reading(engine) as connection:
        wanted = Wanted(from_ms=1_767_225_600_001, until_ms=1_767_225_600_003)
        assert await all_of(connection, wanted, limit=9) == [tids[2], tids[1]]


async def test_rows_carry_the_accounts_name(engine: AsyncEngine):
    await fill(engine)
    async with reading(engine) as connection:
        found = await find_calls(connection, Wanted(), limit=1, after=None)
    assert found.rows[0]["account_name"] is None
    assert found.rows[0]["end_state"]


@pytest.mark.parametrize("wanted", WISHES)
async def test_every_search_walks_an_index(engine: AsyncEngine, wanted: Wanted):
    rows = [
        {"tid": new_tid(), "user_id": number % 50, "key_id": number % 50, "model": "m1",
         "channel_id": number % 50, "status": 200, "charge": 1}
        for number in range(3000)
    ]  # fmt: skip
    async with working(engine) as connection:
        await connection.execute(insert(call_index), rows)
    async with engine.connect() as connection:
        await connection.execute(text("ANALYZE"))
        await connection.commit()
        plan = await planned(connection, wanted)
    assert "SCAN call_index" not in plan and "Seq Scan" not in plan, plan
    assert "Sort  " not in plan and "TEMP B-TREE" not in plan, plan
    assert "USING" in plan or "Index" in plan, plan


async def planned(connection: AsyncConnection, wanted: Wanted) -> str:
    await keep_to_indexes(connection)
    word = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    lines = []
    for place in ({"after": "f" * 32}, {"before": "0" * 32}):
        for walked in walks(wanted, **place, span=1000):
            shown = walked.compile(
                dialect=connection.dialect, compile_kwargs={"literal_binds": True}
            )
            lines += [str(row[-1]) for row in await connection.exec_driver_sql(f"{word} {shown}")]
    return "\n".join(lines)


async def test_what_is_rare_by_any_index_is_found_at_once(engine: AsyncEngine):
    async with working(engine) as connection:
        usual = [new_tid() for _ in range(30)]
        await make_calls(connection, usual[:1], user_id=1, key_id=1, model_asked="rare")
        await make_calls(connection, usual[1:], user_id=1, key_id=1, model_asked="m")
        other = [new_tid()]
        await make_calls(connection, other, user_id=1, key_id=2, model_asked="m")
    while await index_chunk(engine):
        pass
    async with reading(engine) as connection:
        for wanted, tid in (
            (Wanted(user_id=1, key_id=1, model="rare"), usual[0]),
            (Wanted(user_id=1, key_id=2, model="m"), other[0]),
            (Wanted(user_id=1, key_id=1, model="none"), None),
        ):
            found = await find_calls(connection, wanted, limit=5, after=None, span=10)
            assert [row["tid"] for row in found.rows] == [tid] * (tid is not None)
            assert found.on is None


async def test_the_least_charge(engine: AsyncEngine):
    async with working(engine) as connection:
        await make_calls(connection, [new_tid()], user_id=1)
        dear = new_tid()
        await make_calls(connection, [dear], user_id=1)
        await recharge(connection, dear, 500)
    while await index_chunk(engine):
        pass
    async with reading(engine) as connection:
        for least, tids in ((500, [dear]), (501, [])):
            wanted = Wanted(user_id=1, min_charge=least)
            assert await all_of(connection, wanted, limit=5, span=10) == tids


@given(st.integers(0, 2**47))
def test_the_first_tid_of_a_millisecond(at_ms: int):
    (walked,) = walks(Wanted(from_ms=at_ms))
    shown = str(walked.compile(compile_kwargs={"literal_binds": True}))
    assert f"{at_ms:012x}{'0' * 20}" in shown


async def test_account_and_error_are_found_in_the_rows_themselves(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(call_search, "_AT_ONCE", 3)
    made = []
    async with working(engine) as connection:
        for number in range(20):
            one = {"account_id": number % 3, "channel_id": number % 2,
                   "error_kind": "overloaded" if number % 4 == 0 else None}  # fmt: skip
            made.append({"tid": new_tid(), **one})
            await make_calls(connection, [made[-1]["tid"]], **one)
    while await index_chunk(engine):
        pass
    wishes = [
        {"account_id": 2}, {"error_kind": "overloaded"}, {"account_id": 9}, {"error_kind": "x"},
        {"account_id": 1, "error_kind": "overloaded", "channel_id": 0},
    ]  # fmt: skip
    async with reading(engine) as connection:
        for wish in wishes:
            expected = sorted(
                (one["tid"] for one in made if wish.items() <= one.items()), reverse=True
            )
            for limit, span in ((1, 3), (7, 10), (50, 100)):
                wanted = Wanted(**wish)
                assert await all_of(connection, wanted, limit=limit, span=span) == expected
                assert await all_back(connection, wanted, limit=limit, span=span) == expected


async def test_rows_are_looked_up_by_their_tids(engine: AsyncEngine):
    query = look_up(Wanted(error_kind="x"), [new_tid() for _ in range(1_000)])
    compiled = query.compile(
        dialect=engine.dialect, compile_kwargs={"literal_binds": True, "render_postcompile": True}
    )
    word = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
    async with reading(engine) as connection:
        await keep_to_indexes(connection)
        plan = await connection.exec_driver_sql(f"{word} {compiled}")
        lines = [" ".join(map(str, line)) for line in plan]
    assert any("Index" in line or "SEARCH usage USING PRIMARY KEY" in line for line in lines)
    assert not any("Seq Scan" in line or "SCAN usage" in line for line in lines)
    # Nothing but the months of these calls is looked at.
    assert sum("Scan" in line for line in lines) <= 1
