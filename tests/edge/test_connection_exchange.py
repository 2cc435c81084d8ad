"""Answers of the relay half as bytes, and what the relay hears of a client that leaves."""

import asyncio

import pytest

from tests.edge.lane import JSON, get, lane
from tollbridge.edge.limits import Limits
from tollbridge.relay.exchange import Exchange

SSE = b"content-type: text/event-stream\r\n"


class Ear:
    """A watcher that notes what it hears."""

    def __init__(self) -> None:
        """Begin with silence."""
        self.heard: list[str] = []
        self.gone = asyncio.Event()
        self.ready = asyncio.Event()

    def client_gone(self) -> None:
        """Note it."""
        self.heard.append("gone")
        self.gone.set()

    def client_slow(self) -> None:
        """Note it."""
        self.heard.append("slow")

    def client_ready(self) -> None:
        """Note it."""
        self.heard.append("ready")
        self.ready.set()


async def stream(exchange: Exchange) -> None:
    """Answer in pieces."""
    exchange.start(200, SSE, b"one ")
    exchange.write(b"two ")
    exchange.write(b"")
    await asyncio.sleep(0)
    exchange.finish(b"three")


async def test_a_stream_arrives_whole_and_the_connection_lives():
    async with lane(stream) as running:
        client = await running.connect()
        for _ in range(3):
            client.send(get("/v1/x"))
            answer = await client.answer()
            assert answer.body == b"one two three" and answer.whole
            assert answer.headers["transfer-encoding"] == "chunked"
            assert answer.headers["content-type"] == "text/event-stream"
        assert running.edge.load.open_streams == 0


async def test_a_stream_to_an_old_client_ends_with_the_connection():
    async with lane(stream) as running:
        answer = await running.ask(get("/v1/x", version="1.0"))
        assert answer.body == b"one two three"
        assert "transfer-encoding" not in answer.headers
        assert answer.headers["connection"] == "close"


async def test_head_and_first_bytes_leave_in_one_write():
    async def handle(exchange: Exchange) -> None:
        exchange.start(200, SSE, b"first")
        await asyncio.sleep(0.2)
        exchange.finish()

    async with lane(handle) as running:
        client = await running.connect()
        client.send(get("/v1/x"))
        assert (await client.reader.read(65_536)).endswith(b"\r\n\r\n5\r\nfirst\r\n")


@pytest.mark.parametrize("begin", ["reply", "start"])
async def test_head_and_bodiless_answers(begin: str):
    async def handle(exchange: Exchange) -> None:
        status = int(exchange.query or b"200")
        if begin == "reply":
            exchange.reply(status, JSON, b"{}" if status == 200 else b"")
        else:
            exchange.start(status, JSON, b"a" if status == 200 else b"")
            exchange.write(b"b" if status == 200 else b"")
            exchange.finish()

    async with lane(handle) as running:
        client = await running.connect()
        client.send(get("/v1/x").replace(b"GET", b"HEAD"))
        assert (await client.answer(head=True)).status == 200
        for status in (204, 304):
            client.send(get(f"/v1/x?{status}"))
            answer = await client.answer()
            assert answer.status == status
            assert "content-length" not in answer.headers
            assert "transfer-encoding" not in answer.headers
        client.send(get("/v1/x"))
        assert (await client.answer()).body in {b"{}", b"ab"}


async def test_a_status_without_a_name():
    async def handle(exchange: Exchange) -> None:
        exchange.reply(529, JSON, b"{}")

    async with lane(handle) as running:
        assert (await running.ask(get("/v1/x"))).status == 529


async def test_an_aborted_stream_is_visibly_incomplete():
    async def handle(exchange: Exchange) -> None:
        exchange.start(200, SSE, b"one")
        await asyncio.sleep(0.05)
        exchange.abort()
        exchange.abort()

    async with lane(handle) as running:
        answer = await running.ask(get("/v1/x"))
        assert not answer.whole
        assert running.edge.load.open_streams == 0


