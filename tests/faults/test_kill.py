"""A real gateway killed under load, again and again: no answer is lost, doubled or overcharged.

What a customer saw before the kill is held against the books after the restart (money.md, "Death
and time"). The vendor's words have four bytes a token and prompts count more than their bytes say,
so that no estimate may exceed an exact price.
"""

import asyncio
import itertools
import random
import signal

import httpx2
import pytest

from tests.faults.load import (
    Ask,
    assert_books_right,
    call,
    make,
    many,
    prepared,
    received,
    until,
)
from tests.faults.lock import locked
from tests.services.gateway import running
from tollbridge.core.money import parse_usd

CREDIT = "5000.00"
CUSTOMERS = 24
PROMPT = {"prompt_tokens": 300}
STREAM = {"stream": True}
KINDS = (
    Ask(script={**PROMPT, "tokens": 30}),
    Ask(script={**PROMPT, "tokens": 30, "delay_ms": 120}),
    Ask(script={**PROMPT, "tokens": 200, "reasoning": 800, "delay_ms": 30}),
    Ask(fields={"n": 4}, script={**PROMPT, "tokens": 50, "delay_ms": 10}),
    Ask(fields=STREAM, script={**PROMPT, "tokens": 40, "events": 10}),
    Ask(fields=STREAM, script={**PROMPT, "tokens": 60, "events": 20, "event_delay_ms": 5}),
    Ask(fields=STREAM, script={**PROMPT, "tokens": 5_000, "events": 40, "event_delay_ms": 8}),
    Ask(fields=STREAM, script={**PROMPT, "tokens": 20, "delay_ms": 80, "event_delay_ms": 60}),
    Ask(fields=STREAM, script={**PROMPT, "tokens": 30, "silent_after_finish_ms": 150}),
    Ask(fields={**STREAM, "n": 4}, script={**PROMPT, "tokens": 12, "event_delay_ms": 2}),
    Ask(fields=STREAM, script={**PROMPT, "tokens": 60, "error_event_after": 6, "event_delay_ms": 5}),
    Ask(fields=STREAM, script={**PROMPT, "tokens": 60, "error_event_after": 0}),
    Ask(fields=STREAM, script={**PROMPT, "tokens": 60, "cut_after": 9, "event_delay_ms": 5}),
    Ask(fields=STREAM, script={**PROMPT, "tokens": 60, "event_delay_ms": 10}, leaves=True),
    Ask(script={**PROMPT, "tokens": 60, "cut_body": 90}),
    # They hang until the kill: one that never had content, one that had.
    Ask(script={**PROMPT, "tokens": 30, "delay_ms": 60_000}),
    Ask(fields=STREAM, script={**PROMPT, "tokens": 900, "events": 3, "event_delay_ms": 9_000}),
)  # fmt: skip


class Load:
    """Customers who call one after the other until the gateway is gone."""

    def __init__(self, gateway, chance):
        self._gateway = gateway
        self._chance = chance
        self.calls = []
        self.started = []

    async def _customer(self, client, asks):
        for ask in asks:
            self.started.append(ask)
            seen = await call(client, ask)
            self.calls.append(seen)
            if not seen.status:
                return

    async def run_until(self, end):
        """Run the customers; `end()` is called after a random while and ends the gateway."""
        kinds = [self._chance.sample(KINDS, len(KINDS)) for _ in range(CUSTOMERS)]
        async with many(self._gateway) as client:
            customers = [
                asyncio.ensure_future(self._customer(client, itertools.cycle(asks)))
                for asks in kinds
            ]
            await until(lambda: any(seen.finished for seen in self.calls), "a finished call")
            await asyncio.sleep(self._chance.uniform(0.02, 0.3))
            await asyncio.to_thread(end)
            await asyncio.gather(*customers)


