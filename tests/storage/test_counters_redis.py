"""Proof of sharing: one script for many calls, and what happens when the server or a process goes."""

import asyncio
import gc
import re

import pytest
from structlog.testing import capture_logs

from tests.services.redis import Server
from tests.storage.rival import Rival
from tollbridge.storage.counters import Limit, Refusal, Scope, Ticket
from tollbridge.storage.counters_redis import BadRedisUrl, Pace, RedisCounters

PATIENCE_S = 60
QUICK = Pace(answer_s=5, retry_s=0.02, beat_s=0.05, alive_ms=600)
SLOTS = (Scope("key:1", 0, 0, 2),)
CALLS = (Scope("key:1", 2, 0, 0),)


async def until(condition):
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture
async def stores():
    opened = []

    async def make(url, pace=QUICK):
        store = RedisCounters(url, pace)
        opened.append(store)
        await store.start()
        return store

    yield make
    for store in opened:
        await store.stop()


@pytest.fixture
def server(redis_url):
    """Give the test a server of its own, which it may stop; `redis_url` knows how to skip."""
    server = Server()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def said():
    """Note the log lines."""
    with capture_logs() as lines:
        yield lines


async def test_two_processes_share_and_a_clean_end_frees_the_slots(stores, redis_url):
    one, other = await stores(redis_url), await stores(redis_url)
    assert isinstance(await one.take(SLOTS, 0), Ticket)
    last = await one.take(SLOTS, 0)
    assert isinstance(await other.take(SLOTS, 0), Refusal)
    one.give(last, 0, sent=True)
    await until(lambda: one._flight is None)
    assert isinstance(await other.take(SLOTS, 0), Ticket)
    assert isinstance(await other.take(SLOTS, 0), Refusal)
    await one.stop()
    assert isinstance(await other.take(SLOTS, 0), Ticket)


async def test_what_waits_goes_in_one_script(stores, redis_url, redis_server):
    store = await stores(redis_url, QUICK._replace(beat_s=1000))
    redis_server.ask("CONFIG", "RESETSTAT")
    tickets = await asyncio.gather(*(store.take((Scope("a", 0, 0, 999),), 0) for _ in range(200)))
    for ticket in tickets:
        store.give(ticket, 0, sent=True)
    await until(lambda: store._flight is None)
    stats = redis_server.ask("INFO", "commandstats")
    (calls,) = re.findall(r"cmdstat_evalsha:calls=(\d+)", stats)
    assert int(calls) <= 3


async def test_a_killed_process_frees_its_slots_and_a_living_one_keeps_them(stores, redis_url):
    pace = {"answer_s": 5, "beat_s": 0.05, "retry_s": 0.02, "alive_ms": 1_500}
    store = await stores(redis_url)
    rival = Rival(redis_url, SLOTS[0], 2, keep=True, **pace)
    try:
        assert await asyncio.to_thread(rival.granted) == 2
        await asyncio.sleep(2)
        assert isinstance(await store.take(SLOTS, 0), Refusal)
    finally:
        rival.kill()
    async with asyncio.timeout(PATIENCE_S):
        while isinstance(await store.take(SLOTS, 0), Refusal):
            await asyncio.sleep(0.02)


async def test_the_server_forgets_everything_and_is_told_again(stores, redis_url, redis_server):
    one, other = await stores(redis_url), await stores(redis_url)
    for _ in range(2):
        assert isinstance(await one.take(SLOTS, 0), Ticket)
    redis_server.ask("FLUSHALL")
    redis_server.ask("SCRIPT", "FLUSH")
    async with asyncio.timeout(PATIENCE_S):
        while "slots" not in redis_server.ask("KEYS", "*"):
            await asyncio.sleep(0.01)
    assert one.shared
    assert isinstance(await other.take(SLOTS, 0), Refusal)


