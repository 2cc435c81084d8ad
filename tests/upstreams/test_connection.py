"""Replies that break the rules, and which connections may carry another call."""

import asyncio
import gzip
import os
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.upstreams.caller import Recorder, calling, target
from tests.upstreams.hostile import Peer, saying, serving
from tollbridge.upstreams.failures import Reason, UpstreamFailure

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
FULL = OK + b"content-length: 2\r\n\r\nok"
MANY = b"".join(b"x-%d: y\r\n" % number for number in range(201))
LONG = b"x-long: " + b"y" * 70_000 + b"\r\n"
BOMB = gzip.compress(b"\0" * 12_000_000)


async def outcome(*pieces: bytes, close: bool = True, idle: int = 0) -> bytes | UpstreamFailure:
    """Return the body of a whole reply, or how it failed; `idle` connections must be left over."""
    async with serving(saying(*pieces, close=close)) as server, calling() as client:
        try:
            result = (await client.ask(target(server.port))).body
        except UpstreamFailure as failure:
            result = failure
        await client.settled(open_connections=idle)
        assert sum(each.idle for each in client.stats().values()) == idle
        return result


@pytest.mark.parametrize(
    ("pieces", "body"),
    [
        ((FULL,), b"ok"),
        (tuple(FULL[at : at + 1] for at in range(len(FULL))), b"ok"),
        ((b"HTTP/1.1 100 Continue\r\n\r\n" + FULL,), b"ok"),
        ((b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n", FULL), b"ok"),
        ((b"HTTP/1.1 100 Continue\r\ncontent-length: 5\r\n\r\n", FULL), b"ok"),
        ((b"HTTP/1.1 204 No Content\r\n\r\n",), b""),
        ((b"HTTP/1.1 204 No Content\r\ncontent-encoding: br\r\n\r\n",), b""),
        ((CHUNKED + b"1\r\no\r\n", b"1;ext=1\r\nk\r\n0\r\n\r\n"), b"ok"),
        ((b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\nx",), b"x"),
        ((b"HTTP/1.1 500 Oh\r\ncontent-length: 2\r\n\r\nno",), b"no"),
    ],
)
async def test_good_replies_leave_their_connection_for_others(pieces, body):
    assert await outcome(*pieces, close=False, idle=1) == body


@pytest.mark.parametrize(
    ("pieces", "body"),
    [
        ((FULL + b"surplus",), b"ok"),
        ((FULL + FULL,), b"ok"),
        ((FULL, b"surplus"), b"ok"),
        ((CHUNKED + b"2\r\nok\r\n0\r\nx-trailer: 1\r\n\r\n",), b"ok"),
        ((b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 1\r\n\r\nx",), b"x"),
        ((b"HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx",), b"x"),
    ],
)
async def test_good_replies_on_connections_that_may_not_be_kept(pieces, body):
    assert await outcome(*pieces, close=False) == body


@pytest.mark.parametrize(
    "reply", [OK + b"\r\n", b"HTTP/1.0 200 OK\r\n\r\n", OK + b"connection: close\r\n\r\n"]
)
async def test_without_a_length_the_end_of_the_connection_is_the_end(reply):
    assert await outcome(reply, b"some", b" text") == b"some text"
    assert await outcome(reply) == b""


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ((), Reason.CLOSED_EARLY),
        ((OK,), Reason.CLOSED_EARLY),
        ((b"HTTP/1.1 100 Continue\r\n\r\n",), Reason.CLOSED_EARLY),
        ((OK + b"content-length: 9\r\n\r\nshort",), Reason.CLOSED_EARLY),
        ((CHUNKED + b"5\r\nab",), Reason.CLOSED_EARLY),
        ((CHUNKED + b"2\r\nab\r\n",), Reason.CLOSED_EARLY),
        ((CHUNKED + b"2\r\nab\r\n0\r\n",), Reason.CLOSED_EARLY),
        ((CHUNKED, b"zz\r\nab\r\n"), Reason.PROTOCOL_ERROR),
        ((CHUNKED, b"2\r\nabc\r\n"), Reason.PROTOCOL_ERROR),
        ((CHUNKED, b"-2\r\nab\r\n"), Reason.PROTOCOL_ERROR),
        ((CHUNKED, b"ffffffffffffffffff\r\nab\r\n"), Reason.PROTOCOL_ERROR),
        ((b"SSH-2.0-server\r\n",), Reason.PROTOCOL_ERROR),
        ((b"\0" * 100,), Reason.PROTOCOL_ERROR),
        ((OK + b"content-length: x\r\n\r\n",), Reason.PROTOCOL_ERROR),
        ((OK + b"content-length: 2\r\ncontent-length: 3\r\n\r\nokk",), Reason.PROTOCOL_ERROR),
        ((CHUNKED[:-2] + b"content-length: 2\r\n\r\nok",), Reason.PROTOCOL_ERROR),
        ((OK + b"transfer-encoding: gzip\r\n\r\nok",), Reason.PROTOCOL_ERROR),
        ((OK + b"transfer-encoding: gzip, chunked\r\n\r\n",), Reason.PROTOCOL_ERROR),
        ((CHUNKED[:-2] + b"transfer-encoding: chunked\r\n\r\n",), Reason.PROTOCOL_ERROR),
        ((OK + b"no colon\r\n\r\n",), Reason.PROTOCOL_ERROR),
        ((b"HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n",), Reason.PROTOCOL_ERROR),
        ((b"HTTP/1.1 100 Continue\r\n\r\n" * 9 + FULL,), Reason.PROTOCOL_ERROR),
        ((CHUNKED + b"0\r\n" + MANY + b"\r\n",), Reason.PROTOCOL_ERROR),
        ((CHUNKED + b"0\r\nx: ", *(b"y" * 30_000,) * 4), Reason.PROTOCOL_ERROR),
        ((CHUNKED + b"1;", *(b"y" * 30_000,) * 4), Reason.PROTOCOL_ERROR),
        ((OK + MANY + b"content-length: 0\r\n\r\n",), Reason.HEAD_TOO_LARGE),
        ((OK + LONG + b"content-length: 0\r\n\r\n",), Reason.HEAD_TOO_LARGE),
        ((OK + b"x: ", *(b"y" * 30_000,) * 4), Reason.HEAD_TOO_LARGE),
        ((b"HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n",), Reason.REDIRECTED),
        ((b"HTTP/1.1 304 Not Modified\r\n\r\n",), Reason.REDIRECTED),
        ((OK + b"content-encoding: br\r\ncontent-length: 2\r\n\r\nok",), Reason.BAD_ENCODING),
        ((OK + b"content-encoding: gzip, gzip\r\n\r\nok",), Reason.BAD_ENCODING),
        (
            (OK + b"content-encoding: gzip\r\ncontent-encoding: gzip\r\n\r\n",),
            Reason.BAD_ENCODING,
        ),
        ((OK + b"content-encoding: gzip\r\n\r\n", b"not gzip"), Reason.BAD_ENCODING),
        ((OK + b"content-encoding: gzip\r\n\r\n", gzip.compress(b"x")[:-1]), Reason.BAD_ENCODING),
        ((OK + b"content-encoding: gzip\r\n\r\n", BOMB), Reason.BAD_ENCODING),
        ((OK + b"content-length: 16777217\r\n\r\n",), Reason.REPLY_TOO_LARGE),
    ],
)
async def test_bad_replies_fail_by_their_reason(pieces, reason):
    result = await outcome(*pieces)
    assert isinstance(result, UpstreamFailure) and (result.reason, result.sent) == (reason, True)


async def test_a_reset_in_the_body_is_an_early_end_even_without_a_length():
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.write(OK + b"\r\npart")
        await asyncio.sleep(0.01)
        peer.reset()

    async with serving(script) as server, calling() as client:
        with pytest.raises(UpstreamFailure) as caught:
            await client.ask(target(server.port))
        assert caught.value.reason is Reason.CLOSED_EARLY and caught.value.head_seen


async def test_a_body_beyond_the_length_does_not_become_the_next_reply():
    pieces = (OK + b"content-length: 2\r\n\r\nok" + OK + b"content-length: 4\r\n\r\nevil",)
    async with serving(saying(*pieces, close=False)) as server, calling() as client:
        for _ in range(3):
            assert (await client.ask(target(server.port))).body == b"ok"
        assert len(server.peers) == 3


async def test_bytes_on_an_idle_connection_close_it():
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.reply(b"x")
        await asyncio.sleep(0.01)
        await peer.write(FULL)
        await peer.until_gone()

    async with serving(script) as server, calling() as client:
        await client.ask(target(server.port))
        await client.settled()
        assert (await client.ask(target(server.port))).body == b"x"


def spill(peer: Peer) -> None:
    """Put a whole reply into the client's socket before its loop can have a look."""
    evil = OK + b"content-length: 6\r\n\r\n999999"
    os.write(peer.writer.get_extra_info("socket").fileno(), evil)


async def test_bytes_that_the_loop_has_not_read_yet_keep_a_connection_from_being_used():
    async def script(peer: Peer) -> None:
        while True:
            _, body = await peer.request()
            await peer.reply(body)

    async with serving(script) as server, calling() as client:
        await client.ask(target(server.port), b"one")
        spill(server.peers[0])
        assert (await client.ask(target(server.port), b"two")).body == b"two"
        assert len(server.peers) == 2


async def test_a_reply_before_the_whole_request_was_taken_costs_the_connection():
    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
        await peer.ended.wait()

    async with serving(script) as server, calling() as client:
        reply = await client.ask(target(server.port), b"x" * 32_000_000)
        assert reply.status == 413
        await client.settled()


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate"])
async def test_compressed_streams_come_decoded_and_without_their_headers(encoding):
    window = 31 if encoding == b"gzip" else 15
    packer = zlib.compressobj(wbits=window)
    events = [b"data: %d\n\n" % number for number in range(3)]
    packed = [packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH) for event in events]
    packed[-1] += packer.flush()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.write(
            OK + b"content-encoding: " + encoding + b"\r\nx-id: 1\r\n"
            b"content-length: %d\r\n\r\n" % sum(map(len, packed))
        )
        for piece in packed:
            await peer.write(piece)
            await asyncio.sleep(0.005)
        await peer.until_gone()

    async with serving(script) as server, calling() as client:
        sink = Recorder()
        await client.stream(target(server.port), sink)
        await sink.over.wait()
        assert sink.headers == [(b"x-id", b"1")]
        assert sink.body == b"".join(events)
        await client.settled(open_connections=1)


MISDEEDS = {
    "keep": lambda full: ((full,), False),
    "split": lambda full: ((full[:9], full[9:30], full[30:]), False),
    "surplus": lambda full: ((full + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",), False),
    "late surplus": lambda full: ((full,), False),
    "interim": lambda full: ((b"HTTP/1.1 103 Hm\r\nx: y\r\n\r\n" + full,), False),
    "cut": lambda full: ((full[:-1],), True),
    "close": lambda full: ((full,), True),
    "silent": lambda full: ((), True),
    "garbage": lambda full: ((b"garbage\r\n\r\n",), False),
}


@settings(max_examples=25)
@given(
    plan=st.lists(st.sampled_from(sorted(MISDEEDS)), min_size=1, max_size=12),
    width=st.integers(1, 3),
)
async def test_every_reply_belongs_to_its_request(plan, width):
    """The request names its number and the server's misdeed; a reply repeats the number."""

    async def script(peer: Peer) -> None:
        while True:
            _, body = await peer.request()
            full = OK + b"content-length: %d\r\n\r\n" % len(body) + body
            deed = plan[int(body) % len(plan)]
            pieces, close = MISDEEDS[deed](full)
            if deed == "late surplus" and width == 1:
                spilling.append(peer)
            for piece in pieces:
                await peer.write(piece)
                await asyncio.sleep(0)
            if close:
                return

    spilling: list[Peer] = []
    async with serving(script) as server, calling() as client:
        where = target(server.port)

        async def caller(first: int) -> int:
            answered = 0
            for number in range(first, 2 * len(plan), width):
                body = b"%06d" % number
                try:
                    assert (await client.ask(where, body)).body == body
                    answered += 1
                except UpstreamFailure as failure:
                    reasons.add(failure.reason)
                while spilling:
                    spill(spilling.pop())
            return answered

        reasons: set[Reason] = set()
        answered = sum(await asyncio.gather(*(caller(first) for first in range(width))))
        assert reasons <= {Reason.CLOSED_EARLY, Reason.PROTOCOL_ERROR}
        harmless = sum(deed in ("keep", "split", "interim") for deed in plan)
        assert answered or harmless < len(plan)
