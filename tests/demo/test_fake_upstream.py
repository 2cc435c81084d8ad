"""The pretend vendor over real sockets."""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from tests.services.plain import PLAIN
from tollbridge.demo.fake_upstream import FakeUpstream

CHAT = "/v1/chat/completions"
HEADERS = {"authorization": "Bearer secret-1"}


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    server = FakeUpstream()
    yield server
    await server.stop()


@pytest.fixture
async def client(upstream: FakeUpstream) -> AsyncIterator[httpx2.AsyncClient]:
    url = await upstream.start()
    async with httpx2.AsyncClient(
        base_url=url, headers=HEADERS, verify=PLAIN, trust_env=False
    ) as found:
        yield found


def ask(*, stream: bool = False, **fake: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": "hello"}]
    return {"model": "gpt-x", "messages": messages, "stream": stream, "fake": fake}


async def collect(reply: httpx2.Response, into: bytearray) -> None:
    async for piece in reply.aiter_raw():
        into += piece


async def until(upstream: FakeUpstream, state: str) -> None:
    async with asyncio.timeout(10):
        while not upstream.books.calls or upstream.books.calls[-1].state != state:
            await asyncio.sleep(0.005)


async def test_unary_and_its_metadata(upstream: FakeUpstream, client: httpx2.AsyncClient) -> None:
    reply = await client.post(CHAT, json=ask(tag="t1"))
    assert reply.status_code == 200
    assert reply.json()["choices"][0]["finish_reason"] == "stop"
    stats = (await client.get("/_fake/stats")).json()
    assert stats["tokens_out_total"] == reply.json()["usage"]["completion_tokens"]
    (call,) = (await client.get("/_fake/calls?last=1")).json()
    assert (call["tag"], call["authorization"], call["state"]) == ("t1", "Bearer secret-1", "done")
    assert upstream.books.count == 1


async def test_long_stream_arrives_whole(client: httpx2.AsyncClient) -> None:
    reply = await client.post(CHAT, json=ask(stream=True, tokens=2_000))
    assert reply.text.endswith("data: [DONE]\n\n")
    assert reply.text.count('"content":" ') + reply.text.count('"content":"H') == 2_000
    assert (await client.get("/_fake/stats")).json()["tokens_out_total"] == 2_000


async def test_legacy_completions(client: httpx2.AsyncClient) -> None:
    body = {"model": "gpt-x", "prompt": "hello", "max_tokens": 2}
    reply = await client.post("/v1/completions", json=body)
    assert reply.json()["choices"][0] == {
        "index": 0,
        "text": "Hello! I",
        "logprobs": None,
        "finish_reason": "length",
    }


async def test_two_events_are_two_writes_when_delayed(client: httpx2.AsyncClient) -> None:
    fake = ask(stream=True, text="a", event_delay_ms=20)
    async with client.stream("POST", CHAT, json=fake) as reply:
        pieces = [piece async for piece in reply.aiter_raw()]
    assert len(pieces) == 4


@pytest.mark.parametrize("fake", [{"cut_body": 10}, {"content_length_lie": 5}])
async def test_cut_unary(client: httpx2.AsyncClient, fake: dict[str, Any]) -> None:
    with pytest.raises(httpx2.TransportError):
        await client.post(CHAT, json=ask(**fake))


async def test_cut_stream_delivers_what_came_before(client: httpx2.AsyncClient) -> None:
    got = bytearray()
    async with client.stream("POST", CHAT, json=ask(stream=True, cut_after=3)) as reply:
        with pytest.raises(httpx2.TransportError):
            await collect(reply, got)
    assert got.count(b"data: ") == 3


async def test_leaving_aborts(upstream: FakeUpstream, client: httpx2.AsyncClient) -> None:
    fake = ask(stream=True, tokens=1_000, event_delay_ms=10)
    async with client.stream("POST", CHAT, json=fake) as reply:
        async for _ in reply.aiter_raw():
            assert upstream.books.open_streams == 1
            break
    await until(upstream, "aborted")
    assert (upstream.books.aborted, upstream.books.open_streams) == (1, 0)
    assert upstream.books.tokens_out < 1_000


async def test_slow_reader_holds_the_vendor_back(upstream: FakeUpstream) -> None:
    url = await upstream.start()
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", int(url.rpartition(":")[2]), limit=1_000
    )
    body = json.dumps(ask(stream=True, tokens=200, pad_bytes=200_000)).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nauthorization: Bearer x\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await reader.read(100)
    for _ in range(50):
        await asyncio.sleep(0)
    assert upstream.books.calls[0].state == "running"
    assert upstream.books.tokens_out < 200
    while b"0\r\n\r\n" not in await reader.read(1_000_000):
        pass
    await until(upstream, "done")
    assert upstream.books.tokens_out == 200
    writer.close()
    await writer.wait_closed()


