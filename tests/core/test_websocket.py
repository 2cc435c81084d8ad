"""One side of a WebSocket against the library's own client, over a real connection."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tollbridge.core.websocket import MESSAGE_MAX, Message, Socket, accept, frames_of_server

PATIENCE_S = 20


class Doorman(asyncio.Protocol):
    """Reads a handshake, as the edge does, and hands the connection over."""

    def __init__(self, sockets: asyncio.Queue[Socket]) -> None:
        self.sockets = sockets
        self.head = b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.head += data
        head, end, rest = self.head.partition(b"\r\n\r\n")
        if not end:
            return
        lines = [line.partition(b": ") for line in head.split(b"\r\n")[1:]]
        response = accept("/x", {name.lower(): value for name, _, value in lines}, ("realtime",))
        if response is None:
            self.transport.write(b"HTTP/1.1 400 Bad\r\ncontent-length: 0\r\n\r\n")
            self.transport.close()
            return
        self.transport.write(response.serialize())
        socket = Socket(frames_of_server())
        self.transport.set_protocol(socket)
        socket.connection_made(self.transport)
        if rest:
            socket.data_received(rest)
        self.sockets.put_nowait(socket)


@asynccontextmanager
async def paired(**options) -> AsyncIterator[tuple[Socket, ClientConnection]]:
    sockets: asyncio.Queue[Socket] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Doorman(sockets), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, asyncio.timeout(PATIENCE_S):
        client = await connect(f"ws://127.0.0.1:{port}/x", proxy=None, **options)
        socket = await sockets.get()
        try:
            yield socket, client
        finally:
            socket.abort()
            await socket.gone()
            with contextlib.suppress(ConnectionClosed):
                await client.close()


async def test_messages_of_every_kind_pass_whole():
    async with paired(max_size=None) as (socket, client):
        await client.send("héllo")
        await client.send(b"\x00\xff")
        await client.send(["frag", "", "ments"])
        await client.send("")
        large = "x" * (MESSAGE_MAX - 10)
        await client.send(large)
        got = [await socket.receive() for _ in range(5)]
        assert got == [
            Message("héllo".encode()),
            Message(b"\x00\xff", text=False),
            Message(b"fragments"),
            Message(b""),
            Message(large.encode()),
        ]
        await socket.send(Message(large.encode()))
        await socket.send(Message(b"\x00", text=False))
        assert [await client.recv(), await client.recv()] == [large, b"\x00"]


async def test_a_message_that_is_too_large_ends_it():
    async with paired() as (socket, client):
        with contextlib.suppress(ConnectionClosed):
            await client.send("x" * (MESSAGE_MAX + 1))
        assert await socket.receive() is None
        await client.wait_closed()
        assert client.close_code == 1009 and socket.over


async def test_the_peers_goodbye_is_known_and_answered():
    async with paired() as (socket, client):
        await client.send("last")
        await client.close(4321, "bye")
        assert await socket.receive() == Message(b"last")
        assert await socket.receive() is None
        assert socket.closed == (4321, "bye") and client.close_code == 4321
        await socket.gone()


async def test_a_peer_that_is_cut_said_no_goodbye():
    async with paired() as (socket, client):
        lost = asyncio.Event()
        socket.on_lost = lost.set
        client.transport.abort()
        assert await socket.receive() is None
        await lost.wait()
        assert socket.closed is None and socket.over
        await socket.send(Message(b"nobody hears this"))
        socket.ping()
        socket.close(1000)


async def test_our_goodbye_carries_a_last_word_and_a_short_reason():
    async with paired() as (socket, client):
        socket.close(1008, "é" * 200, b"last")
        assert await client.recv() == "last"
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert client.close_code == 1008 and 60 <= len(client.close_reason) <= 62
        await socket.gone()
        assert await socket.receive() is None


async def test_reading_pauses_while_nobody_takes_messages():
    async with paired(write_limit=1024) as (socket, client):
        sent = 0

        async def pour() -> None:
            nonlocal sent
            while sent < 2_000:
                await client.send(b"x" * 65_536)
                sent += 1

        pouring = asyncio.create_task(pour())
        while not socket._paused:
            await asyncio.sleep(0.001)
        now = asyncio.get_running_loop().time()
        assert len(socket._inbox) < 200 and socket.heard_at >= now
        for _ in range(2_000):
            assert await socket.receive() is not None
        await pouring
        assert not socket._paused


async def test_writing_waits_for_a_slow_peer_until_it_is_gone():
    async with paired(max_queue=1) as (socket, client):
        loop = asyncio.get_running_loop()

        async def pour() -> None:
            while not socket.over:
                await socket.send(Message(b"x" * 1_000_000, text=False))

        pouring = loop.create_task(pour())
        while not socket.slow:
            await asyncio.sleep(0.001)
        assert not pouring.done()
        client.transport.abort()
        await pouring


async def test_a_writer_that_never_waits_learns_that_its_peer_is_gone():
    async with paired() as (socket, client):
        # Nothing is read, so only a write can tell; and the writer leaves the loop no turn to do so.
        assert socket._transport is not None
        socket._transport.pause_reading()
        client.transport.abort()
        await client.wait_closed()
        for _ in range(1_000):
            if socket.over:
                break
            await socket.send(Message(b"x"))
        assert socket.over


async def test_a_shutdown_asks_the_owner_or_closes():
    async with paired() as (socket, client):
        asked = []
        socket.on_shutdown = lambda: asked.append(1)
        socket.shutdown()
        assert asked == [1] and not socket.over
        socket.on_shutdown = None
        socket.shutdown()
        await client.wait_closed()
        assert client.close_code == 1001


async def test_a_ping_brings_a_sign_of_life():
    async with paired() as (socket, client):
        before = socket.heard_at
        while socket.heard_at == before:
            socket.ping()
            await asyncio.sleep(0.002)
        assert client.state.name == "OPEN"


async def test_only_a_known_subprotocol_is_chosen():
    async with paired(subprotocols=["secret.sk-x", "realtime"]) as (_, client):
        assert client.subprotocol == "realtime"
    async with paired(subprotocols=["secret.sk-x"]) as (_, client):
        assert client.subprotocol is None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {b"upgrade": b"websocket"},
        {b"upgrade": b"h2c", b"connection": b"upgrade"},
        {b"upgrade": b"websocket", b"connection": b"upgrade", b"sec-websocket-version": b"13"},
    ],
)
async def test_what_is_no_handshake_is_not_accepted(headers):
    assert accept("/x", headers) is None


async def test_a_client_of_another_version_is_refused():
    with pytest.raises(InvalidHandshake):
        async with paired(additional_headers={"Upgrade": "x"}):
            pass
