"""Proof of shared bindings: one process binds, another finds; without the server there is no fault."""

import asyncio

import pytest

from tests.services.ports import free_port
from tests.services.redis import Server
from tollbridge.storage.bindings_redis import RedisBindings
from tollbridge.storage.counters_redis import BadRedisUrl

PATIENT_S = 20.0
MARK = bytes(range(32))


@pytest.fixture
async def stores():
    opened = []

    def make(url, **values):
        store = RedisBindings(url, **{"answer_s": PATIENT_S, **values})
        opened.append(store)
        return store

    yield make
    for store in opened:
        await store.stop()


async def test_what_one_process_binds_another_finds_and_releases(stores, redis_url):
    one, other = stores(redis_url), stores(redis_url)
    assert await other.account(MARK) is None
    await one.bind(MARK, 7)
    assert (await one.account(MARK), await other.account(MARK)) == (7, 7)
    await other.bind(MARK, 8)
    assert await one.account(MARK) == 8
    await one.release(MARK)
    assert await one.account(MARK) is None


async def test_a_use_keeps_it_for_longer(stores, redis_url, redis_server):
    store = stores(redis_url, keep_s=500)
    await store.bind(MARK, 7)
    name = f"tollbridge:bound:{MARK.hex()}"
    redis_server.ask("EXPIRE", name, "5")
    assert await store.account(MARK) == 7
    assert 490 <= int(redis_server.ask("TTL", name).strip(":\r\n")) <= 500


async def test_without_the_server_a_process_goes_by_its_own(stores):
    server = Server()
    server.start()
    try:
        one, other = stores(server.url), stores(server.url)
        await one.bind(MARK, 7)
        server.stop()
        assert await one.account(MARK) == 7
        assert await other.account(MARK) is None
        await other.bind(b"more", 9)
        assert await other.account(b"more") == 9
        await other.release(b"more")
        assert await other.account(b"more") is None
    finally:
        server.remove()


async def test_a_server_that_never_answers_is_not_waited_for(stores):
    async def silent(reader, writer):
        await reader.read()
        writer.close()
        await writer.wait_closed()

    listener = await asyncio.start_server(silent, "127.0.0.1", port := free_port())
    async with listener, asyncio.timeout(PATIENT_S):
        store = stores(f"redis://127.0.0.1:{port}/0", answer_s=0.05)
        await store.bind(MARK, 7)
        assert await store.account(MARK) == 7
        await store.stop()


async def test_what_is_no_account_there_is_unknown(stores, redis_url, redis_server):
    store = stores(redis_url)
    redis_server.ask("SET", f"tollbridge:bound:{MARK.hex()}", "junk")
    assert await store.account(MARK) is None


def test_a_url_that_cannot_be_used_is_refused():
    with pytest.raises(BadRedisUrl):
        RedisBindings("http://nowhere")
