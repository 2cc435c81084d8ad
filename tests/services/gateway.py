"""Owns real gateways for tests: `tollbridge serve` as a child process beside a pretend vendor.

Everything lies in a throw-away folder, listens on free ports of 127.0.0.1, and ends with the test.
"""

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests.services import nursery
from tests.services.plain import PLAIN
from tests.services.ports import free_port
from tollbridge.demo.fake_upstream import FakeUpstream

KEY = "sk-test-0123456789-0123456789-0123456789"
CATALOGUE = """
[site]
allow_private_upstreams = true

[[model]]
name = "gpt-test"
context = 200000
max_output = 32768
input = "2.50"
cache_read = "0.25"
output = "10.00"

[[channel]]
name = "main"
platform = "openai"
models = ["gpt-test"]
multiplier = "1.0"

[[channel.account]]
name = "one"
base_url = "{vendor}"
secret = "vendor-secret"

[[user]]
email = "user@example.com"
credit = "{credit}"

[[user.key]]
name = "key"
secret = "{key}"
channel = "main"
"""


def catalogue(vendor: str, *, credit: str = "20.00") -> str:
    """Return a configuration with one model, channel, account, user and key."""
    return CATALOGUE.format(vendor=vendor, credit=credit, key=KEY)


class Gateway:
    """One gateway's folder and, while it runs, its process."""

    def __init__(self, folder: Path, environ: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.database = folder / "data" / "tollbridge.db"
        self.log = folder / "serve.log"
        self.port = free_port()
        self.process: nursery.Child | subprocess.Popen[bytes] | None = None
        # One pretend vendor is told to fail in every way: the next test is to find it in good standing.
        # Limits are to be seen at once (tests/relay/test_queue.py waits), and a test of nothing but
        # faults must not meet the budget for second tries (tests/relay/test_choice.py does).
        parked = {
            "TOLLBRIDGE_PARK_ACCOUNTS": "false",
            "TOLLBRIDGE_QUEUE_WAIT_S": "0",
            "TOLLBRIDGE_RETRY_FLOOR_PER_S": "1000",
        }
        self._environ = {**os.environ, **parked, **(environ or {})}

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a `tollbridge` command on this gateway's database to its end."""
        return nursery.run((*words, "--database", f"sqlite:///{self.database}"), self._environ)

    def apply(self, text: str, *flags: str) -> str:
        """Apply a configuration and return the report; fails the test when it is refused."""
        file = self.folder / "config.toml"
        file.write_text(text, encoding="utf-8")
        done = self.run("apply", str(file), *flags)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self) -> None:
        """Start to serve and wait until it is ready."""
        words = ("serve", "--port", str(self.port), "--database", f"sqlite:///{self.database}")
        self.process = nursery.start(words, self._environ, self.log)
        self._wait_ready()

    def _wait_ready(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + 30
        with httpx2.Client(base_url=self.url, verify=PLAIN, trust_env=False) as client:
            while time.monotonic() < deadline and self.process.poll() is None:
                with contextlib.suppress(httpx2.TransportError):
                    if client.get("/readyz").status_code == 200:
                        return
                time.sleep(0.02)
        raise AssertionError(f"the gateway did not come up:\n{self.log.read_text()[-2000:]}")

    def kill(self) -> None:
        """End the process as a power cut would: SIGKILL, no chance to do anything."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End the process politely and return its exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, with_signal: signal.Signals) -> int:
        if self.process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(with_signal)
        try:
            status = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait(10)
        self.process = None
        return status

    def verify(self) -> None:
        """Fail the test unless `tollbridge ledger verify` finds the books right."""
        done = self.run("ledger", "verify")
        assert done.returncode == 0, done.stdout + done.stderr

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Ask the database directly, as an operator with a shell would."""
        with contextlib.closing(sqlite3.connect(self.database)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, values)]

    def wallet(self) -> tuple[int, int]:
        """Return (available, held) of the only wallet, in nano-dollars."""
        row = self.rows("SELECT available, held FROM purse WHERE kind = 'wallet'")[0]
        return row["available"], row["held"]

    def wait_settled(self, seconds: float = 10) -> None:
        """Wait until no hold is open any more."""
        deadline = time.monotonic() + seconds
        while self.rows("SELECT 1 FROM hold"):
            assert time.monotonic() < deadline, "holds are still open"
            time.sleep(0.02)

    def client(self, **options: Any) -> httpx2.AsyncClient:
        """Return an HTTP client that calls with the test's key."""
        headers = {"authorization": f"Bearer {KEY}"}
        usual: dict[str, Any] = {"verify": PLAIN, "trust_env": False, "timeout": 60}
        return httpx2.AsyncClient(base_url=self.url, headers=headers, **usual | options)


@asynccontextmanager
async def running(
    folder: Path, *, credit: str = "20.00", environ: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[Gateway, FakeUpstream]]:
    """Yield a serving gateway with the test's catalogue, and the pretend vendor it calls."""
    fake = FakeUpstream()
    vendor = await fake.start()
    gateway = Gateway(folder, environ)
    try:
        await asyncio.to_thread(gateway.apply, catalogue(vendor, credit=credit))
        await asyncio.to_thread(gateway.start)
        yield gateway, fake
    finally:
        await asyncio.to_thread(gateway.stop)
        await fake.stop()


def chat(text: str = "hello", **fields: Any) -> dict[str, Any]:
    """Return the body of a chat request."""
    return {"model": "gpt-test", "messages": [{"role": "user", "content": text}], **fields}


def frames(body: bytes) -> Iterator[bytes]:
    """Yield the data of each SSE frame of a body."""
    for frame in body.split(b"\n\n"):
        if frame.startswith(b"data: "):
            yield frame[6:]