async def test_a_restarted_server_learns_of_all_slots(stores, server):
    one, other = await stores(server.url), await stores(server.url)
    kept = await one.take(SLOTS, 0)
    gone = await one.take(SLOTS, 0)
    server.stop()
    refusal = await one.take(SLOTS, 0)
    assert isinstance(refusal, Refusal) and refusal.limit is Limit.CONCURRENCY
    assert not one.shared
    # Its slot is freed while nobody can be told.
    one.give(gone, 0, sent=True)
    meanwhile = await one.take(SLOTS, 0)
    assert isinstance(meanwhile, Ticket) and not meanwhile.shared
    server.start()
    await until(lambda: one.shared and one._flight is None)
    await other.take((Scope("wake", 1, 0, 0),), 0)
    await until(lambda: other.shared)
    assert isinstance(await other.take(SLOTS, 0), Refusal)
    one.give(meanwhile, 0, sent=True)
    one.give(kept, 0, sent=True)
    await until(lambda: one._flight is None)
    assert isinstance(await other.take(SLOTS, 0), Ticket)
    assert one._own.slots == {}


async def test_without_a_server_memory_answers_with_the_full_limits(stores, server, said):
    server.stop()
    store = await stores(server.url)
    assert not store.shared
    assert [isinstance(await store.take(CALLS, 0), Ticket) for _ in range(3)] == [True, True, False]
    await asyncio.sleep(0.2)
    assert len(said) == 1
    server.start()
    await until(lambda: store.shared)
    assert isinstance(await store.take(CALLS, 0), Ticket)
    assert len(said) == 2


async def test_a_server_that_does_not_answer_is_as_good_as_away(stores, server, said):
    store = await stores(server.url, QUICK._replace(answer_s=1))
    counted = await store.take((Scope("key:9", 9, 90, 9),), 10)
    server.freeze()
    answers = await asyncio.gather(*(store.take(CALLS, 0) for _ in range(10)))
    assert sum(isinstance(answer, Ticket) for answer in answers) == 2
    assert not store.shared
    store.give(counted, 90, sent=True)
    server.thaw()
    await until(lambda: store.shared)
    assert store._own.slots == {}
    assert len(said) == 2


async def test_an_error_reply_is_trouble_too(stores, server):
    store = await stores(server.url)
    server.ask("CONFIG", "SET", "maxmemory", "1")
    assert isinstance(await store.take(CALLS, 0), Ticket)
    assert not store.shared
    server.ask("CONFIG", "SET", "maxmemory", "0")
    await until(lambda: store.shared)


async def test_a_caller_that_is_cancelled_leaves_no_slot_behind(stores, redis_url):
    store = await stores(redis_url)
    for turns in range(12):
        task = asyncio.create_task(store.take(SLOTS, 0))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        answered = await asyncio.gather(task, return_exceptions=True)
        if isinstance(answered[0], Ticket):
            store.give(answered[0], 0, sent=True)
    # Answered and cancelled in the same turn of the loop.
    await until(lambda: store._flight is None)
    task = asyncio.create_task(store.take(SLOTS, 0))
    await asyncio.sleep(0)
    (waiting,) = store._takes
    while not waiting.future.done():
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    await until(lambda: store._flight is None)
    assert store._own.slots == {}
    other = await stores(redis_url)
    assert isinstance(await other.take(SLOTS, 0), Ticket)
    assert isinstance(await other.take(SLOTS, 0), Ticket)


async def test_every_form_of_url_finds_the_server(stores, server):
    for url in (
        server.url.replace("redis://", "valkey://"),
        f"unix://{server.folder}/socket",
        f"unix://{server.folder}/socket?db=1",
    ):
        assert (await stores(url)).shared


@pytest.mark.parametrize(
    "url", ["http://CANARY@h/0", "redis://CANARY@h:port/0", "redis://h/0?CANARY=1", "CANARY"]
)
def test_a_bad_url_is_refused_without_being_repeated(url):
    with pytest.raises(BadRedisUrl) as raised:
        RedisCounters(url)
    assert "CANARY" not in str(raised.value)


async def test_nothing_is_left_open(redis_url):
    store = RedisCounters(redis_url)
    await store.start()
    await store.take(CALLS, 0)
    await store.stop()
    # A forgotten connection would warn here, and a warning is an error.
    del store
    gc.collect()
