"""The proof of deploy/compose: its services serve calls, survive a death and end in order."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator

import httpx2
import pytest

from tests.services.gateway import KEY, chat, frames
from tollbridge.demo.fake_upstream import FakeUpstream


@pytest.fixture
async def fake(running) -> AsyncIterator[FakeUpstream]:
    vendor = FakeUpstream()
    await vendor.start(running.vendor_port)
    yield vendor
    await vendor.stop()


@pytest.fixture
async def client(running) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx2.AsyncClient(
        base_url=running.site, headers=headers, trust_env=False, timeout=60
    ) as client:
        try:
            await until(lambda: _serves(client))
        except AssertionError:
            pytest.fail(running.stack.log("caddy"))
        yield client


async def _serves(client) -> bool:
    """Caddy has no healthcheck: it is up when it answers for the gateways, which know the key."""
    with contextlib.suppress(httpx2.TransportError):
        return (await client.get("/v1/models")).status_code == 200
    return False


async def until(condition, seconds=30) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, "it never came about"
        await asyncio.sleep(0.05)


async def settled(running) -> None:
    """Wait until no hold is open any more."""

    async def free() -> bool:
        return not await asyncio.to_thread(running.rows, "SELECT 1 FROM hold")

    await until(free)


async def test_a_call_comes_back_with_its_cost(running, fake, client):
    reply = await client.post("/v1/chat/completions", json=chat())
    assert reply.status_code == 200, reply.text
    assert reply.headers["x-tollbridge-cost"] and reply.headers["x-request-id"]
    receipt = await client.get(f"/v1/receipts/{reply.headers['x-request-id']}")
    assert receipt.status_code == 200, receipt.text


async def test_the_first_event_comes_while_the_last_is_not_made_yet(running, fake, client):
    body = chat(stream=True, fake={"tokens": 20, "event_delay_ms": 150})
    async with client.stream("POST", "/v1/chat/completions", json=body) as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        pieces, seen = reply.aiter_raw(), b""
        while b'"content":"' not in seen:
            seen += await anext(pieces)
        assert fake.books.open_streams == 1
        assert fake.books.calls[-1].tokens_out < 20
        seen += b"".join([piece async for piece in pieces])
    assert list(frames(seen))[-1] == b"[DONE]"


async def test_a_client_that_leaves_ends_the_stream_at_the_vendor(running, fake, client):
    body = chat(stream=True, fake={"tokens": 400, "event_delay_ms": 50})
    async with client.stream("POST", "/v1/chat/completions", json=body) as reply:
        tid = reply.headers["x-request-id"]
        async for _piece in reply.aiter_raw():
            break
    await settled(running)
    [[flags]] = running.rows(f"SELECT flags FROM usage WHERE tid = '{tid}'")
    assert "client_disconnected" in flags
    assert fake.books.calls[-1].tokens_out < 400


async def test_a_client_that_leaves_before_the_first_byte_ends_the_call(running, fake, client):
    # Only where the proxy passes the departure on: there is nothing yet whose writing would fail.
    body = chat(stream=True, fake={"delay_ms": 60_000})
    call = asyncio.create_task(client.post("/v1/chat/completions", json=body))
    calls = len(fake.books.calls)

    async def received() -> bool:
        return len(fake.books.calls) > calls

    await until(received)
    call.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await call
    await settled(running)
    assert fake.books.open_streams == 0


async def test_the_gateway_sees_the_client_behind_caddy_and_no_forged_hop(running, fake, client):
    forged = {"x-forwarded-for": "203.0.113.9"}
    reply = await client.post("/v1/chat/completions", json=chat(), headers=forged)
    tid = reply.headers["x-request-id"]
    [[address]] = running.rows(f"SELECT client FROM usage WHERE tid = '{tid}'")
    assert "203.0.113.9" not in address


async def test_figures_are_for_those_inside(running, client):
    assert (await client.get("/metrics")).status_code == 404
    port = running.stack.ports["gateway-1", 8080]
    inside = httpx2.get(f"http://127.0.0.1:{port}/metrics", trust_env=False)
    assert "tollbridge_limits_shared 1.0" in inside.text


async def test_logs_are_json_lines(running):
    lines = running.stack.log("gateway-1").splitlines()
    assert any(isinstance(json.loads(line), dict) for line in lines if line.startswith("{"))


async def call(client) -> httpx2.Response:
    """Call as the vendors' SDKs do: what the proxy could not hand over is tried twice more.

    Caddy up to 2.11.1 does not hand a POST on after a refused connection, though it says so.
    """
    for _ in range(2):
        reply = await client.post("/v1/chat/completions", json=chat())
        if reply.status_code not in (502, 503):
            return reply
        # Caddy's own word, or that of a gateway that ends: neither has sent anything on.
        assert reply.json()["error"]["code"] in {"gateway_unreachable", "service_unavailable"}
        await asyncio.sleep(int(reply.headers["retry-after"]))
    return await client.post("/v1/chat/completions", json=chat())


async def test_a_dead_gateway_costs_only_the_calls_that_it_carried(running, fake, client):
    """Kill one while both are used, call on, and let it come back."""
    running.stack.kill("gateway-1")
    try:
        before = len(fake.books.calls)
        replies = await asyncio.gather(*(call(client) for _ in range(20)))
        refused = [reply for reply in replies if reply.status_code != 200]
        # On a busy machine Caddy's patience may end; then the caller is told to come again.
        assert len(refused) <= 2, running.stack.log("caddy")
        assert all(one.status_code == 503 and one.headers["retry-after"] for one in refused)
        # Nothing that was refused had been sent.
        assert len(fake.books.calls) - before == 20 - len(refused)
        # Caddy knows by now: the first try succeeds.
        replies = [await client.post("/v1/chat/completions", json=chat()) for _ in range(10)]
        assert [reply.status_code for reply in replies] == [200] * 10
    finally:
        running.stack.start("gateway-1")
        await asyncio.to_thread(running.stack.wait_healthy, "gateway-1")


async def test_gateways_are_renewed_one_after_the_other_while_calls_go_on(running, fake, client):
    """As in an upgrade without a new schema."""
    over = asyncio.Event()
    statuses: list[int] = []

    async def call_on() -> None:
        while not over.is_set():
            statuses.append((await call(client)).status_code)

    callers = [asyncio.create_task(call_on()) for _ in range(4)]
    try:
        for name in ("gateway-1", "gateway-2"):
            status = await asyncio.to_thread(running.stack.stop, name)
            assert status == 0, running.stack.log(name)
            running.stack.start(name)
            await asyncio.to_thread(running.stack.wait_healthy, name)
            # Caddy looks every two seconds.
            await asyncio.sleep(4)
    finally:
        over.set()
        await asyncio.gather(*callers)
    assert len(statuses) > 20 and set(statuses) == {200}


async def test_without_any_gateway_caddy_says_so_in_the_form_of_the_api(running, client):
    for name in ("gateway-1", "gateway-2"):
        running.stack.kill(name)
    reply = await client.post("/v1/chat/completions", json=chat())
    assert reply.status_code in (502, 503)
    assert reply.json()["error"]["code"] == "gateway_unreachable"
    assert reply.headers["retry-after"] == "2"
    for name in ("gateway-1", "gateway-2"):
        running.stack.start(name)
        await asyncio.to_thread(running.stack.wait_healthy, name)


async def test_the_books_are_right_and_the_worker_has_worked(running, fake, client):
    for _ in range(5):
        await client.post("/v1/chat/completions", json=chat())
    await settled(running)
    running.tollbridge("ledger", "verify", "--full")

    async def indexed() -> bool:
        return not await asyncio.to_thread(running.rows, "SELECT 1 FROM usage_feed")

    await until(indexed)
    [[calls, listed]] = running.rows(
        "SELECT (SELECT count(*) FROM usage), (SELECT count(*) FROM call_index)"
    )
    assert int(calls) == int(listed) >= 5
    [[paid]] = running.rows("SELECT sum(charge) FROM usage")
    [[left]] = running.rows("SELECT available FROM purse WHERE kind = 'wallet'")
    assert int(left) == 20 * 1_000_000_000 - int(paid)


async def test_all_end_in_order(running):
    """The last one: nothing runs after it."""
    names = [name for name in running.stack.services if name != "migrate"]
    for name in reversed(names):
        status = await asyncio.to_thread(running.stack.stop, name)
        assert status == 0, f"{name}: {status}\n{running.stack.log(name)}"
    assert "database system is shut down" in running.stack.log("postgres")
