"""Owns the vendor of ten accounts: seven always answer, three fail half of their calls by lot.

A bad account has a host name of its own; its look-up draws the lot of the call that follows, because
some faults come before there is any connection. One of the three is reached by TLS. Nothing is
patched: what answers is a real server, what does not is an address where nobody listens.
"""

import asyncio
import contextlib
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import NamedTuple

from tests.faults.ten_clock import LeapLoop
from tests.faults.ten_fates import RECORDINGS, Fate
from tollbridge.demo.fake_books import Books
from tollbridge.demo.fake_upstream import FakeUpstream

GOOD = tuple(range(1, 8))
BAD = (8, 9, 10)
SECURED = 10
_HERE, _NOBODY, _NOISE = "127.0.0.1", "127.0.0.2", "127.0.0.3"
_PIPE_BYTES = 65_536
# No connection to a bad account is kept, so that each of its calls draws a lot.
_ONE_CALL = {"connection": "close"}


class Lot(NamedTuple):
    """What became of one attempt: when it began, at which account, and its fate if it was to fail."""

    at_s: float
    account: int
    fate: Fate | None


class _Scripts(Books):
    """Books whose scripts are drawn: a healthy call has none."""

    def __init__(self, vendor: "TenVendor") -> None:
        super().__init__(recordings=dict(RECORDINGS))
        self.vendor = vendor

    def defaults(self, secret: str) -> Mapping[str, object] | None:
        """Return how to answer this call of an account."""
        return self.vendor.script(int(secret.removeprefix("secret-")))


class TenVendor:
    """Ten accounts; `lots` is what was drawn, in order. `well` heals them all."""

    def __init__(self, loop: LeapLoop, matrix: Sequence[Fate], seed: int) -> None:
        self.lots: list[Lot] = []
        self.well = False
        self.urls: dict[int, str] = {}
        self._loop = loop
        self._matrix = matrix
        self._chance = Random(seed)
        self._drawn: dict[int, deque[Fate | None]] = {account: deque() for account in BAD}

    def script(self, account: int) -> Mapping[str, object] | None:
        """Return the script of a call that has arrived."""
        if account in GOOD:
            self.lots.append(Lot(self._loop.time(), account, None))
            return None
        fate = self._drawn[account].popleft()
        script = {} if fate is None else fate.script
        return {**script, "headers": {**script.get("headers", {}), **_ONE_CALL}}

    def place(self, account: int) -> str:
        """Draw the lot of a call and return the address that its connection goes to."""
        fails = not self.well and self._chance.random() < 0.5
        fate = self._chance.choice(self._matrix) if fails else None
        self.lots.append(Lot(self._loop.time(), account, fate))
        if fate is None or fate.place == "vendor":
            self._drawn[account].append(fate)
            return _HERE
        if fate.place == "nowhere":
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return _NOBODY if fate.place == "nobody" else _NOISE


class _Noise(asyncio.Protocol):
    """Answers with what is no HTTP and no TLS."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, _data: bytes) -> None:
        if isinstance(self._transport, asyncio.Transport) and not self._transport.is_closing():
            self._transport.write(b"\x00\x01 220 ready when you are\r\n\r\n")
            self._transport.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes; an end or a reset becomes a reset at the other side."""
    with contextlib.suppress(OSError):
        while data := await reader.read(_PIPE_BYTES):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()


class _TlsFront:
    """Speaks TLS before a port that does not."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.tasks: set[asyncio.Task[None]] = set()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        back_reader, back_writer = await asyncio.open_connection(_HERE, self._port)
        try:
            await asyncio.gather(_pump(reader, back_writer), _pump(back_reader, writer))
        finally:
            back_writer.transport.abort()
            writer.transport.abort()
            self.tasks.discard(task)


@asynccontextmanager
async def ten_accounts(
    matrix: Sequence[Fate], seed: int, tls: ssl.SSLContext
) -> AsyncIterator[TenVendor]:
    """Yield the vendor; `tls` proves to be `bad-10.test`. For a `LeapLoop` only."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, LeapLoop)
    vendor, upstream = TenVendor(loop, matrix, seed), FakeUpstream()
    upstream.books = _Scripts(vendor)
    plain = await upstream.start()
    port = int(plain.rpartition(":")[2])
    front = _TlsFront(port)
    secured = await asyncio.start_server(front.handle, _HERE, 0, ssl=tls)
    secured_port = secured.sockets[0].getsockname()[1]
    noises = [await loop.create_server(_Noise, _NOISE, each) for each in (port, secured_port)]
    vendor.urls = dict.fromkeys(GOOD, plain)
    for account in BAD:
        host = f"bad-{account}.test"
        loop.names[host] = lambda account=account: vendor.place(account)  # type: ignore[misc]
        secure = account == SECURED
        scheme = f"https://{host}:{secured_port}" if secure else f"http://{host}:{port}"
        vendor.urls[account] = scheme
    try:
        yield vendor
    finally:
        for server in (secured, *noises):
            server.close()
            await server.wait_closed()
        for task in list(front.tasks):
            task.cancel()
        await asyncio.gather(*front.tasks, return_exceptions=True)
        await upstream.stop()
