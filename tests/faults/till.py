"""Owns the judgement of a refusal: its grammar, and that it cost nobody anything.

A till is a real gateway with a pretend vendor. What is asked of it goes over raw sockets, so that
nothing between the test and the wire repairs a bad request.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.edge.lane import PATIENCE_S, Answer, Client
from tests.services.gateway import KEY, Gateway, chat, running
from tollbridge.demo.fake_upstream import FakeUpstream

CHAT = "/v1/chat/completions"
BEARER = f"authorization: Bearer {KEY}"
# Short waits, so that a client that is too slow is told so within the test's patience.
HURRY = {"TOLLBRIDGE_HEAD_TIMEOUT_S": "1", "TOLLBRIDGE_BODY_PROGRESS_S": "1"}
_MONEY = """
SELECT (SELECT sum(available) FROM purse WHERE kind = 'wallet') AS available,
       (SELECT sum(held) FROM purse) AS held,
       (SELECT count(*) FROM hold) AS holds,
       (SELECT count(*) FROM journal) AS lines,
       (SELECT coalesce(sum(charge), 0) FROM usage) AS charged
"""


def request(path: str, body: bytes, *lines: str, method: str = "POST") -> bytes:
    """Return a request with content-length and exactly these other header lines."""
    head = [f"{method} {path} HTTP/1.1", "host: gateway", *lines, f"content-length: {len(body)}"]
    return "\r\n".join((*head, "", "")).encode("latin-1") + body


def called(body: bytes | Mapping[str, Any], path: str = CHAT, *lines: str) -> bytes:
    """Return a call with the good key."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return request(path, raw, BEARER, *lines)


@dataclass(repr=False)
class Till:
    """A serving gateway, its vendor, and the connections that a test opened."""

    gateway: Gateway
    fake: FakeUpstream
    clients: list[Client] = field(default_factory=list)

    async def connect(self) -> Client:
        """Open a connection."""
        client = Client(*await asyncio.open_connection("127.0.0.1", self.gateway.port))
        self.clients.append(client)
        return client

    async def ask(self, raw: bytes, *, head: bool = False) -> Answer:
        """Send bytes on a connection of their own and read the answer; bounded in time."""
        client = await self.connect()
        client.send(raw)
        try:
            return await client.answer(head=head)
        finally:
            client.cut()

    def books(self) -> tuple[dict[str, Any], int]:
        """Return every figure that a call of worth would move, and the vendor's count of calls."""
        return self.gateway.rows(_MONEY)[0], self.fake.books.count

    @asynccontextmanager
    async def untouched(self) -> AsyncIterator[None]:
        """Fail unless what happens inside moves no money, reaches no vendor and kills nothing."""
        before = self.books()
        assert before[0]["holds"] == 0 and before[0]["held"] == 0
        yield
        assert self.books() == before
        await self.alive()

    async def alive(self) -> None:
        """Fail unless the same process serves and charges a good call."""
        assert self.gateway.process is not None and self.gateway.process.poll() is None
        money, calls = self.books()
        answer = await self.ask(called(chat(fake={"text": "good"})))
        assert answer.status == 200, answer.body
        after, calls_after = self.books()
        assert calls_after == calls + 1
        assert after["charged"] > money["charged"] and after["holds"] == 0

    def cut(self) -> None:
        """Drop every connection of the test."""
        for client in self.clients:
            client.cut()
        self.clients.clear()


@asynccontextmanager
async def open_till(folder: Path, **options: Any) -> AsyncIterator[Till]:
    """Run a gateway and its vendor until the end of the block."""
    async with running(folder, **options) as (gateway, fake):
        till = Till(gateway, fake)
        try:
            yield till
        finally:
            till.cut()


def refused(answer: Answer, status: int, surface: str = "chat") -> dict[str, Any]:
    """Check a refusal in a surface's own grammar; return its error object."""
    assert answer.status == status, (answer.status, answer.body[:300])
    assert answer.headers["content-type"] == "application/json"
    body = json.loads(answer.body)
    tid = answer.headers["x-request-id"]
    assert len(tid) == 32 and int(tid, 16)
    retry = answer.headers["x-should-retry"]
    assert retry in {"true", "false"}
    assert ("retry-after" in answer.headers) == (retry == "true")
    error: dict[str, Any] = body["error"]
    assert error["message"].strip() and len(error["message"]) <= 1000
    _check_grammar(surface, body, error, status, tid)
    for secret in (KEY, "vendor-secret", "Traceback", "sqlite", "127.0.0.1"):
        assert secret not in answer.body.decode(), secret
    return error


def _check_grammar(
    surface: str, body: dict[str, Any], error: dict[str, Any], status: int, tid: str
) -> None:
    if surface == "messages":
        assert body.keys() == {"type", "error", "request_id", "tid"} and body["type"] == "error"
        assert body["request_id"] == body["tid"] == tid
        assert error.keys() == {"type", "message"}
    elif surface == "gemini":
        assert body.keys() == {"error"}
        assert error["code"] == status and error["details"] == [{"tid": tid}]
        assert error["status"].isupper()
    else:
        assert body.keys() == {"error", "request_id"} and body["request_id"] == tid
        assert error.keys() == {"message", "type", "param", "code", "status", "tid"}
        assert (error["status"], error["tid"]) == (status, tid)


async def answered_while(client: Client, pieces: Iterable[bytes]) -> Answer:
    """Return the answer that comes while pieces are sent, until nobody listens to them any more."""

    async def pour() -> None:
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                client.send(piece)
                await client.writer.drain()

    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        group.create_task(pour())
        return await client.answer()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_till(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Till]:
    """Run one gateway for all modules that need nothing special, as starting one takes its time."""
    async with open_till(tmp_path_factory.mktemp("till"), environ=HURRY) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def till(shared_till: Till) -> AsyncIterator[Till]:
    """Hand the gateway over, and fail the test when it moved money or hurt the process."""
    async with shared_till.untouched():
        yield shared_till
    shared_till.cut()
