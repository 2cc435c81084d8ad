"""Owns the stage of the fault matrix: one gateway that parks accounts, a channel for every case.

No case can spoil another's accounts: each has its own channel with one account that has the fault
(`alone`), and another with a healthy account besides (`pair`).
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import httpx2

from tests.faults.bazaar import asked
from tests.faults.matrix import FAULTS, Fault, Page
from tests.faults.places import Places, opened, trusted, way_of
from tests.faults.stage import Answer, Stage, wait
from tests.services.gateway import Gateway
from tollbridge.demo.fake_books import AccountScript
from tollbridge.demo.fake_reply import recording
from tollbridge.demo.fake_upstream import FakeUpstream

MODEL = "gpt-test"
PLATFORMS = {
    "chat": "openai", "responses": "openai", "embeddings": "openai", "messages": "anthropic",
    "gemini": "gemini",
}  # fmt: skip
_SETTINGS = {
    "TOLLBRIDGE_PARK_ACCOUNTS": "true",
    "TOLLBRIDGE_FIRST_BYTE_TIMEOUT_S": "1.2",
    "TOLLBRIDGE_IDLE_TIMEOUT_S": "1.2",
    "TOLLBRIDGE_FINISH_SILENCE_S": "0.8",
}
_HEAD = f"""
[site]
allow_private_upstreams = true
[[model]]
name = "{MODEL}"
context = 100000
max_output = 2000
input = "2.50"
cache_read = "0.25"
output = "10.00"
"""
_CHANNEL = '[[channel]]\nname = "{name}"\nplatform = "{platform}"\nmodels = ["{model}"]\n'
_ACCOUNT = (
    '[[channel.account]]\nname = "{name}"\nbase_url = "{url}"\nproxy = "{proxy}"\n'
    'secret = "{secret}"\npriority = {priority}\n'
)
_KEY = f"sk-{'matrix':-<40}"
_USER = f"""
[[user]]
email = "rich@example.com"
credit = "100000.00"
[[user.key]]
name = "key"
secret = "{_KEY}"
may_pin = true
"""


class Case(NamedTuple):
    """A fault, in a protocol, streamed or not, and whether there is a healthy account besides."""

    fault: Fault
    wire: str
    mode: str
    pair: bool

    @property
    def name(self) -> str:
        """The name of the case's channel, and what its bad account says to the vendor."""
        kind = "pair" if self.pair else "alone"
        return f"{self.fault.name}-{self.wire}-{self.mode}-{kind}"


def cases(wires: tuple[str, ...]) -> Iterator[Case]:
    """Yield every case of these protocols; embeddings are never streamed."""
    for fault in FAULTS:
        for wire in wires:
            for mode in fault.modes:
                if wire in fault.wires and (wire, mode) != ("embeddings", "stream"):
                    yield Case(fault, wire, mode, pair=False)
                    yield Case(fault, wire, mode, pair=True)


def _catalogue(vendor: str, places: Places, wires: tuple[str, ...]) -> str:
    parts = [_HEAD]
    for case in cases(wires):
        name, way = case.name, way_of(case.fault, places, vendor, case.name)
        parts.append(_CHANNEL.format(name=name, platform=PLATFORMS[case.wire], model=MODEL))
        bad = {"name": "bad", "url": way.base_url, "proxy": way.proxy, "secret": name}
        parts.append(_ACCOUNT.format(**bad, priority=0))
        if case.pair:
            well = {"name": "well", "url": vendor, "proxy": "", "secret": "well"}
            parts.append(_ACCOUNT.format(**well, priority=1))
    return "".join([*parts, _USER])


def _request(case: Case) -> tuple[str, dict[str, Any]]:
    if case.wire == "embeddings":
        return "/v1/embeddings", {"model": MODEL, "input": "hello"}
    more = {"max_tokens": 500} if case.wire == "messages" else {}
    return asked(case.wire, MODEL, stream=case.mode == "stream", **more)


class MatrixStage(Stage):
    """The gateway, the vendor, and calls of cases."""

    async def play(self, case: Case) -> Answer:
        """Make a case's call and take the whole answer."""
        path, body = _request(case)
        # Each call is a session of its own, or the second would stay where the first one ended.
        headers = {
            "authorization": f"Bearer {_KEY}",
            "x-tollbridge-channel": case.name,
            "x-session-id": str(uuid4()),
        }
        reply = await self.client.post(path, json=body, headers=headers)
        return Answer(reply.status_code, reply.headers, reply.content)

    async def row(self, tid: str) -> dict[str, Any]:
        """Wait for a call's usage row."""
        await wait(lambda: self.gateway.rows("SELECT 1 FROM usage WHERE tid = ?", tid))
        [row] = self.gateway.rows("SELECT * FROM usage WHERE tid = ?", tid)
        return row

    def script(self, case: Case) -> None:
        """Let the vendor do what the case says, if it is the vendor who does it."""
        self.fake.books.accounts[case.name] = AccountScript(case.fault.script(case.wire))

    def wallet(self) -> tuple[int, int]:
        """Return available and held of the only wallet, in nano-dollars."""
        return self.gateway.wallet()


@asynccontextmanager
async def matrix_stage(folder: Path, wires: tuple[str, ...]) -> AsyncIterator[MatrixStage]:
    """Run the gateway with a channel for each case; at the end the books must be right."""
    fake = FakeUpstream()
    vendor = await fake.start()
    for fault in FAULTS:
        if isinstance(fault.make, Page):
            page, headers = fault.make, {"content-type": fault.make.content_type}
            fake.books.recordings[fault.name] = recording(page.status, headers, [page.body])
    try:
        async with opened(folder, vendor) as places:
            gateway = Gateway(folder, {**_SETTINGS, "SSL_CERT_FILE": trusted(folder)})
            try:
                await asyncio.to_thread(gateway.apply, _catalogue(vendor, places, wires))
                await asyncio.to_thread(gateway.start)
                async with httpx2.AsyncClient(
                    base_url=gateway.url, trust_env=False, timeout=60
                ) as client:
                    yield MatrixStage(gateway, fake, client)
                await asyncio.to_thread(gateway.stop)
                await asyncio.to_thread(gateway.verify)
            finally:
                await asyncio.to_thread(gateway.stop)
    finally:
        await fake.stop()
