"""Proof of the script: it decides as memory does, slides by the server's clock, and shares."""

import asyncio
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.storage.rival import Rival
from tollbridge.storage.counters import BACK, Refusal, Scope, Ticket
from tollbridge.storage.counters_memory import MemoryCounters
from tollbridge.storage.counters_redis import Pace, RedisCounters

PATIENCE_S = 60
LIMITS = st.tuples(st.integers(0, 4), st.sampled_from([0, 10, 40]), st.integers(0, 3))
TAKE = st.tuples(st.just("take"), st.sets(st.integers(0, 2), min_size=1), st.integers(0, 30))
GIVE = st.tuples(st.just("give"), st.integers(0, 50), st.booleans())
names = count()


@pytest.fixture
async def store(redis_url):
    # Patient, so that a busy machine is no trouble.
    store = RedisCounters(redis_url, Pace(answer_s=PATIENCE_S))
    await store.start()
    yield store
    assert store.shared
    await store.stop()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limits=st.tuples(LIMITS, LIMITS, LIMITS), steps=st.lists(TAKE | GIVE, max_size=40))
async def test_it_decides_as_memory_does(store, limits, steps):
    example = next(names)
    scopes = [Scope(f"scope:{example}:{at}", *limit) for at, limit in enumerate(limits)]
    memory, open_tickets = MemoryCounters(), []
    for kind, one, other in steps:
        if kind == "take":
            wanted = tuple(scopes[at] for at in sorted(one))
            here, there = memory.take_now(wanted, other), await store.take(wanted, other)
            assert type(here) is type(there)
            if isinstance(here, Refusal):
                assert isinstance(there, Refusal)
                assert (here.scope, here.limit) == (there.scope, there.limit)
            else:
                open_tickets.append((here, there))
            for mine, its in zip(here.states, there.states, strict=True):
                assert (mine.requests, mine.tokens) == (its.requests, its.tokens)
                assert bool(mine.requests_reset_ms) == bool(its.requests_reset_ms)
                assert bool(mine.tokens_reset_ms) == bool(its.tokens_reset_ms)
        elif open_tickets:
            here, there = open_tickets.pop()
            memory.give(here, one, sent=other)
            store.give(there, one, sent=other)
    assert memory.slots == store._own.slots
    for _, there in open_tickets:
        store.give(there, 0, sent=True)


async def test_its_window_slides_and_never_holds_more_than_the_limit(redis_url):
    store = RedisCounters(redis_url, Pace(answer_s=PATIENCE_S, bucket_ms=20))
    await store.start()
    scopes, buckets = (Scope("key:1", 7, 0, 0),), []
    async with asyncio.timeout(PATIENCE_S):
        while len(buckets) < 30:
            answer = await store.take(scopes, 0)
            if isinstance(answer, Ticket):
                buckets.append(answer.bucket)
            else:
                assert 0 < answer.wait_ms <= 20 * (BACK + 1)
                await asyncio.sleep(0.003)
    for end in buckets:
        assert sum(end - BACK <= bucket <= end for bucket in buckets) <= 7
    await store.stop()


def race(*rivals):
    try:
        return [rival.granted() for rival in rivals]
    finally:
        for rival in rivals:
            rival.close()


@pytest.mark.parametrize(
    ("scope", "tokens", "most"),
    [(("key:1", 1_000, 0, 0), 0, 1_000), (("key:1", 0, 5_000, 0), 7, 714)],
)
def test_three_processes_with_10000_takes_get_exactly_the_limit(redis_url, scope, tokens, most):
    rivals = [Rival(redis_url, scope, 3_334, tokens=tokens, answer_s=PATIENCE_S) for _ in range(3)]
    assert sum(race(*rivals)) == most


def test_three_processes_together_hold_no_more_than_the_slots(redis_url):
    scope = ("key:1", 0, 0, 50)
    rivals = [Rival(redis_url, scope, 100, keep=True, answer_s=PATIENCE_S) for _ in range(3)]
    assert sum(race(*rivals)) == 50


async def test_every_key_expires_and_slots_leave_nothing(store, redis_url, redis_server):
    scopes = (Scope("key:1", 9, 900, 9), Scope("user:1", 9, 0, 9))
    ticket = await store.take(scopes, 100)
    listed = redis_server.ask("KEYS", "*").split()
    found = sorted(line for line in listed if line.startswith("tollbridge:"))
    kinds = [key.removeprefix("tollbridge:").partition(":")[0] for key in found]
    assert kinds == ["alive", "slots", "slots", "window", "window"]
    for key in found:
        assert 0 < int(redis_server.ask("PTTL", key).removeprefix(":")) <= 90_000
    store.give(ticket, 10, sent=True)
    async with asyncio.timeout(PATIENCE_S):
        while "slots" in redis_server.ask("KEYS", "*"):
            await asyncio.sleep(0.01)
