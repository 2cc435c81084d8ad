"""Owns how each channel and model has been doing lately: success, first token, availability.

Read from the roll-ups of five minutes, so only as far back as those are kept (`rollups.KEPT_DAYS`)
and some twenty seconds behind. Must not know who is shown it, nor what it is judged by.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, cast, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.core.histogram import SEPARATOR, counts_of, percentile
from tollbridge.storage.query_tables import rollup
from tollbridge.storage.rollup_marks import FIVE_MINUTES
from tollbridge.storage.unit_of_work import reading


@dataclass(frozen=True, slots=True)
class Standing:
    """What the calls to one model through one channel came to.

    The success rate is `answered / counted`: `counted` are the calls less what clients caused
    (core/outcomes.py). Availability is `slots_up / slots`: of the five minutes in which any call
    counted, those in which at least half were answered. Percentiles are milliseconds, None without
    a first token (core/histogram.py tells how exact); `last_ms` is where the latest five minutes
    with a call begin. Rates are given as two integers; with a zero below there is no rate.
    """

    channel_id: int
    model: str
    calls: int
    answered: int
    counted: int
    slots: int
    slots_up: int
    first_token_p50_ms: int | None
    first_token_p95_ms: int | None
    last_ms: int


async def standing(engine: AsyncEngine, since_ms: int, until_ms: int) -> list[Standing]:
    """Return how each channel and model did in the five minutes that begin in [since, until)."""
    table = rollup.c
    query = select(
        table.channel_id,
        table.model,
        table.start_ms,
        *(
            cast(func.sum(column), BigInteger)
            for column in (table.calls, table.answered, table.client_faults)
        ),
        func.aggregate_strings(table.first_token_bins, SEPARATOR),
    )
    query = query.where(
        table.span == FIVE_MINUTES, table.start_ms >= since_ms, table.start_ms < until_ms
    )
    query = query.group_by(table.channel_id, table.model, table.start_ms)
    slots: dict[tuple[int, str], list[Any]] = defaultdict(list)
    async with reading(engine) as connection:
        for channel_id, model, *slot in await connection.execute(query):
            slots[channel_id, model].append(slot)
    return [
        _standing(channel_id, model, slots[channel_id, model])
        for channel_id, model in sorted(slots)
    ]


def _standing(channel_id: int, model: str, slots: Iterable[Any]) -> Standing:
    starts, calls, answered, faults, bins = zip(*slots, strict=True)
    counted = [all_of - by_client for all_of, by_client in zip(calls, faults, strict=True)]
    traffic = [(good, of) for good, of in zip(answered, counted, strict=True) if of]
    first_token = counts_of(SEPARATOR.join(bins))
    return Standing(
        channel_id=channel_id,
        model=model,
        calls=sum(calls),
        answered=sum(answered),
        counted=sum(counted),
        slots=len(traffic),
        slots_up=sum(2 * good >= of for good, of in traffic),
        first_token_p50_ms=percentile(first_token, 50),
        first_token_p95_ms=percentile(first_token, 95),
        last_ms=max(starts),
    )
