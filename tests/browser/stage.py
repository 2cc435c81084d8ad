"""Owns a whole site for browsers to walk on: `tollbridge serve` beside a pretend vendor, mail in a folder.

Three platforms are sold, sign-up is open, everything listens on 127.0.0.1 and lies in one folder.
"""

import asyncio
import contextlib
import email
import os
import re
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from tests.services.gateway import Gateway
from tollbridge.core.secrets import Secrets, load_or_create
from tollbridge.demo.fake_upstream import FakeUpstream
from tollbridge.storage.engine import open_engine

T = TypeVar("T")
WAIT_S = 30.0

BARE = """
[site]
allow_private_upstreams = true
"""
CATALOGUE = """
[site]
name = "Example Gateway"
allow_private_upstreams = true
sign_up = "open"

[[model]]
name = "gpt-5.4"
context = 400000
max_output = 32768
input = "2.50"
cache_read = "0.25"
output = "10.00"

[[model]]
name = "claude-haiku-4-5"
context = 200000
max_output = 32768
input = "1.00"
cache_read = "0.10"
output = "5.00"

[[model]]
name = "gemini-2.5-flash"
context = 1000000
max_output = 32768
input = "0.30"
output = "2.50"
"""
CHANNEL = """
[[channel]]
name = "{name}"
platform = "{platform}"
models = {models}
multiplier = "{multiplier}"
[[channel.account]]
name = "{account}"
base_url = "{vendor}"
secret = "vendor-secret"
"""
SOLD = (
    ("openai-direct", "openai", '["gpt-5.4"]', "0.15"),
    ("anthropic-direct", "anthropic", '["claude-haiku-4-5"]', "0.8"),
    ("gemini-direct", "gemini", '["gemini-2.5-flash"]', "1.25"),
)


def apart(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end in another thread: this one has the browser's event loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(work())).result()


class Vendor:
    """The pretend vendor with a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._fake = FakeUpstream()

    def start(self) -> str:
        """Listen and return the address."""
        self._thread.start()
        return self._await(self._fake.start())

    def stop(self) -> None:
        """End it, thread and all."""
        self._await(self._fake.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT_S)


class Stage:
    """One site in a folder. Nothing runs before `serving`."""

    def __init__(self, folder: Path) -> None:
        self.mail = folder / "mail"
        environ = {"TOLLBRIDGE_MAIL_FOLDER": str(self.mail)}
        self.gateway = Gateway(folder, environ)
        self.vendor = ""

    @property
    def url(self) -> str:
        """Where people reach it."""
        return self.gateway.url

    @property
    def secrets(self) -> Secrets:
        """The site's own secrets."""
        return load_or_create(self.gateway.folder / "keys" / "tollbridge.keys", may_create=False)

    @contextmanager
    def serving(
        self, before: "Callable[[Stage], T] | None" = None, *, bare: bool = False
    ) -> Iterator[Any]:
        """Serve while this is open; yield what `before` makes of the database first, or the stage.

        A `bare` site sells nothing yet: it is as somebody installs it, for a vendor on this machine.
        """
        vendor = Vendor()
        self.vendor = vendor.start()
        try:
            self.gateway.apply(
                BARE if bare else CATALOGUE + "".join(self.channel(*one) for one in SOLD)
            )
            found = before(self) if before else self
            self.gateway.start()
            yield found
        finally:
            self.gateway.stop()
            vendor.stop()

    def channel(
        self, name: str, platform: str, models: str, multiplier: str, account: str = "one"
    ) -> str:
        """Return a channel of a configuration, with one account at the pretend vendor."""
        return CHANNEL.format(
            name=name,
            platform=platform,
            models=models,
            multiplier=multiplier,
            account=account,
            vendor=self.vendor,
        )

    def ask(self, work: Callable[[AsyncEngine], Awaitable[T]]) -> T:
        """Do something with the database, beside the server."""

        async def done() -> T:
            engine = open_engine(f"sqlite:///{self.gateway.database}")
            try:
                return await work(engine)
            finally:
                await engine.dispose()

        return apart(done)

    def letter(self, to: str, words: str = "") -> EmailMessage:
        """Return the newest letter to somebody, with these words in it; waits until it is there."""
        return waited(lambda: next(self._letters(to, words), None), f"no letter to {to}")

    def _letters(self, to: str, words: str) -> Iterator[EmailMessage]:
        with contextlib.suppress(FileNotFoundError):
            files = sorted(self.mail.glob("*.eml"), key=os.path.getmtime, reverse=True)
            for file in files:
                found = email.message_from_bytes(file.read_bytes(), policy=default)
                if found["to"] == to and words in _plain(found):
                    yield found


def link_in(letter: EmailMessage, path: str) -> str:
    """Return the link of a letter that leads to a path of the site."""
    found = re.search(rf"https?://\S+{re.escape(path)}\?\S+", _plain(letter))
    assert found, "the letter has no such link"
    return found[0]


def _plain(letter: EmailMessage) -> str:
    body = letter.get_body(("plain",))
    assert body is not None
    text: str = body.get_content()
    return text


def waited(look: Callable[[], T | None], fault: str) -> T:
    """Return what `look` finds at last; AssertionError when it finds nothing for half a minute."""
    deadline = time.monotonic() + WAIT_S
    while (found := look()) is None:
        assert time.monotonic() < deadline, fault
        time.sleep(0.05)
    return found
