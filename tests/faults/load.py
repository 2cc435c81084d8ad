"""Owns the customers of the fault suites: calls that note all they saw, prices, a watch on wallets.

A customer never trusts the gateway: what a call must cost is worked out here from its script and
from what the pretend vendor wrote down.
"""

import asyncio
import contextlib
import itertools
import json
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from tests.services.gateway import Gateway, chat
from tollbridge.billing.verify import verify
from tollbridge.core.money import parse_usd
from tollbridge.demo.fake_books import Call
from tollbridge.demo.fake_upstream import FakeUpstream
from tollbridge.storage.engine import open_engine

PATH = "/v1/chat/completions"
DONE = b"data: [DONE]\n\n"
# Nano-dollars a token: the test catalogue sells a million for $2.50 in and $10.00 out.
NANO_IN, NANO_OUT = 2_500, 10_000
MAX_OUTPUT = 32_768
_numbers = itertools.count()


def price(prompt_tokens: int, output_tokens: int) -> int:
    """Return what so many tokens cost in the test catalogue, in nano-dollars."""
    return prompt_tokens * NANO_IN + output_tokens * NANO_OUT


@dataclass
class Ask:
    """One call to make: the body's fields and the vendor's script; `leaves` after first content."""

    text: str = "hello"
    fields: dict[str, Any] = field(default_factory=dict)
    script: dict[str, Any] = field(default_factory=dict)
    leaves: bool = False

    @property
    def copies(self) -> int:
        """How many choices it asks for."""
        return self.fields.get("n", 1)

    @property
    def limit(self) -> int | None:
        """The customer's own output limit for each choice."""
        given = (self.fields.get("max_tokens"), self.fields.get("max_completion_tokens"))
        return min((limit for limit in given if limit is not None), default=None)

    def full_price(self) -> int:
        """Return what the whole answer costs; the script has to say how many tokens it has."""
        script = self.script
        tokens = (script["tokens"] + script.get("reasoning", 0)) * self.copies
        return price(script["prompt_tokens"], tokens)

    def body(self, tag: str) -> bytes:
        """Return the request."""
        fake = {"text": "abc", **self.script, "tag": tag}
        return json.dumps(chat(self.text, **self.fields, fake=fake)).encode()


@dataclass
class Seen:
    """What a customer saw of one call; `whole` when the answer ended as HTTP says."""

    ask: Ask
    tag: str
    sent_bytes: int = 0
    status: int = 0
    headers: httpx2.Headers = field(default_factory=httpx2.Headers)
    data: bytes = b""
    whole: bool = False

    @property
    def tid(self) -> str:
        """The call's trace id, empty when no head came."""
        return self.headers.get("x-request-id", "")

    @property
    def streamed(self) -> bool:
        """Whether a stream was asked for."""
        return bool(self.ask.fields.get("stream"))

    @property
    def finished(self) -> bool:
        """Whether the customer has the whole answer, to its last frame."""
        if self.status != 200:
            return False
        return self.data.endswith(DONE) if self.streamed else self.whole

    @property
    def content(self) -> bool:
        """Whether the customer has anything of a streamed answer."""
        return self.streamed and b'"content":"' in self.data.replace(b'"content":""', b"")

    @property
    def written_limit(self) -> int | None:
        """The output limit that the gateway says it wrote into the request."""
        told = self.headers.get("x-tollbridge-max-output")
        return None if told is None else int(told)


def prepared(ask: Ask) -> Seen:
    """Return a call that was not made yet."""
    return Seen(ask, f"call-{next(_numbers)}")


async def call(client: httpx2.AsyncClient, ask: Ask) -> Seen:
    """Make a call and return what was seen of it, however it ended."""
    return await make(client, prepared(ask))


async def make(client: httpx2.AsyncClient, seen: Seen) -> Seen:
    """Make a prepared call and note in it what is seen, as it comes."""
    ask = seen.ask
    body = ask.body(seen.tag)
    seen.sent_bytes = len(body)
    headers = {"content-type": "application/json"}
    with contextlib.suppress(httpx2.TransportError):
        async with client.stream("POST", PATH, content=body, headers=headers) as reply:
            seen.status, seen.headers = reply.status_code, reply.headers
            async for piece in reply.aiter_raw():
                seen.data += piece
                if ask.leaves and seen.content:
                    return seen
            seen.whole = True
    return seen


async def crowd(client: httpx2.AsyncClient, asks: Sequence[Ask]) -> list[Seen]:
    """Make all calls at once."""
    return await asyncio.gather(*(call(client, ask) for ask in asks))


def many(gateway: Gateway, secret: str | None = None) -> httpx2.AsyncClient:
    """Return a client that puts no limit on calls at a time, of another key if named."""
    client = gateway.client(limits=httpx2.Limits(max_connections=None))
    if secret is not None:
        client.headers["authorization"] = f"Bearer {secret}"
    return client


async def charges(client: httpx2.AsyncClient, calls: Sequence[Seen]) -> dict[str, int]:
    """Return by trace id what the receipts of calls say was charged, in nano-dollars."""
    places = asyncio.Semaphore(16)

    async def ask(tid: str) -> int:
        async with places:
            reply = await client.get(f"/v1/receipts/{tid}")
        assert reply.status_code == 200, reply.text
        receipt = reply.json()
        assert receipt["tid"] == tid
        return parse_usd(receipt["charge"])

    tids = [seen.tid for seen in calls]
    assert len(set(tids)) == len(tids)
    return dict(zip(tids, await asyncio.gather(*map(ask, tids)), strict=True))


def received(fake: FakeUpstream) -> dict[str, Call]:
    """Return the vendor's calls by tag; each tag reached it at most once."""
    tagged = [call for call in fake.books.calls if call.tag]
    by_tag = {call.tag: call for call in tagged}
    assert len(by_tag) == len(tagged)
    return by_tag


async def assert_books_right(gateway: Gateway) -> None:
    """Fail unless every invariant holds, asked as `tollbridge ledger verify` asks."""
    engine = open_engine(f"sqlite:///{gateway.database}")
    try:
        assert [finding for finding in await verify(engine) if finding.fatal] == []
    finally:
        await engine.dispose()


class Watch:
    """Looks at every purse all the time, from a thread, and remembers what must never be."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.looks = 0
        self.most_held = 0
        self.wrong: list[tuple[int, ...]] = []

    def _run(self) -> None:
        with contextlib.closing(sqlite3.connect(self._database)) as connection:
            while not self._over.wait(0.003):
                for row in connection.execute("SELECT id, available, held FROM purse"):
                    _, available, held = row
                    self.most_held = max(self.most_held, held)
                    if not 0 <= held <= available:
                        self.wrong.append(row)
                self.looks += 1

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


async def until(condition: Any, what: str, seconds: float = 10) -> None:
    """Wait until `condition()` is true; fails the test after a while, saying what never came."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"never came: {what}"
        await asyncio.sleep(0.005)


@asynccontextmanager
async def serving(folder: Path, make: Any) -> AsyncIterator[tuple[Gateway, FakeUpstream]]:
    """Yield a gateway with the configuration that `make(vendor's URL)` returns, and its vendor."""
    fake = FakeUpstream()
    vendor = await fake.start()
    gateway = Gateway(folder)
    try:
        await asyncio.to_thread(gateway.apply, make(vendor))
        await asyncio.to_thread(gateway.start)
        yield gateway, fake
    finally:
        await asyncio.to_thread(gateway.stop)
        await fake.stop()
