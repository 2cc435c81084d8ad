"""Proof of choosing accounts for a call: who is tried, who is not, and when it is no use."""

import asyncio

from tests.relay.calls import chat
from tests.relay.floor import open_floor


def refused_retries(floor):
    return floor.metrics.registry.get_sample_value(
        "tollbridge_upstream_failures_total", {"reason": "retry_budget"}
    )


async def test_a_spent_budget_ends_the_call_with_the_first_failure():
    async with open_floor() as floor:
        floor.world.snapshot = floor.catalogue(2)
        floor.script(1, status=500)
        now = asyncio.get_running_loop().time()
        while floor.pool.retries.may_retry(1, now):
            pass
        assert (await floor.answered()).status == 502
        assert len(floor.vendor.books.calls) == 1 and floor.row["account_id"] == 1
        assert refused_retries(floor) == 1
        assert floor.row["charge"] == 0


async def test_within_the_budget_another_account_answers():
    async with open_floor() as floor:
        floor.world.snapshot = floor.catalogue(2)
        floor.script(1, status=500)
        assert (await floor.answered(chat(stream=True))).status == 200
        assert floor.row["account_id"] == 2


async def test_full_accounts_are_passed_over_and_nobody_is_asked_when_all_are_full():
    async with open_floor() as floor:
        floor.world.snapshot = floor.catalogue(2, concurrency=1)
        first = floor.call(chat(fake={"hang": True}))
        second = floor.call(chat(fake={"hang": True}))
        async with asyncio.timeout(10):
            while len(floor.counters.slots) < 2:
                await asyncio.sleep(0.001)
        third = await floor.answered()
        assert third.status == 429 and b"retry-after: 2" in third.sent_headers
        for one in (first, second):
            one.leave()
            one.task.cancel()
