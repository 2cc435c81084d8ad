"""A pretend vendor in a thread of its own, for clients that block."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from tollbridge.demo.fake_books import Books
from tollbridge.demo.fake_upstream import FakeUpstream


@dataclass(frozen=True)
class Vendor:
    """Where it listens, and what it remembers."""

    url: str
    books: Books


@contextlib.contextmanager
def serving() -> Iterator[Vendor]:
    """Serve on a free port until the end of the block."""
    upstream, loop = FakeUpstream(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        url = asyncio.run_coroutine_threadsafe(upstream.start(), loop).result(10)
        yield Vendor(url, upstream.books)
    finally:
        asyncio.run_coroutine_threadsafe(upstream.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
