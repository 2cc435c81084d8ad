"""Proof that pieces make up a span of time exactly once, of what is kept and up to date."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.rollup_oracle import call, catch_up, tid_at
from tests.storage.usage_writer import feed
from tollbridge.core.clock import tid_ms
from tollbridge.storage.query_tables import rollup_dirty
from tollbridge.storage.rollup_cover import Kept, NotKept, Piece, read_kept
from tollbridge.storage.rollup_marks import DAY, FIVE_MINUTES, HOUR, SPANS, Slot, slot_at
from tollbridge.storage.rollups import begin
from tollbridge.storage.unit_of_work import reading, working

_FIVE_MS, _HOUR_MS, _DAY_MS = FIVE_MINUTES * 1000, HOUR * 1000, DAY * 1000
_END = 6 * _DAY_MS // _FIVE_MS
AT = 20_000 * _DAY_MS
MOMENTS = st.integers(0, _END)


@given(
    MOMENTS, MOMENTS, st.sets(st.tuples(st.sampled_from(SPANS), MOMENTS), max_size=8),
    st.integers(0, 6), st.integers(0, 6),
)  # fmt: skip
def test_pieces_are_the_span(one: int, other: int, late, five_days: int, hour_days: int):
    start, end = sorted((AT + one * _FIVE_MS, AT + other * _FIVE_MS))
    behind = frozenset(slot_at(span, AT + at * _FIVE_MS) for span, at in late)
    floors = {FIVE_MINUTES: AT + five_days * _DAY_MS, HOUR: AT + hour_days * _DAY_MS}
    kept = Kept(floors, behind, 0)
    pieces, lost = _asked(kept, start, end)
    if lost:
        # It was needed at an end, and is gone there.
        larger = _HOUR_MS if lost.span == FIVE_MINUTES else _DAY_MS
        assert lost.since_ms == floors[lost.span]
        assert any(at % larger and at - at % larger < lost.since_ms for at in (start, end))
        return
    at = start
    for piece in pieces:
        assert piece.start_ms == at < piece.end_ms
        assert piece.start_ms % (piece.span * 1000) == piece.end_ms % (piece.span * 1000) == 0
        assert piece.start_ms >= floors.get(piece.span, 0)
        at = piece.end_ms
    assert at == end
    for slot in behind:
        if slot.span != FIVE_MINUTES and slot.start_ms >= floors[SPANS[SPANS.index(slot.span) - 1]]:
            assert not any(
                piece.span == slot.span and piece.start_ms <= slot.start_ms < piece.end_ms
                for piece in pieces
            )


def _asked(kept: Kept, start: int, end: int) -> tuple[list[Piece], NotKept | None]:
    try:
        return kept.pieces(start, end), None
    except NotKept as lost:
        return [], lost


def test_the_largest_are_taken():
    kept = Kept({FIVE_MINUTES: 0, HOUR: 0}, frozenset(), 0)
    found = kept.pieces(AT - _HOUR_MS - _FIVE_MS, AT + 2 * _DAY_MS + _HOUR_MS)
    assert found == [
        Piece(FIVE_MINUTES, AT - _HOUR_MS - _FIVE_MS, AT - _HOUR_MS),
        Piece(HOUR, AT - _HOUR_MS, AT),
        Piece(DAY, AT, AT + 2 * _DAY_MS),
        Piece(HOUR, AT + 2 * _DAY_MS, AT + 2 * _DAY_MS + _HOUR_MS),
    ]
    with pytest.raises(ValueError, match="smallest"):
        kept.pieces(AT, AT + 1)


def test_smaller_slots_stand_in_for_one_that_is_behind():
    day, hour = Slot(DAY, AT), Slot(HOUR, AT + _HOUR_MS)
    kept = Kept({FIVE_MINUTES: 0, HOUR: 0}, frozenset({day, hour}), 0)
    assert kept.pieces(AT - _DAY_MS, AT + _DAY_MS) == [
        Piece(DAY, AT - _DAY_MS, AT),
        Piece(HOUR, AT, AT + _HOUR_MS),
        Piece(FIVE_MINUTES, AT + _HOUR_MS, AT + 2 * _HOUR_MS),
        Piece(HOUR, AT + 2 * _HOUR_MS, AT + _DAY_MS),
    ]


async def test_how_far_figures_are_complete(engine: AsyncEngine):
    async def until(now: int) -> int:
        async with reading(engine) as connection:
            return (await read_kept(connection, now)).complete_until_ms

    now = AT + _DAY_MS
    assert await until(now) == 0
    await begin(engine, now)
    assert await until(now) == now
    first = await call(engine, AT + 7)
    await call(engine, AT + 9)
    assert await until(now) == tid_ms(first)
    await catch_up(engine)
    assert await until(now) == now
    async with working(engine) as connection:
        marks = [
            {"span": span, "start_ms": AT - back * _DAY_MS, "mark": 1, "due_ms": 0}
            for span, back in ((FIVE_MINUTES, 1), (HOUR, 2), (DAY, 3))
        ]
        await connection.execute(insert(rollup_dirty), marks)
    # Of the hour and of the day there are smaller slots.
    assert await until(now) == AT - _DAY_MS
    async with working(engine) as connection:
        far = {"span": DAY, "start_ms": AT - 500 * _DAY_MS, "mark": 1, "due_ms": 0}
        await connection.execute(insert(rollup_dirty).values(far))
    assert await until(now) == AT - 500 * _DAY_MS


async def test_a_call_that_waits_is_not_in_the_figures(engine: AsyncEngine):
    await begin(engine, AT)
    async with working(engine) as connection:
        await feed(connection, [tid_at(AT - 5), tid_at(AT - 1)])
    async with reading(engine) as connection:
        assert (await read_kept(connection, AT)).complete_until_ms == AT - 5


async def test_a_day_of_an_hour_that_is_behind_is_behind_too(engine: AsyncEngine):
    """It is marked only when the hour has been made, and lacks what the hour lacks."""
    await begin(engine, AT)
    async with working(engine) as connection:
        late = {"span": HOUR, "start_ms": AT + _HOUR_MS, "mark": 1, "due_ms": 0}
        await connection.execute(insert(rollup_dirty).values(late))
    async with reading(engine) as connection:
        kept = await read_kept(connection, AT)
    assert kept.behind == {Slot(HOUR, AT + _HOUR_MS), Slot(DAY, AT)}
