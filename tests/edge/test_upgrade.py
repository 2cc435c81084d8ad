"""Where a connection may become a WebSocket: there, and nowhere else; whole, whatever came early."""

import asyncio

import pytest

from tests.edge.lane import get, lane, post
from tollbridge.core.errors import ApiError
from tollbridge.core.websocket import Socket, accept, frames_of_server
from tollbridge.edge.head import check_headers

PATH = "/v1/talk"
HANDSHAKE = (
    "Connection: keep-alive, Upgrade",
    "Upgrade: WebSocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
# A text frame "hi" of a client, masked with zeros.
HI = b"\x81\x82\0\0\0\0hi"


async def talk(exchange):
    """Send every message back; refuse who asks for no WebSocket."""
    response = accept(exchange.path, exchange.headers)
    if response is None:
        exchange.reply(400, b"", b"no handshake")
        return
    await asyncio.sleep(0)
    socket = Socket(frames_of_server())
    exchange.switch(response.serialize(), socket)
    while (message := await socket.receive()) is not None:
        await socket.send(message)


def talking():
    return lane(talk, upgrades=lambda method, path: (method, path) == ("GET", PATH))


async def test_a_connection_becomes_a_websocket_and_is_counted_as_one():
    async with talking() as running:
        client = await running.connect()
        client.send(get(PATH, *HANDSHAKE))
        answer = await client.answer(head=True)
        assert answer.status == 101
        assert answer.headers["Sec-WebSocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        client.send(HI)
        assert await client.reader.readexactly(4) == b"\x81\x02hi"
        assert running.edge.load.open_streams == 1
        assert [type(one) for one in running.connections] == [Socket]
        client.cut()
        await running.until(lambda: not running.connections)
        await running.until(lambda: running.edge.load.in_flight == 0)
        assert running.edge.load.open_streams == 0


async def test_frames_that_come_with_the_head_are_not_lost():
    async with talking() as running:
        client = await running.connect()
        client.send(get(PATH, *HANDSHAKE) + HI + HI[:3])
        assert (await client.answer(head=True)).status == 101
        client.send(HI[3:])
        assert await client.reader.readexactly(8) == b"\x81\x02hi" * 2


async def test_a_head_in_pieces_is_an_upgrade_too():
    async with talking() as running:
        client = await running.connect()
        whole = get(PATH, *HANDSHAKE)
        for at in range(0, len(whole), 7):
            client.send(whole[at : at + 7])
            await asyncio.sleep(0)
        assert (await client.answer(head=True)).status == 101


async def test_a_connection_that_served_requests_may_be_upgraded():
    async with talking() as running:
        client = await running.connect()
        client.send(get("/page"))
        assert (await client.answer()).status == 200
        client.send(get(PATH, *HANDSHAKE))
        assert (await client.answer(head=True)).status == 101


async def test_an_upgrade_that_is_refused_ends_the_connection():
    async with talking() as running:
        client = await running.connect()
        client.send(get(PATH, *HANDSHAKE[:3]) + get("/page"))
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        assert await client.closed()


async def test_without_an_upgrade_the_path_is_an_ordinary_one():
    async with talking() as running:
        client = await running.connect()
        for _ in range(2):
            client.send(get(PATH))
            assert (await client.answer()).body == b"no handshake"


_UPGRADE = "Connection: Upgrade\r\nUpgrade: {}"
REFUSED = {
    "another path": get("/v1/other", *HANDSHAKE),
    "the other half": get("/page", *HANDSHAKE),
    "a longer path": get(PATH + "/", *HANDSHAKE),
    "an encoded path": get("/v1/tal%6b", *HANDSHAKE),
    "another method": post(PATH, b"", *HANDSHAKE),
    "another protocol": get(PATH, _UPGRADE.format("h2c")),
    "two protocols": get(PATH, _UPGRADE.format("websocket, h2c")),
    "http/1.0": get(PATH, *HANDSHAKE, version="1.0"),
    "a length": get(PATH, *HANDSHAKE, "Content-Length: 0"),
    "a body": get(PATH, *HANDSHAKE, "Content-Length: 2") + b"xx",
    "chunks": get(PATH, *HANDSHAKE, "Transfer-Encoding: chunked") + b"0\r\n\r\n",
}


@pytest.mark.parametrize("name", REFUSED)
async def test_every_other_upgrade_is_refused(name):
    async with talking() as running:
        client = await running.connect()
        client.send(REFUSED[name])
        answer = await client.answer()
        assert answer.status == 400, name
        assert b"cannot be upgraded" in answer.body
        assert await client.closed()


async def test_the_end_of_the_process_ends_it():
    async with talking() as running:
        client = await running.connect()
        client.send(get(PATH, *HANDSHAKE))
        await client.answer(head=True)
        running.server.should_exit = True
        assert (await client.rest())[:4] == b"\x88\x02\x03\xe9"


def test_an_upgrade_needs_a_path_that_takes_it():
    headers = {b"host": b"a", b"upgrade": b"websocket"}
    check_headers(headers, "1.1", upgrades=True)
    with pytest.raises(ApiError):
        check_headers(headers, "1.1")
