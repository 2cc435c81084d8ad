"""Proof that statistics are the plain sums of the rows by what the clocks of a zone show."""

from collections import defaultdict
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.services.control_plane import database_url, engine
from tests.storage.rollup_oracle import call, catch_up
from tests.storage.usage_writer import give_back, recharge
from tollbridge.billing import statistics as module
from tollbridge.billing.statistics import (
    GROUPS,
    Question,
    Statistics,
    Unanswerable,
    question_of,
    read_statistics,
)
from tollbridge.core.clock import tid_ms
from tollbridge.core.histogram import bin_of, percentile
from tollbridge.core.outcomes import answered, client_fault
from tollbridge.storage.call_index import index_chunk
from tollbridge.storage.ledger_tables import usage, usage_feed
from tollbridge.storage.query_tables import (
    rollup,
    rollup_dirty,
    rollup_floor,
    rollup_view,
    rollup_view_floor,
)
from tollbridge.storage.rollup_filling import fill_views
from tollbridge.storage.rollups import FOREVER, begin, rebuild, recompute
from tollbridge.storage.unit_of_work import reading, working

__all__ = ["database_url", "engine"]

_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000
_VIEWS = (rollup_view, rollup_view_floor)
# A zone, and a moment beside which calls are made: where its clocks change, or its midnight.
CHANGES = [
    ("Europe/Berlin", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
    ("Asia/Kolkata", datetime(2026, 7, 1, 18, 30, tzinfo=UTC)),
    ("UTC", datetime(2026, 1, 1, tzinfo=UTC)),
]
BESIDE = [
    beside + near
    for beside in (0, -_HOUR_MS, _HOUR_MS, -_HOUR_MS // 2, _HOUR_MS // 2, -_DAY_MS, 9 * _HOUR_MS)
    for near in (-300_000, -1, 0, 1, 300_000)
]
_STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("make"), st.sampled_from(BESIDE), st.integers(1, 2), st.sampled_from("ab")
        ),
        st.tuples(st.just("charge"), st.integers(0, 12), st.integers(0, 2**40)),
        st.tuples(st.just("reverse"), st.integers(0, 12)),
        st.tuples(st.just("index")),
        st.tuples(st.just("work")),
        # From then on views are read.
        st.tuples(st.just("fill")),
    ),
    max_size=22,
)


class _Calls:
    """Does what a step says, beside a moment."""

    def __init__(self, engine: AsyncEngine, at_ms: int) -> None:
        self._engine = engine
        self._at_ms = at_ms
        self._tids: list[str] = []

    async def make(self, beside: int, user: int, model: str) -> None:
        number = len(self._tids)
        values = {
            "user_id": user, "key_id": user + 10, "model_asked": model, "input": number * 7,
            "first_token_ms": number * 40 or None, "total_ms": number * 90,
            "status": 200 if number % 3 else 499, "own_cost": number,
            "end_state": "complete" if number % 3 else "client_gone",
            "items": '{"request":2,"images":[["1k","hd",3]]}' if number % 2 else None,
        }  # fmt: skip
        self._tids.append(await call(self._engine, self._at_ms + beside, **values))

    async def charge(self, which: int, charge: int) -> None:
        if which < len(self._tids):
            async with working(self._engine) as connection:
                await recharge(connection, self._tids[which], charge)

    async def reverse(self, which: int) -> None:
        if which < len(self._tids):
            async with working(self._engine) as connection:
                await give_back(connection, self._tids[which])

    async def index(self) -> None:
        await index_chunk(self._engine)

    async def work(self) -> None:
        await recompute(self._engine, FOREVER)

    async def fill(self) -> None:
        await fill_views(self._engine)


async def anew(engine: AsyncEngine) -> None:
    async with working(engine) as connection:
        for table in (*_VIEWS, usage, usage_feed, rollup, rollup_dirty, rollup_floor):
            await connection.execute(delete(table))


async def ask(engine: AsyncEngine, question: Question, now: int) -> Statistics:
    async with reading(engine) as connection:
        return await read_statistics(connection, question, now)