async def test_a_pause_between_two_turns_is_survived(
    upstream: FakeUpstream, client: httpx2.AsyncClient
) -> None:
    task = asyncio.create_task(client.post(CHAT, json=ask(stream=True, tokens=20_000)))
    while not upstream.books.tokens_out:
        await asyncio.sleep(0)
    (connection,) = upstream.connections
    assert connection._waiting is None
    connection.pause_writing()
    for _ in range(5):
        await asyncio.sleep(0)
    paused_at = upstream.books.tokens_out
    await asyncio.sleep(0)
    assert upstream.books.tokens_out == paused_at < 20_000
    connection.resume_writing()
    async with asyncio.timeout(20):
        assert (await task).text.endswith("data: [DONE]\n\n")


async def test_hanging_call_ends_with_its_caller(
    upstream: FakeUpstream, client: httpx2.AsyncClient
) -> None:
    with pytest.raises(httpx2.TimeoutException):
        await client.post(CHAT, json=ask(hang=True), timeout=0.2)
    await until(upstream, "aborted")


@pytest.mark.parametrize(
    "script", [{"delay_ms": 30}, {"pause_after": 1, "pause_ms": 30}], ids=["before", "between"]
)
async def test_who_left_before_its_turn_is_answered_no_more(
    upstream: FakeUpstream, script: dict[str, int]
) -> None:
    url = await upstream.start()
    _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    body = json.dumps(ask(stream=True, tokens=5, **script)).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nauthorization: Bearer x\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    while not upstream.books.calls:
        await asyncio.sleep(0)
    writer.transport.abort()
    # The loop learns of the caller that left and of the reply that is due in one and the same turn.
    asyncio.get_running_loop().call_soon(time.sleep, 0.1)
    await until(upstream, "aborted")


async def test_accounts_recordings_and_echo(client: httpx2.AsyncClient) -> None:
    account = {"secret": "secret-1", "script": {"status": 503}, "times": 1}
    await client.post("/_fake/account", json=account)
    assert (await client.post(CHAT, json=ask())).status_code == 503
    assert (await client.post(CHAT, json=ask())).status_code == 200
    stored = {"id": "r", "headers": {"content-type": "text/plain"}, "chunks": ["YWI="]}
    await client.post("/_fake/replay", json=stored)
    assert (await client.post(CHAT, json=ask(replay="r"))).text == "ab"
    echoed = await client.post(CHAT, json=ask(status=400, echo=True))
    assert "hello" in echoed.json()["error"]["message"]
    moved = await client.post(CHAT, json=ask(redirect=True))
    assert (moved.status_code, moved.headers["location"]) == (307, "/moved")


async def test_chats_get_what_they_wish_unless_a_script_decides(client: httpx2.AsyncClient) -> None:
    tool = {"type": "function", "function": {"name": "toll", "parameters": {}}}
    wishes = {"tools": [tool], "tool_choice": "required"}
    message = (await client.post(CHAT, json={**ask(), **wishes})).json()["choices"][0]["message"]
    assert message["tool_calls"][0]["function"]["name"] == "toll"
    reply = await client.post(CHAT, json={**ask(text="No."), **wishes})
    assert reply.json()["choices"][0]["message"]["content"] == "No."
    reply = await client.post(CHAT, json=ask(stream=True, thought="Hm. Well.", text="Yes."))
    assert reply.text.count('"reasoning_content"') == 2
    stats = (await client.get("/_fake/stats")).json()
    assert stats["tokens_out_total"] == 1 + 1 + 3


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/nothing", {}, 404),
        (CHAT, {"messages": []}, 400),
        (CHAT, {"model": "m"}, 400),
        ("/v1/completions", {"model": "m", "messages": []}, 400),
        (CHAT, {"model": "m", "messages": [], "n": 0}, 400),
        (CHAT, ask(replay="none"), 400),
        (CHAT, ask(nonsense=1), 400),
    ],
)
async def test_wrong_calls(
    client: httpx2.AsyncClient, path: str, body: dict[str, object], status: int
) -> None:
    reply = await client.post(path, json=body)
    assert reply.status_code == status
    assert reply.json()["error"]["message"]


async def test_a_call_without_secret_is_refused(upstream: FakeUpstream) -> None:
    url = await upstream.start()
    async with httpx2.AsyncClient(trust_env=False) as stranger:
        assert (await stranger.post(f"{url}{CHAT}", json=ask())).status_code == 401


async def test_junk_is_cut(upstream: FakeUpstream) -> None:
    url = await upstream.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    writer.write(b"this is not HTTP\r\n\r\n")
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    assert upstream.books.count == 0
    writer.close()


async def test_as_a_process_of_its_own() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tollbridge.demo.fake_upstream", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().strip()
    async with httpx2.AsyncClient(
        base_url=url, headers=HEADERS, verify=PLAIN, trust_env=False
    ) as found:
        assert (await found.post(CHAT, json=ask())).status_code == 200
    process.terminate()
    assert await process.wait() == 0