async def test_answering_twice_is_an_error_of_the_relay():
    raised: list[str] = []

    async def handle(exchange: Exchange) -> None:
        exchange.reply(200, JSON, b"{}")
        for again in (
            lambda: exchange.reply(200, JSON, b"{}"),
            lambda: exchange.start(200, JSON),
            lambda: exchange.write(b"x"),
            exchange.finish,
        ):
            with pytest.raises(RuntimeError):
                again()
            raised.append("once")

    async with lane(handle) as running:
        client = await running.connect()
        client.send(get("/v1/x"))
        assert (await client.answer()).body == b"{}"
        assert len(raised) == 4
        client.send(get("/v1/x"))
        assert (await client.answer()).body == b"{}"


@pytest.mark.parametrize("when", ["before", "during"])
async def test_a_client_that_leaves_is_heard_of_once(when: str):
    ear = Ear()
    ended = asyncio.Event()

    async def handle(exchange: Exchange) -> None:
        exchange.watcher = ear
        if when == "during":
            exchange.start(200, SSE, b"one")
        await ear.gone.wait()
        assert exchange.gone
        if when == "before":
            exchange.reply(200, JSON, b"{}")
        else:
            exchange.write(b"x")
            exchange.finish()
        ended.set()

    async with lane(handle) as running:
        client = await running.connect()
        client.send(get("/v1/x"))
        await running.until(lambda: running.edge.load.in_flight)
        client.cut()
        await asyncio.wait_for(ended.wait(), 20)
        await running.until(lambda: not running.edge.load.in_flight)
        assert ear.heard == ["gone"]
        assert running.edge.load.open_streams == 0


async def test_a_client_that_stops_reading_is_gone():
    ear = Ear()

    async def handle(exchange: Exchange) -> None:
        exchange.watcher = ear
        exchange.start(200, SSE)
        exchange.write(b"x" * 30_000_000)
        await ear.gone.wait()

    async with lane(handle, limits=Limits(client_stall_s=0.4)) as running:
        client = await running.connect(window=0)
        client.send(get("/v1/x"))
        await asyncio.wait_for(ear.gone.wait(), 20)
        assert ear.heard == ["slow", "gone"]
        await running.until(lambda: not running.connections)


async def test_a_finished_answer_that_nobody_reads_ends_too():
    async def handle(exchange: Exchange) -> None:
        exchange.reply(200, JSON, b"x" * 30_000_000)

    async with lane(handle, limits=Limits(client_stall_s=0.4)) as running:
        state = running.server.server_state
        for count, lines in enumerate(((), ("Connection: close",)), 1):
            client = await running.connect(window=0)
            client.send(get("/v1/x", *lines))
            await running.until(lambda count=count: state.total_requests == count)
            await running.until(lambda: not running.connections)


async def test_a_slow_client_that_goes_on_is_served_and_its_next_request_waits():
    ear = Ear()
    size = 20_000_000

    async def handle(exchange: Exchange) -> None:
        if exchange.path == "/v1/next":
            exchange.reply(200, JSON, b"{}")
            return
        exchange.watcher = ear
        exchange.start(200, SSE)
        exchange.write(b"x" * size)
        exchange.write(b"y")
        if exchange.path == "/v1/waits":
            await ear.ready.wait()
        exchange.finish()

    async with lane(handle) as running:
        for path in ("/v1/waits", "/v1/leaves"):
            client = await running.connect(window=0)
            client.send(get(path) + get("/v1/next"))
            await running.until(lambda: ear.heard)
            client.writer.transport.resume_reading()  # type: ignore[attr-defined]
            assert len((await client.answer()).body) == size + 1
            assert (await client.answer()).body == b"{}"
            assert ear.heard[0] == "slow" and "gone" not in ear.heard
            client.cut()
            ear.heard.clear()