def start_of(at_ms: int, zone: ZoneInfo, by: str) -> tuple[Any, ...]:
    """Return what tells spans apart, by the standard library alone."""
    clock = datetime.fromtimestamp(at_ms // 1000, zone)
    return (clock.date(),) if by == "day" else (clock.date(), clock.hour, clock.utcoffset())


async def by_hand(engine: AsyncEngine, question: Question) -> dict[Any, dict[str, Any]]:
    """Return the figures by span and group, from the rows of usage."""
    async with reading(engine) as connection:
        calls = [dict(row) for row in (await connection.execute(select(usage))).mappings()]
    zone = ZoneInfo(question.zone)
    found: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for one in calls:
        one |= {"model": one["model_asked"], "status_class": one["status"] // 100}
        at = tid_ms(one["tid"])
        day = datetime.fromtimestamp(at // 1000, zone).date()
        mine = all(one[GROUPS[name]] == value for name, value in
                   {"user": question.only.get("user_id", one["user_id"])}.items())  # fmt: skip
        if question.first <= day < question.until and mine:
            group = tuple(one[GROUPS[name]] for name in question.group)
            found[start_of(at, zone, question.by), group].append(one)
    return {which: _sums(members) for which, members in found.items()}


def _sums(calls: list[dict[str, Any]]) -> dict[str, Any]:
    first = [one["first_token_ms"] for one in calls if one["first_token_ms"] is not None]
    return {
        "calls": len(calls),
        "answered": sum(answered(one["end_state"]) for one in calls),
        "client_faults": sum(client_fault(one["end_state"], one["error_kind"]) for one in calls),
        "charge": sum(one["charge"] - one["reversed"] for one in calls),
        **{name: sum(one[name] for one in calls) for name in ("own_cost", "loss", "input")},
        "requests": sum(2 for one in calls if one["items"]),
        "images": sum(3 for one in calls if one["items"]),
        "first": (len(first), sum(first), *_percentiles(first)),
        "total": (len(calls), sum(one["total_ms"] for one in calls),
                  *_percentiles([one["total_ms"] for one in calls])),
    }  # fmt: skip


def _percentiles(values: list[int]) -> list[int | None]:
    counts: dict[int, int] = defaultdict(int)
    for value in values:
        counts[bin_of(value)] += 1
    return [percentile(counts, 50), percentile(counts, 95)]


def shown(found: Statistics) -> dict[Any, dict[str, Any]]:
    zone = ZoneInfo(found.question.zone)
    names = ("calls", "answered", "client_faults", "charge", "own_cost", "loss", "input")
    return {
        (start_of(row.span.start_ms, zone, found.question.by), tuple(row.group.values())): {
            **{name: row.numbers[name] for name in names},
            **{name: row.items[name] for name in ("requests", "images")},
            "first": _latency(row.first_token),
            "total": _latency(row.total),
        }
        for row in found.rows
    }


def _latency(of: Any) -> tuple[Any, ...]:
    return (of.calls, of.sum_ms, of.p50_ms, of.p95_ms)


def _questions(zone: str, day: date, group: str, only: dict[str, Any]) -> list[Question]:
    first, until = (date.fromordinal(day.toordinal() + by).isoformat() for by in (-2, 3))
    return [
        question_of(first=first, until=until, by=by, zone=zone, group=group, only=only)
        for by in ("day", "hour")
    ]


@settings(max_examples=30, suppress_health_check=list(HealthCheck), deadline=None)
@given(
    change=st.sampled_from(CHANGES),
    steps=_STEPS,
    group=st.sets(st.sampled_from(sorted(GROUPS))),
    mine=st.booleans(),
)
async def test_any_history_by_any_clock(engine: AsyncEngine, change, steps, group, mine):
    zone, moment = change
    at = int(moment.timestamp()) * 1000
    now = at + 3 * _DAY_MS
    await anew(engine)
    await begin(engine, now)
    calls = _Calls(engine, at)
    for what, *how in steps:
        await getattr(calls, what)(*how)
    day = moment.astimezone(ZoneInfo(zone)).date()
    only = {"user": 1} if mine else {}
    questions = _questions(zone, day, ",".join(sorted(group)), only)
    for question in questions:
        found = await ask(engine, question, now)
        done = {
            start_of(span.start_ms, ZoneInfo(zone), question.by)
            for span in question.spans()
            if span.end_ms <= found.complete_until_ms
        }
        right = await by_hand(engine, question)
        assert _among(shown(found), done) == _among(right, done)
    await catch_up(engine)
    incremental = []
    for question in questions:
        found = await ask(engine, question, now)
        assert found.complete_until_ms == now
        assert shown(found) == await by_hand(engine, question)
        incremental.append(found.rows)
    await rebuild(engine, 0, now)
    assert [(await ask(engine, question, now)).rows for question in questions] == incremental


def _among(figures: dict[Any, Any], spans: set[Any]) -> dict[Any, Any]:
    return {which: row for which, row in figures.items() if which[0] in spans}


async def test_an_hour_that_comes_twice_has_two_rows(engine: AsyncEngine):
    at = int(datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp()) * 1000
    await begin(engine, at + _DAY_MS)
    await call(engine, at)
    await call(engine, at + _HOUR_MS)
    await catch_up(engine)
    by_hour = _questions("Europe/Berlin", date(2026, 10, 25), "", {})[1]
    found = await ask(engine, by_hour, at + _DAY_MS)
    assert [row.span.text() for row in found.rows] == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
    ]


async def test_what_is_not_kept_is_refused_not_guessed(engine: AsyncEngine):
    now = int(datetime(2026, 7, 20, tzinfo=UTC).timestamp()) * 1000
    await begin(engine, now)
    await call(engine, now - 30 * _DAY_MS)
    await catch_up(engine)

    async def asked(zone: str, first: str, until: str, by: str = "day") -> int:
        question = question_of(first=first, until=until, by=by, zone=zone, group="", only={})
        return sum(row.numbers["calls"] for row in (await ask(engine, question, now)).rows)

    assert await asked("Europe/Berlin", "2026-06-20", "2026-06-22", "hour") == 1
    with pytest.raises(Unanswerable) as caught:
        await asked("Asia/Kolkata", "2026-06-20", "2026-06-22")
    assert "five minutes" in caught.value.message and "2026-07-12" in caught.value.message
    assert caught.value.field == "from"
    with pytest.raises(Unanswerable, match="from") as caught:
        await asked("Europe/Berlin", "2025-01-01", "2025-01-02")
    assert "2025-06-15" in caught.value.message
    assert await asked("UTC", "2025-01-01", "2025-01-02") == 0


async def test_too_many_rows_are_refused(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "ROWS_MAX", 2)
    now = int(datetime(2026, 7, 20, tzinfo=UTC).timestamp()) * 1000
    await begin(engine, now)
    question = question_of(
        first="2026-07-01", until="2026-07-21", by="day", zone="UTC", group="model", only={}
    )
    for model in "abc":
        await call(engine, now - _DAY_MS, model_asked=model)
        if model == "b":
            await catch_up(engine)
            assert len((await ask(engine, question, now)).rows) == 2
    await catch_up(engine)
    with pytest.raises(Unanswerable, match="group"):
        await ask(engine, question, now)


async def test_a_call_taken_away_from_a_counted_state_is_seen(engine: AsyncEngine):
    """A row changed behind the feed's back is not in the figures: the comparison can fail."""
    now = int(datetime(2026, 7, 20, tzinfo=UTC).timestamp()) * 1000
    await begin(engine, now)
    tid = await call(engine, now - _DAY_MS)
    await catch_up(engine)
    async with working(engine) as connection:
        await connection.execute(update(usage).where(usage.c.tid == tid).values(charge=99))
    question = _questions("UTC", date(2026, 7, 19), "", {})[0]
    assert shown(await ask(engine, question, now)) != await by_hand(engine, question)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("by", {"by": "week"}),
        ("zone", {"zone": ""}),
        ("zone", {"zone": "Mars/Base"}),
        ("from", {"first": "yesterday"}),
        ("to", {"until": ""}),
        ("to", {"until": "2026-01-01"}),
        ("to", {"until": "2027-02-06"}),
        ("to", {"by": "hour", "until": "2026-03-05"}),
        ("group", {"group": "model,model"}),
        ("group", {"group": "account"}),
        ("group", {"group": "user", "groups": ("key",)}),
    ],
)
def test_questions_that_are_none(field: str, change: dict[str, Any]):
    right = {
        "first": "2026-01-01", "until": "2026-03-04", "by": "day", "zone": "UTC",
        "group": "model", "only": {},
    }  # fmt: skip
    assert question_of(**right).group == ("model",)
    assert len(question_of(**right | {"until": "2027-02-05"}).spans()) == 400
    with pytest.raises(Unanswerable) as caught:
        question_of(**right | change)
    assert caught.value.field == field
    assert str(caught.value) == field and caught.value.message
