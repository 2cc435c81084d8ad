"""What every store of counts promises; the same tests for memory and for Redis."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.storage.counters import (
    BACK,
    BUCKET_MS,
    CONCURRENCY_WAIT_MS,
    Limit,
    Refusal,
    Scope,
    Ticket,
    Window,
    leaves_in_ms,
    reserved,
)
from tollbridge.storage.counters_memory import MemoryCounters
from tollbridge.storage.counters_redis import RedisCounters

KEY = Scope("key:1", 3, 1000, 2)
USER = Scope("user:1", 10, 0, 0)
CHANNEL = Scope("channel:1", 0, 0, 5)
ALL = (KEY, USER, CHANNEL)


@pytest.fixture(params=["memory", "redis"])
async def counters(request):
    if request.param == "memory":
        yield MemoryCounters()
        return
    store = RedisCounters(request.getfixturevalue("redis_url"))
    await store.start()
    assert store.shared
    yield store
    await store.stop()


async def granted(store, scopes=ALL, tokens=0):
    ticket = await store.take(scopes, tokens)
    assert isinstance(ticket, Ticket), ticket
    return ticket


async def refused(store, scopes=ALL, tokens=0):
    refusal = await store.take(scopes, tokens)
    assert isinstance(refusal, Refusal), refusal
    return refusal


async def figures(store, scope):
    """Look at a scope's windows through a twin that nothing limits."""
    looked = await granted(store, (scope._replace(rpm=10**6, tpm=10**9, concurrency=0),))
    store.give(looked, 0, sent=False)
    (state,) = looked.states
    return state.requests - 1, state.tokens


async def test_calls_a_minute_are_limited(counters):
    for count in range(1, 4):
        ticket = await granted(counters, (KEY._replace(concurrency=0),))
        assert ticket.states[0].requests == count
    refusal = await refused(counters, (KEY._replace(concurrency=0),))
    assert (refusal.scope.name, refusal.limit) == ("key:1", Limit.REQUESTS)
    assert BACK * BUCKET_MS < refusal.wait_ms <= (BACK + 1) * BUCKET_MS
    assert refusal.states[0].requests == 3


async def test_calls_at_once_are_limited_and_a_slot_is_given_back_once(counters):
    first = await granted(counters)
    await granted(counters)
    refusal = await refused(counters)
    assert (refusal.scope, refusal.limit) == (KEY, Limit.CONCURRENCY)
    assert refusal.wait_ms == CONCURRENCY_WAIT_MS
    counters.give(first, 0, sent=True)
    counters.give(first, 0, sent=True)
    await granted(counters)
    assert isinstance(await counters.take((KEY._replace(rpm=0),), 0), Refusal)


async def test_a_refused_call_consumes_nothing_anywhere(counters):
    narrow = Scope("channel:2", 1, 0, 1)
    await granted(counters, (narrow,))
    for _ in range(5):
        refusal = await refused(counters, (KEY, USER, narrow), 10)
        assert refusal.scope == narrow
    assert await figures(counters, KEY) == (0, 0)
    assert await figures(counters, USER) == (0, 0)
    assert await figures(counters, narrow) == (1, 0)
    tickets = [await granted(counters, (KEY,)) for _ in range(KEY.concurrency)]
    assert [ticket.states[0].requests for ticket in tickets] == [1, 2]


async def test_tokens_are_reserved_by_estimate_and_settled_by_truth(counters):
    tokens = (Scope("key:7", 0, 1000, 0),)
    ticket = await granted(counters, tokens, 600)
    refusal = await refused(counters, tokens, 401)
    assert refusal.limit is Limit.TOKENS
    counters.give(ticket, 100, sent=True)
    assert await figures(counters, tokens[0]) == (0, 100)
    more = await granted(counters, tokens, 900)
    counters.give(more, 2_400, sent=True)
    assert await figures(counters, tokens[0]) == (0, 2_500)
    assert (await refused(counters, tokens, 1)).limit is Limit.TOKENS


async def test_a_call_larger_than_the_limit_can_pass_alone(counters):
    tokens = (Scope("key:8", 0, 1000, 0),)
    ticket = await granted(counters, tokens, 50_000)
    assert ticket.states[0].tokens == 1000
    await refused(counters, tokens, 1)
    counters.give(ticket, 0, sent=True)
    await granted(counters, tokens, 50_000)


async def test_a_call_that_came_to_nothing_keeps_its_request_unless_nothing_was_sent(counters):
    sent, unsent = await granted(counters, (KEY,), 10), await granted(counters, (KEY,), 10)
    counters.give(sent, 0, sent=True)
    counters.give(unsent, 0, sent=False)
    assert await figures(counters, KEY) == (1, 0)


async def test_the_refusal_names_the_limit_that_takes_longest_to_go_away(counters):
    both = (Scope("key:3", 0, 0, 1), Scope("user:3", 1, 0, 0))
    await granted(counters, both)
    assert (await refused(counters, both)).scope == both[1]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9)), max_size=60))
def test_a_window_holds_the_counts_of_the_last_buckets(steps):
    window, log, now = Window(), [], 0
    for ahead, count in steps:
        now += ahead
        window.roll(now)
        window.add(now, count)
        log.append((now, count))
        if len(log) % 3 == 0:
            window.take_back(now, 1)
            log.append((now, -1))
        live = sum(one for at, one in log if at >= now - BACK)
        assert window.used == live == sum(window.buckets.values())
        frees = window.frees(1, now)
        assert all(at >= frees for at, left in window.buckets.items() if left)


def test_what_has_left_a_window_cannot_be_taken_back():
    window = Window()
    window.add(1, 5)
    window.roll(1 + BACK + 1)
    window.take_back(1, 5)
    assert (window.used, window.buckets) == (0, {})


def test_a_bucket_leaves_when_no_60_seconds_can_hold_it_any_more():
    last_moment_ms = 7 * BUCKET_MS + BUCKET_MS - 1
    assert leaves_in_ms(7, last_moment_ms) == BACK * BUCKET_MS + 1
    assert leaves_in_ms(7, 10**9) == 0


def test_a_reservation_never_exceeds_the_limit():
    assert reserved(10, KEY) == 10
    assert reserved(10**6, KEY) == KEY.tpm
    assert reserved(10, CHANNEL) == 0
