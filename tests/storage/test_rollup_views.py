"""Proof that views say the same as the roll-ups that they are made of, and are found by their key."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.rollup_oracle import LARGEST
from tests.storage.test_rollup_reads import Explained, fill, row
from tollbridge.core.histogram import counts_of
from tollbridge.storage.query_tables import ROLLUP_GROUP, rollup, rollup_view, rollup_view_floor
from tollbridge.storage.rollup_cover import Piece
from tollbridge.storage.rollup_filling import fill_views
from tollbridge.storage.rollup_marks import DAY, FIVE_MINUTES, HOUR
from tollbridge.storage.rollup_reads import (
    Asked,
    Sums,
    given_pieces,
    keep_to_indexes,
    read_charges,
    read_sums,
    sums_query,
)
from tollbridge.storage.rollup_sums import COLUMNS
from tollbridge.storage.rollup_views import VIEWS, view_for, views_of
from tollbridge.storage.unit_of_work import reading, working

_DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("group", "only", "columns"),
    [
        ((), ["user_id"], {"user_id", "status_class"}),
        (["status_class"], ["user_id"], {"user_id", "status_class"}),
        (["key_id"], ["user_id"], {"user_id", "key_id", "status_class"}),
        (["user_id"], ["user_id", "model"], {"user_id", "model", "status_class"}),
        (["key_id", "model"], ["user_id"], None),
        (["channel_id"], ["user_id"], None),
        ((), (), {"channel_id", "status_class"}),
        (["channel_id"], ["status_class"], {"channel_id", "status_class"}),
        (["model"], (), {"channel_id", "model", "status_class"}),
        # Rows of users lie beside those of the same user, not of the same time.
        (["user_id"], (), None),
        ((), ["key_id"], None),
    ],
)
def test_the_smallest_view_that_has_all_columns(group, only, columns):
    view = view_for(group, only)
    assert (view.columns if view else None) == columns


def test_what_fits_no_column_stays_at_the_largest():
    one = (1, 1, 3, "m", 2, *[LARGEST] * (len(COLUMNS) - 7), "5:2", "")
    other = (1, 2, 3, "n", 2, *[1] * (len(COLUMNS) - 7), "", "7")
    views = views_of([one, other])
    assert [row[:6] for row in views if row[0] == 1] == [(1, 1, 0, 0, "", 2)]
    assert {row[6:-2] for row in views if row[0] in {1, 4}} == {(LARGEST,) * (len(COLUMNS) - 7)}
    assert {row[-2:] for row in views if row[0] in {1, 4}} == {("5:2", "7:1")}


_ROWS = st.lists(
    st.tuples(
        st.sampled_from([FIVE_MINUTES, HOUR, DAY]),
        st.integers(0, 2),
        st.tuples(
            st.integers(1, 2), st.integers(1, 2), st.integers(1, 2), st.sampled_from("ab"),
            st.sampled_from([2, 5]),
        ),
        st.integers(0, 2**40),
        st.sampled_from(["", "5:2", "5:1,9:7"]),
    ),
    min_size=1, max_size=30, unique_by=lambda one: one[:3],
)  # fmt: skip
_ONLY = st.fixed_dictionaries(
    {},
    optional={
        "user_id": st.integers(1, 2), "key_id": st.integers(1, 2), "channel_id": st.just(1),
        "model": st.just("a"), "status_class": st.just(2),
    },
)  # fmt: skip


def shown(found: list[Sums]) -> list[tuple[object, ...]]:
    """Return sums in a way in which equal histograms are equal."""
    return [
        (one.bucket, one.group, one.numbers, {name: counts_of(text) for name, text in one.bins.items()})
        for one in found
    ]  # fmt: skip


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(rows=_ROWS, group=st.sets(st.sampled_from(ROLLUP_GROUP), max_size=2), only=_ONLY)
async def test_answers_are_the_same_with_and_without_views(engine: AsyncEngine, rows, group, only):
    async with working(engine) as connection:
        for table in (rollup, rollup_view, rollup_view_floor):
            await connection.execute(delete(table))
    made = [
        row(span, at * span * 1000, charge=charge, first_token_bins=bins)
        | dict(zip(ROLLUP_GROUP, key, strict=True))
        for span, at, key, charge, bins in rows
    ]
    await fill(engine, *made)
    pieces = [
        (span + half, Piece(span, half * span * 1000, (half + 2) * span * 1000))
        for span in (FIVE_MINUTES, HOUR, DAY)
        for half in range(2)
    ]

    async def asked() -> tuple[object, ...]:
        async with reading(engine) as connection:
            sums = await read_sums(connection, pieces, sorted(group), only, 99)
            few = await read_sums(connection, pieces, sorted(group), only, 2)
            return shown(sums), shown(few), await read_charges(connection, pieces, (), only)

    without = await asked()
    while await fill_views(engine):
        # Of some spans and slots there are views now, of others not yet.
        assert await asked() == without
    assert await asked() == without


async def test_views_are_read_once_they_are_there(engine: AsyncEngine):
    """They are, where they can be: what they say is what is answered, even if it were wrong."""
    await fill(engine, *(row(DAY, day * _DAY_MS, charge=7) for day in range(3)))
    while await fill_views(engine):
        pass
    async with working(engine) as connection:
        await connection.execute(rollup_view.update().values(charge=1))
    pieces = [(0, Piece(DAY, 0, 3 * _DAY_MS))]
    for group, only, charge in (((), {"user_id": 1}, 3), (("user_id",), {}, 21)):
        async with reading(engine) as connection:
            [found] = await read_sums(connection, pieces, group, only, 9)
        assert found.numbers["charge"] == charge


@pytest.mark.parametrize("only", [{}, {"user_id": 7}])
async def test_rows_of_a_view_are_found_by_the_key(engine: AsyncEngine, only: dict[str, int]):
    async with working(engine) as connection:
        rows = [
            row(DAY, day * _DAY_MS, user) | {"view": view.number}
            for day in range(60)
            for user in range(1, 30)
            for view in VIEWS
        ]
        await connection.execute(insert(rollup_view), rows)
    dialect = engine.dialect.name
    asked = Asked(("status_class",), only, ["charge"], lambda rows: [func.sum(rows.charge)])
    query = sums_query(dialect, asked, view_for(asked.group, only))
    explained = Explained("EXPLAIN QUERY PLAN" if dialect == "sqlite" else "EXPLAIN", query)
    async with reading(engine) as connection:
        await keep_to_indexes(connection)
        some = [(0, Piece(DAY, 0, _DAY_MS))]
        given = {"pieces": "[]", "viewed": given_pieces(some, asked, VIEWS[0])}
        plan = " ".join(str(line) for line in await connection.execute(explained, given))
    by_key = {
        "sqlite": "rollup_view USING PRIMARY KEY (view=? AND user_id=? AND span=? AND start_ms>?",
        "postgresql": "using pk_rollup_view on rollup_view",
    }[dialect]
    assert by_key.lower() in plan.lower()
