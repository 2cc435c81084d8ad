"""What roll-ups must be, added up in plain Python from the rows of usage; and what they are."""

import json
from collections import Counter, defaultdict
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.usage_writer import make_calls
from tollbridge.core.clock import tid_ms
from tollbridge.core.histogram import bin_of, counts_of, text_of
from tollbridge.core.outcomes import answered, client_fault
from tollbridge.protocols.usage import TOKEN_BUCKETS
from tollbridge.storage.call_index import index_chunk
from tollbridge.storage.ledger_tables import usage
from tollbridge.storage.query_tables import ROLLUP_GROUP, rollup, rollup_floor, rollup_view
from tollbridge.storage.rollup_marks import FIVE_MINUTES, SPANS
from tollbridge.storage.rollup_sums import COLUMNS
from tollbridge.storage.rollups import FOREVER, recompute
from tollbridge.storage.unit_of_work import reading, working

LARGEST = 2**63 - 1
_SUMMED = (*TOKEN_BUCKETS, "reasoning", "charge", "list_cost", "own_cost", "loss")
_ITEMS = {
    "request": "requests",
    "web_search": "web_searches",
    "second": "seconds",
    "character": "characters",
}
Slots = dict[tuple[int, int], list[tuple[Any, ...]]]
_made = iter(range(1 << 60))


def tid_at(ms: int) -> str:
    """Return a new tid of a moment."""
    return f"{ms:012x}7{next(_made):019x}"


async def call(engine: AsyncEngine, ms: int, **values: Any) -> str:
    """Write the usage row of a call of a moment, fed; return its tid."""
    tid = tid_at(ms)
    async with working(engine) as connection:
        await make_calls(connection, [tid], **values)
    return tid


async def catch_up(engine: AsyncEngine) -> None:
    """Do all that a worker would do in the end."""
    while await index_chunk(engine):
        pass
    while await recompute(engine, FOREVER):
        pass


async def in_the_table(engine: AsyncEngine) -> Slots:
    """Return the stored rows by slot."""
    query = select(rollup.c.span, rollup.c.start_ms, *(rollup.c[name] for name in COLUMNS))
    found: Slots = defaultdict(list)
    async with reading(engine) as connection:
        for span, start, *row in await connection.execute(query):
            found[span, start].append(tuple(row))
    return {slot: sorted(rows) for slot, rows in found.items()}


async def by_hand(engine: AsyncEngine) -> Slots:
    """Return what must be stored, of the slots that are kept."""
    async with reading(engine) as connection:
        floors = dict((await connection.execute(select(rollup_floor))).all())
        calls = [dict(row) for row in (await connection.execute(select(usage))).mappings()]
    groups: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for one in calls:
        at = tid_ms(one["tid"])
        status = one["status"] // 100 if 100 <= one["status"] < 900 else 9
        key = (one["user_id"], one["key_id"], one["channel_id"], one["model_asked"], status)
        for span in SPANS:
            start = at // (span * 1000) * span * 1000
            if start >= floors.get(span, 0):
                groups[span, start, key].append(one)
    slots: Slots = defaultdict(list)
    for (span, start, key), members in groups.items():
        slots[span, start].append(key + _sums(members))
    return {slot: sorted(rows) for slot, rows in slots.items()}


def _sums(calls: list[dict[str, Any]]) -> tuple[Any, ...]:
    sums: Counter[str] = Counter()
    first: Counter[int] = Counter()
    total: Counter[int] = Counter()
    for one in calls:
        sums["calls"] += 1
        sums["answered"] += answered(one["end_state"])
        sums["client_faults"] += client_fault(one["end_state"], one["error_kind"])
        for name in _SUMMED:
            sums[name] += one[name]
        sums["charge"] -= one["reversed"]
        if one["first_token_ms"] is not None:
            sums["first_token_calls"] += 1
            sums["first_token_sum_ms"] += one["first_token_ms"]
            first[bin_of(one["first_token_ms"])] += 1
        sums["total_sum_ms"] += one["total_ms"]
        total[bin_of(one["total_ms"])] += 1
        items = json.loads(one["items"] or "{}")
        for name, column in _ITEMS.items():
            sums[column] += items.get(name, 0)
        sums["images"] += sum(count for _, _, count in items.get("images", ()))
    numbers = (min(sums[name], LARGEST) for name in COLUMNS[5:-2])
    return (*numbers, text_of(first), text_of(total))


# Which columns the rows of each view are told apart by.
VIEWED = {
    1: {"user_id", "status_class"},
    2: {"user_id", "key_id", "status_class"},
    3: {"user_id", "model", "status_class"},
    4: {"channel_id", "status_class"},
    5: {"channel_id", "model", "status_class"},
}


async def views_in_the_table(engine: AsyncEngine) -> Slots:
    """Return the stored rows of views by slot."""
    names = ("span", "start_ms", "view", *COLUMNS)
    found: Slots = defaultdict(list)
    async with reading(engine) as connection:
        for span, start, *row in await connection.execute(
            select(*(rollup_view.c[name] for name in names))
        ):
            found[span, start].append(tuple(row))
    return {slot: sorted(rows) for slot, rows in found.items()}


async def views_right(engine: AsyncEngine) -> bool:
    """Tell whether views are what they must be of what is stored."""
    return await views_in_the_table(engine) == views_by_hand(await in_the_table(engine))


def views_by_hand(slots: Slots) -> Slots:
    """Return what views must be, of what is stored of slots."""
    found: Slots = {}
    for (span, start), rows in slots.items():
        if span == FIVE_MINUTES:
            continue
        groups: dict[Any, list[tuple[Any, ...]]] = defaultdict(list)
        for row in rows:
            for view, columns in VIEWED.items():
                key = [
                    value if name in columns else type(value)()
                    for name, value in zip(ROLLUP_GROUP, row, strict=False)
                ]
                groups[view, *key].append(row)
        found[span, start] = sorted(key + _added(members) for key, members in groups.items())
    return found


def _added(rows: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    bins: list[Counter[int]] = [Counter(), Counter()]
    for row in rows:
        for counts, text in zip(bins, row[-2:], strict=True):
            counts.update(counts_of(text))
    numbers = (min(sum(row[at] for row in rows), LARGEST) for at in range(5, len(rows[0]) - 2))
    return (*numbers, *map(text_of, bins))