def check_calls(load, rows):
    """Hold what the customers saw against the usage rows."""
    finished = 0
    for seen in load.calls:
        row = rows.get(seen.tid)
        if seen.finished:
            finished += 1
            assert row is not None
            assert (row["end_state"], row["charge"]) == ("complete", seen.ask.full_price())
        if seen.content:
            # Gate 1: the hold was durable before, so the call is in the books whatever happened.
            assert row is not None
        if row is not None:
            assert row["charge"] <= seen.ask.full_price()
    assert finished > 0


def check_reclaimed(orphans, rows):
    """Each hold of the dead process was posted at its own checkpoint; return how many were."""
    reclaimed = {tid: row["charge"] for tid, row in rows.items() if row["end_state"] == "reclaimed"}
    if orphans is not None:
        assert reclaimed == {hold["tid"]: hold["covered"] for hold in orphans}
    for tid, row in rows.items():
        assert ("reclaimed" in row["flags"].split(",")) == (tid in reclaimed)
    return len(reclaimed)


async def kill_once(gateway, chance, books):
    """Kill the gateway under load, start it again and compare; `books` is what was seen before."""
    load = Load(gateway, chance)
    await load.run_until(gateway.kill)
    # Whoever reads a file first recovers it: every other time that is the gateway.
    orphans = gateway.rows("SELECT tid, covered FROM hold") if chance.random() < 0.5 else None
    await asyncio.to_thread(gateway.start)
    rows = {row["tid"]: row for row in gateway.rows("SELECT * FROM usage")}
    new = {tid: row for tid, row in rows.items() if tid not in books}
    assert {tid: rows[tid]["charge"] for tid in books} == books
    assert len(new) <= len(load.started)
    check_calls(load, new)
    reclaimed = check_reclaimed(orphans, new)
    assert sum(row["charge"] for row in new.values()) <= sum(
        ask.full_price() for ask in load.started
    )
    assert not any(row["loss"] for row in new.values())
    books.update({tid: row["charge"] for tid, row in new.items()})
    assert gateway.wallet() == (parse_usd(CREDIT) - sum(books.values()), 0)
    await assert_books_right(gateway)
    return reclaimed


@pytest.mark.timeout(900)
@pytest.mark.parametrize("times", [20, pytest.param(100, marks=pytest.mark.long)])
async def test_killed_again_and_again_it_loses_and_doubles_nothing(tmp_path, times):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    books = {}
    reclaimed = 0
    async with running(tmp_path, credit=CREDIT) as (gateway, fake):
        for _ in range(times):
            fake.books.reset()
            reclaimed += await kill_once(gateway, chance, books)
        await asyncio.to_thread(gateway.verify)
    assert reclaimed > times


async def test_nothing_is_shown_before_it_is_in_the_books(tmp_path):
    """Both gates, held shut by somebody else's lock until the kill."""
    async with running(tmp_path, credit=CREDIT) as (gateway, fake), many(gateway) as client:
        # What the wallet has is known then, so that new calls go to the vendor at once.
        paid = (await call(client, KINDS[0])).ask.full_price()
        early = prepared(Ask(fields=STREAM, script={**PROMPT, "tokens": 60, "event_delay_ms": 30}))
        late = [prepared(ask) for ask in (KINDS[0], KINDS[3], KINDS[4], KINDS[9])]
        making = [asyncio.ensure_future(make(client, early))]
        await until(lambda: gateway.rows("SELECT 1 FROM hold WHERE covered > 0"), "a checkpoint")
        async with locked(gateway.database):
            assert not early.finished
            making += [asyncio.ensure_future(make(client, seen)) for seen in late]
            await until(lambda: len(fake.books.calls) == 2 + len(late), "all calls at the vendor")
            await until(lambda: {one.state for one in fake.books.calls} == {"done"}, "all answers")
            await asyncio.sleep(0.3)
            await asyncio.to_thread(gateway.kill)
        await asyncio.gather(*making)
        assert early.content
        assert not early.finished
        assert [seen.tag for seen in late if seen.content or seen.finished] == []
        await asyncio.to_thread(gateway.start)
        first, second = gateway.rows("SELECT tid, end_state, charge FROM usage ORDER BY tid")
        assert (first["end_state"], first["charge"]) == ("complete", paid)
        assert (second["tid"], second["end_state"]) == (early.tid, "reclaimed")
        assert 0 < second["charge"] <= early.ask.full_price()
        assert gateway.wallet() == (parse_usd(CREDIT) - paid - second["charge"], 0)
        await assert_books_right(gateway)


