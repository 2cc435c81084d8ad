"""Owns the stage of the end-to-end suites: one gateway, a pretend vendor, and what each of them saw.

A scene is one test's part of it. It knows what was in the books before, so that it can say exactly
what the test's calls added: usage rows, journal lines, money taken, calls that reached the vendor.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from tests.faults.wire import Wire
from tests.services.gateway import Gateway, chat, frames
from tollbridge.billing.verify import verify
from tollbridge.core.money import parse_usd
from tollbridge.demo.fake_upstream import FakeUpstream
from tollbridge.storage.engine import open_engine

MAIN, PAIR, COMPATIBLE, CHEAP, POOR, LIMITED = (
    f"sk-{name}-{'f' * 32}" for name in ("main", "pair", "comp", "cheap", "poor", "limited")
)
_SECONDS = 15.0
_CATALOGUE = """
[site]
allow_private_upstreams = true

[[model]]
name = "gpt-test"
context = 200000
max_output = 32768
input = "2.50"
cache_read = "0.25"
output = "10.00"

{channels}
[[user]]
email = "rich@example.com"
credit = "1000.00"
{rich}
[[user]]
email = "poor@example.com"
credit = "0.01"
[[user.key]]
name = "poor"
secret = "{poor}"
channel = "main"

[[user]]
email = "limited@example.com"
credit = "1000.00"
[[user.key]]
name = "limited"
secret = "{limited}"
channel = "main"
limit = "0.02"
"""
# Each account's secret is its name to the vendor; of a pair, the first is always tried first.
_CHANNELS = {
    "main": ("1.0", (("vendor-main", 0, False),)),
    "pair": ("1.0", (("vendor-first", 0, False), ("vendor-second", 1, False))),
    "comp": ("1.0", (("vendor-comp", 0, True),)),
    "cheap": ("0.15", (("vendor-cheap", 0, False),)),
}


def catalogue(vendor: str) -> str:
    """Return the stage's configuration; `vendor` is where every account leads."""
    channels, rich = "", ""
    for name, (multiplier, accounts) in _CHANNELS.items():
        channels += (
            f'[[channel]]\nname = "{name}"\nplatform = "openai"\nmodels = ["gpt-test"]\n'
            f'multiplier = "{multiplier}"\n'
        )
        for secret, priority, compatible in accounts:
            channels += (
                f'[[channel.account]]\nname = "{secret}"\nbase_url = "{vendor}"\n'
                f'secret = "{secret}"\npriority = {priority}\n'
                f"compatible = {str(compatible).lower()}\n\n"
            )
        key = f"sk-{name}-{'f' * 32}"
        rich += f'[[user.key]]\nname = "{name}"\nsecret = "{key}"\nchannel = "{name}"\n\n'
    return _CATALOGUE.format(channels=channels, rich=rich, poor=POOR, limited=LIMITED)


def price(input: int = 0, output: int = 0, cache_read: int = 0) -> int:  # noqa: A002
    """Return what so many tokens cost at list price, in nano-dollars, worked out by hand."""
    return input * 2_500 + cache_read * 250 + output * 10_000


@dataclass
class Answer:
    """What a client received, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def tid(self) -> str:
        """The call's trace id."""
        return self.headers["x-request-id"]

    @property
    def events(self) -> list[bytes]:
        """The data of a stream's frames."""
        return list(frames(self.body))

    @property
    def done(self) -> bool:
        """Whether a stream ended properly."""
        return self.body.endswith(b"data: [DONE]\n\n") and self.body.count(b"[DONE]") == 1


class Stage:
    """The gateway and the vendor, up for all tests of a module."""

    def __init__(self, gateway: Gateway, fake: FakeUpstream, client: httpx2.AsyncClient) -> None:
        self.gateway = gateway
        self.fake = fake
        self.client = client

    async def post(self, body: Mapping[str, Any], key: str = MAIN, **headers: str) -> Answer:
        """Send a chat request and take the whole answer."""
        lines = {"authorization": f"Bearer {key}", **headers}
        reply = await self.client.post("/v1/chat/completions", json=body, headers=lines)
        return Answer(reply.status_code, reply.headers, reply.content)

    async def wire(self, body: dict[str, Any], key: str = MAIN, **options: Any) -> Wire:
        """Send a chat request on a socket of its own."""
        return await Wire.send(self.gateway.port, key, body, **options)

    async def get(self, path: str, key: str = MAIN) -> Answer:
        """Ask for something beside the calls."""
        reply = await self.client.get(path, headers={"authorization": f"Bearer {key}"})
        return Answer(reply.status_code, reply.headers, reply.content)

    async def findings(self) -> list[str]:
        """Return what `ledger verify` finds wrong with the books."""
        engine = open_engine(f"sqlite:///{self.gateway.database}")
        try:
            return [str(finding) for finding in await verify(engine)]
        finally:
            await engine.dispose()


