"""The door of realtime: who is let in, and what each end of a session means."""

import asyncio
import time
from typing import Any, cast

import pytest

from tests.relay.calls import WALLET, account, channel, key, snapshot
from tests.relay.floor import Keys
from tests.relay.paper import no_budgets, paper_ledger
from tests.relay.visitor import SECRET, Visitor
from tests.services.realtime import FakeRealtime
from tollbridge.core.metrics import Metrics
from tollbridge.core.settings import Settings
from tollbridge.identity.keys import KeyStore
from tollbridge.relay.pool import Pool
from tollbridge.relay.realtime_door import RealtimeDoor, is_realtime
from tollbridge.relay.throttle import Throttle
from tollbridge.relay.world import World
from tollbridge.storage.counters_memory import MemoryCounters

HANDSHAKE = {
    b"connection": b"upgrade",
    b"upgrade": b"websocket",
    b"sec-websocket-version": b"13",
    b"sec-websocket-key": b"dGhlIHNhbXBsZSBub25jZQ==",
}


class Scene:
    """A door with one key, books on paper, and a vendor if there is one."""

    def __init__(self, url: str = "http://127.0.0.1:9", money: int = 10**12, **values: Any):
        world = World()
        one = account(base_url=url, **values.pop("account", {}))
        world.snapshot = snapshot(channel(**{"accounts": (one,), **values}))
        self.alarms: list[str] = []
        world.alarm = lambda kind, *_: self.alarms.append(kind.value)
        self.world = world
        self.ledger, self.writer = paper_ledger(**{f"w{WALLET}": money})
        metrics = Metrics()
        self.door = RealtimeDoor(
            world, self.ledger, cast("KeyStore", Keys(key())), Settings(), metrics, no_budgets(),
            Throttle(MemoryCounters(), metrics), Pool(time.monotonic, lambda *_: None),
        )  # fmt: skip

    async def knock(
        self, query: bytes = b"model=gpt-test", secret: str = SECRET, **headers: Any
    ) -> Visitor:
        visitor = Visitor(path="/v1/realtime", headers={**HANDSHAKE, **headers}, secret=secret)
        visitor.method, visitor.query = "GET", query
        await self.door.handle(visitor)
        self.ledger.stop()
        return visitor


@pytest.fixture
async def vendor():
    fake = FakeRealtime()
    fake.url = await fake.start()
    yield fake
    await fake.stop()


async def test_only_its_path_is_for_this_door():
    assert is_realtime("GET", "/v1/realtime")
    assert not is_realtime("POST", "/v1/realtime") and not is_realtime("GET", "/v1/realtime/")


@pytest.mark.parametrize(
    ("values", "code", "status"),
    [
        ({"account": {"platform": "anthropic"}}, "surface_not_allowed", 403),
        ({"accounts": ()}, "no_account", 503),
        ({"surfaces": frozenset()}, "surface_not_allowed", 403),
        ({"money": 5}, "insufficient_quota", 402),
        ({}, "service_unavailable", 502),
    ],
)
async def test_what_the_shop_cannot_serve_is_refused(values, code, status):
    scene = Scene(**values)
    visitor = await scene.knock()
    assert visitor.status == status
    if code == "no_account":
        assert scene.alarms == ["pool_empty"]
    else:
        assert visitor.error_code() == code
    assert scene.writer.purses[WALLET].held == 0


async def test_a_plain_request_is_told_what_this_is():
    scene = Scene()
    visitor = await scene.knock(upgrade=b"")
    scene.ledger.stop()
    visitor = Visitor(path="/v1/realtime")
    visitor.method = "GET"
    await scene.door.handle(visitor)
    assert (visitor.status, visitor.error_code()) == (400, "websocket_required")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (b"", "missing_model"),
        (b"model=", "missing_model"),
        (b"model=a&model=b", "missing_model"),
        (b"model=gpt-test&call_id=x", "unknown_parameter"),
        (b"&".join([b"model=a"] * 50), "missing_model"),
        (b"model=gpt-other", "model_not_found"),
        (b"model=gpt-test-high", "model_not_found"),
    ],
)
async def test_a_query_is_a_model_and_nothing_else(query, code):
    assert (await Scene().knock(query)).error_code() == code


async def test_a_process_that_ends_takes_nobody_in():
    scene = Scene()
    scene.world.draining = True
    assert (await scene.knock()).status == 503


async def test_a_client_that_left_while_we_dialled_costs_nothing(vendor):
    scene = Scene(vendor.url)
    visitor = Visitor(path="/v1/realtime", headers=HANDSHAKE)
    visitor.method, visitor.query, visitor.gone = "GET", b"model=gpt-test", True
    await scene.door.handle(visitor)
    scene.ledger.stop()
    [row] = scene.writer.rows
    assert (row["end_state"], row["charge"], row["status"]) == ("client_gone", 0, 499)
    assert visitor.events == [] and not scene.writer.holds


async def test_a_session_that_is_cancelled_is_settled(vendor):
    scene = Scene(vendor.url)
    visitor = Visitor(path="/v1/realtime", headers=HANDSHAKE)
    visitor.method, visitor.query = "GET", b"model=gpt-test"
    task = asyncio.create_task(scene.door.handle(visitor))
    await visitor.ended.wait()
    assert visitor.sent_headers.startswith(b"HTTP/1.1 101 ")
    assert b"x-request-id: " in visitor.sent_headers and scene.writer.holds
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    scene.ledger.stop()
    assert [row["end_state"] for row in scene.writer.rows] == ["partial"]
    assert not scene.writer.holds