LAST_CALLS = (
    Ask(script={**PROMPT, "tokens": 30, "delay_ms": 700}),
    Ask(fields={"n": 4}, script={**PROMPT, "tokens": 30, "delay_ms": 700}),
    Ask(fields=STREAM, script={**PROMPT, "tokens": 40, "events": 20, "event_delay_ms": 100}),
    Ask(fields=STREAM, script={**PROMPT, "tokens": 10, "delay_ms": 500, "event_delay_ms": 30}),
    Ask(fields={**STREAM, "n": 4}, script={**PROMPT, "tokens": 10, "event_delay_ms": 25}),
    Ask(fields=STREAM, script={**PROMPT, "tokens": 10, "silent_after_finish_ms": 800}),
)


async def knock(gateway, process, late):
    """Call with new connections as long as the process lives; return the answers."""
    answers = []
    while process.poll() is None:
        async with many(gateway) as client:
            answers.append(await call(client, late))
        await asyncio.sleep(0.02)
    return answers


async def test_a_polite_end_lets_running_calls_finish(tmp_path):
    async with running(tmp_path, credit=CREDIT) as (gateway, fake), many(gateway) as client:
        running_calls = [
            asyncio.ensure_future(call(client, ask)) for ask in LAST_CALLS for _ in range(4)
        ]
        await until(lambda: len(fake.books.calls) == len(running_calls), "all calls at the vendor")
        process = gateway.process
        process.send_signal(signal.SIGTERM)
        answers = await knock(gateway, process, Ask(script={**PROMPT, "tokens": 5}))
        calls = await asyncio.gather(*running_calls)
        assert process.returncode in {0, -signal.SIGTERM}
        for seen in calls:
            assert seen.finished
            assert seen.whole
        check_knocks(answers, fake)
        taken = [seen for seen in answers if seen.status == 200]
        rows = {row["tid"]: row for row in gateway.rows("SELECT * FROM usage")}
        assert rows.keys() == {seen.tid for seen in [*calls, *taken]}
        for seen in [*calls, *taken]:
            row = rows[seen.tid]
            assert (row["end_state"], row["charge"]) == ("complete", seen.ask.full_price())
        paid = sum(row["charge"] for row in rows.values())
        assert gateway.wallet() == (parse_usd(CREDIT) - paid, 0)
        assert gateway.rows("SELECT tid FROM hold") == []
        gateway.verify()


def check_knocks(answers, fake):
    """From the first refusal on every newcomer is refused, and none of them reached the vendor."""
    vendor = received(fake)
    statuses = [seen.status for seen in answers]
    # 0: the connection was refused. The signal may have been later than the first knock.
    first = next(place for place, status in enumerate(statuses) if status != 200)
    assert first < len(statuses) - 1
    for seen in answers[first:]:
        assert seen.status in {0, 503}
        assert seen.tag not in vendor


async def test_a_polite_end_without_calls_is_quick_and_clean(tmp_path):
    async with running(tmp_path) as (gateway, _), httpx2.AsyncClient(trust_env=False) as client:
        # An idle connection does not keep the process.
        assert (await client.get(f"{gateway.url}/healthz")).status_code == 200
        status = await asyncio.to_thread(gateway.stop)
        assert status in {0, -signal.SIGTERM}
        assert "Traceback" not in gateway.log.read_text()
        gateway.verify()
