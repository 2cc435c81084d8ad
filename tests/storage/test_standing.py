"""Proof of the figures of channels: who counts, which five minutes were up, whose first token."""

from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.rollup_oracle import call, catch_up
from tollbridge.core.clock import now_ms
from tollbridge.core.periods import period_at
from tollbridge.storage.rollups import begin
from tollbridge.storage.standing import Standing, standing

TODAY = period_at("day", now_ms()).start_ms
SLOT = 300_000
GOOD = {"end_state": "complete", "status": 200}
BAD = {"end_state": "upstream_error", "status": 502, "error_kind": "upstream_failed"}
LEFT = {"end_state": "client_gone", "status": 499}
POOR = {"end_state": "refused", "status": 402, "error_kind": "balance_insufficient"}


async def made(engine: AsyncEngine, slots: list[list[dict]], **values) -> None:
    for number, calls in enumerate(slots):
        for one in calls:
            await call(engine, TODAY + number * SLOT, **(one | values))


async def test_rates_are_exact_and_clients_do_not_count(engine: AsyncEngine):
    await begin(engine, now_ms())
    slots = [[GOOD, GOOD, BAD], [GOOD, BAD], [BAD, LEFT], [LEFT, POOR], [], [GOOD]]
    await made(engine, slots, channel_id=3, model_asked="m")
    await made(engine, [[GOOD], [POOR]], channel_id=3, model_asked="n", user_id=8)
    await made(engine, [[BAD]], channel_id=2, model_asked="m")
    await catch_up(engine)
    assert await standing(engine, TODAY, TODAY + 9 * SLOT) == [
        Standing(2, "m", 1, 0, 1, 1, 0, None, None, TODAY),
        Standing(3, "m", 10, 4, 7, 4, 3, None, None, TODAY + 5 * SLOT),
        Standing(3, "n", 2, 1, 1, 1, 1, None, None, TODAY + SLOT),
    ]


async def test_users_and_status_are_put_together_before_a_slot_is_judged(engine: AsyncEngine):
    await begin(engine, now_ms())
    await made(engine, [[GOOD, GOOD]], user_id=1)
    await made(engine, [[BAD, BAD, BAD]], user_id=2)
    await catch_up(engine)
    [one] = await standing(engine, TODAY, TODAY + SLOT)
    assert (one.answered, one.counted, one.slots, one.slots_up) == (2, 5, 1, 0)


async def test_first_tokens_of_all_slots_make_one_percentile(engine: AsyncEngine):
    await begin(engine, now_ms())
    for number in range(1, 21):
        at = TODAY + number % 4 * SLOT
        await call(engine, at, user_id=number % 3, first_token_ms=number, **GOOD)
    await call(engine, TODAY, first_token_ms=None, **BAD)
    await catch_up(engine)
    [one] = await standing(engine, TODAY, TODAY + 4 * SLOT)
    assert (one.calls, one.first_token_p50_ms, one.first_token_p95_ms) == (21, 10, 19)


async def test_only_what_begins_in_the_time_asked_for(engine: AsyncEngine):
    await begin(engine, now_ms())
    await made(engine, [[GOOD], [BAD], [GOOD]])
    await catch_up(engine)
    [one] = await standing(engine, TODAY + SLOT, TODAY + 2 * SLOT)
    assert (one.calls, one.answered, one.last_ms) == (1, 0, TODAY + SLOT)
    assert await standing(engine, TODAY + 3 * SLOT, TODAY + 9 * SLOT) == []