@dataclass
class Scene:
    """One test's part: everything is counted from where it began."""

    stage: Stage
    known: set[str]
    purses: dict[int, int]
    first_call: int
    wires: list[Wire] = field(default_factory=list)

    @property
    def database(self) -> Path:
        """The file of the books."""
        return self.stage.gateway.database

    @property
    def fake(self) -> FakeUpstream:
        """The pretend vendor."""
        return self.stage.fake

    async def post(self, key: str = MAIN, **fields: Any) -> Answer:
        """Make a call and take the whole answer; `fields` join the request."""
        return await self.stage.post(chat(**fields), key)

    async def open(
        self, key: str = MAIN, *, receive_buffer: int | None = None, **fields: Any
    ) -> Wire:
        """Make a call on a raw socket, which is cut when the test ends."""
        wire = await self.stage.wire(chat(**fields), key, receive_buffer=receive_buffer)
        self.wires.append(wire)
        return wire

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Ask the database directly."""
        return self.stage.gateway.rows(query, *values)

    def booked(self) -> list[dict[str, Any]]:
        """Return the usage rows that were written since the scene began."""
        rows = self.rows("SELECT * FROM usage ORDER BY tid")
        return [row for row in rows if row["tid"] not in self.known]

    async def settled(self, calls: int = 1) -> list[dict[str, Any]]:
        """Wait until so many calls are in the books and none is open; return their usage rows."""
        await wait(lambda: len(self.booked()) >= calls and not self.rows("SELECT 1 FROM hold"))
        rows = self.booked()
        assert len(rows) == calls
        return rows

    async def seen(self, *calls: tuple[str, str]) -> None:
        """Wait until the vendor's books hold exactly these calls: (secret, how it ended)."""
        await wait(lambda: "running" not in {call.state for call in self._calls()})
        assert [(call.secret, call.state) for call in self._calls()] == list(calls)

    def _calls(self) -> list[Any]:
        return list(self.fake.books.calls)[self.first_call :]

    async def bill(
        self,
        *,
        end_state: str,
        charge: int,
        status: int = 200,
        error_kind: str | None = None,
        flags: Iterable[str] = (),
        key: str = MAIN,
        **counts: int,
    ) -> dict[str, Any]:
        """Check every trace of the scene's only call: row, journal, wallet, receipt, verdict."""
        [row] = await self.settled()
        expected = {
            "end_state": end_state,
            "status": status,
            "error_kind": error_kind,
            "charge": charge,
            "loss": 0,
            "model_asked": "gpt-test",
            **counts,
        }
        assert {name: row[name] for name in expected} == expected
        assert set(filter(None, row["flags"].split(","))) == set(flags)
        lines = self.rows(
            "SELECT debit, credit, amount, kind FROM journal WHERE ref = ?", row["tid"]
        )
        line = {"debit": f"wallet:{row['wallet_id']}", "credit": "revenue", "amount": charge}
        assert lines == ([{**line, "kind": "charge"}] if charge else [])
        [wallet] = self.rows("SELECT available, held FROM purse WHERE id = ?", row["wallet_id"])
        taken = self.purses[row["wallet_id"]] - wallet["available"]
        assert (taken, wallet["held"]) == (charge, 0)
        await self.check_receipt(row, key)
        assert await self.stage.findings() == []
        return row

    async def check_receipt(self, row: Mapping[str, Any], key: str) -> None:
        """Check that the receipt of a call says what its row does."""
        reply = await self.stage.get(f"/v1/receipts/{row['tid']}", key)
        assert reply.status == 200, reply.body
        receipt = httpx2.Response(200, content=reply.body).json()
        adjusted = sum(_nano(one["amount"]) for one in receipt["adjustments"])
        assert _nano(receipt["cost"]) + adjusted == _nano(receipt["charge"]) == row["charge"]
        assert receipt["end_state"] == row["end_state"] and receipt["error"] == row["error_kind"]
        assert receipt["status"] == row["status"]
        assert receipt["flags"] == list(filter(None, row["flags"].split(",")))
        for bucket in ("input", "output", "cache_read", "reasoning"):
            assert receipt["counts"].get(bucket, 0) == row[bucket]


def _nano(text: str) -> int:
    return -parse_usd(text[1:]) if text.startswith("-") else parse_usd(text)


async def wait(condition: Any, seconds: float = _SECONDS) -> None:
    """Wait until `condition()` holds; fails the test when it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def staged(
    folder: Path, environ: Mapping[str, str], make: Callable[[str], str] = catalogue
) -> AsyncIterator[Stage]:
    """Run a gateway with the catalogue of `make`; at the end `tollbridge ledger verify` must agree."""
    fake = FakeUpstream()
    gateway = Gateway(folder, environ)
    try:
        text = make(await fake.start())
        await asyncio.to_thread(gateway.apply, text)
        await asyncio.to_thread(gateway.start)
        async with httpx2.AsyncClient(base_url=gateway.url, trust_env=False, timeout=60) as client:
            yield Stage(gateway, fake, client)
        await asyncio.to_thread(gateway.stop)
        await asyncio.to_thread(gateway.verify)
    finally:
        await asyncio.to_thread(gateway.stop)
        await fake.stop()


Played = TypeVar("Played", bound=Scene)


@asynccontextmanager
async def playing(stage: Stage, part: type[Played] = Scene) -> AsyncIterator[Played]:  # type: ignore[assignment]
    """Play one scene: the vendor forgets its scripts, and the books must be right afterwards."""
    books = stage.fake.books
    books.accounts.clear()
    books.recordings.clear()
    known = {row["tid"] for row in stage.gateway.rows("SELECT tid FROM usage")}
    purses = stage.gateway.rows("SELECT id, available FROM purse")
    before = {row["id"]: row["available"] for row in purses}
    scene = part(stage, known, before, len(books.calls))
    try:
        yield scene
    finally:
        for wire in scene.wires:
            wire.leave()
    await wait(lambda: not stage.gateway.rows("SELECT 1 FROM hold"))
    assert await stage.findings() == []
