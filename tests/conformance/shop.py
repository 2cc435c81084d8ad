"""Owns a gateway and its pretend vendor that live as long as a test module.

The vendor runs in a thread of its own, so that clients which block can be tested like any other.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2

from tests.services.gateway import Gateway
from tests.services.plain import PLAIN
from tollbridge.demo.fake_books import Books
from tollbridge.demo.fake_upstream import FakeUpstream


class Vendor:
    """The pretend vendor in its thread; `books` is what it remembers."""

    def __init__(self) -> None:
        self.url = ""
        self.books: Books
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._over: asyncio.Event
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(30), "the pretend vendor did not come up"

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(30)

    async def _serve(self) -> None:
        fake = FakeUpstream()
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        self.url, self.books = await fake.start(), fake.books
        self._ready.set()
        await self._over.wait()
        await fake.stop()


class Shop:
    """A serving gateway and its vendor."""

    def __init__(self, gateway: Gateway, vendor: Vendor) -> None:
        self.gateway = gateway
        self.vendor = vendor
        self.http = httpx2.Client(base_url=gateway.url, verify=PLAIN, trust_env=False, timeout=60)

    @property
    def books(self) -> Books:
        return self.vendor.books

    def call(self, key: str, path: str, body: bytes) -> httpx2.Response:
        """Send one request and return the whole answer."""
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        return self.http.post(path, content=body, headers=headers)

    def receipt(self, key: str, tid: str) -> dict[str, Any]:
        """Return a call's receipt; a call that came to nothing may be entered after its answer."""
        deadline = time.monotonic() + 20
        while True:
            told = self.http.get(f"/v1/receipts/{tid}", headers={"authorization": f"Bearer {key}"})
            if told.status_code == 200:
                receipt: dict[str, Any] = told.json()
                return receipt
            assert time.monotonic() < deadline, told.text
            time.sleep(0.01)

    def usage_row(self, tid: str) -> dict[str, Any]:
        """Return how the books know a call."""
        (row,) = self.gateway.rows("SELECT * FROM usage WHERE tid = ?", tid)
        return row


@contextlib.contextmanager
def open_shop(
    folder: Path, catalogue: Callable[[str], str], environ: Mapping[str, str] | None = None
) -> Iterator[Shop]:
    """Yield a serving gateway whose catalogue is made for the vendor's address; at the end the
    books must be right.
    """
    vendor = Vendor()
    vendor.start()
    gateway = Gateway(folder, environ)
    try:
        gateway.apply(catalogue(vendor.url))
        gateway.start()
        shop = Shop(gateway, vendor)
        with shop.http:
            yield shop
        gateway.wait_settled()
        gateway.verify()
    finally:
        gateway.stop()
        vendor.stop()
