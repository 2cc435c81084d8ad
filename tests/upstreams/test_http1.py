"""Calls through the client: whole replies, streams, keeping, sending again, deadlines, leaving."""

import asyncio

import pytest

from tests.upstreams.caller import BRISK, PATIENT, Recorder, calling, request, target
from tests.upstreams.hostile import Peer, echoing, saying, serving
from tollbridge.upstreams.failures import Reason, UpstreamFailure
from tollbridge.upstreams.http1 import Stats
from tollbridge.upstreams.limits import Deadlines, Limits

OK = b"HTTP/1.1 200 OK\r\n"


async def failing(awaitable) -> UpstreamFailure:
    with pytest.raises(UpstreamFailure) as caught:
        await awaitable
    return caught.value


async def test_replies_come_whole_and_the_connection_is_kept():
    async with serving(echoing) as server, calling() as client:
        where = target(server.port)
        for body in (b"one", b"two" * 100_000, b""):
            reply = await client.ask(where, body)
            assert (reply.status, reply.body) == (200, body)
        assert len(server.peers) == 1
        assert client.stats() == {where: Stats(open=1, idle=1)}


async def test_a_large_request_body_arrives_complete():
    body = bytes(range(256)) * 4096 * 8
    async with serving(echoing) as server, calling() as client:
        assert (await client.ask(target(server.port), body)).body == body


async def test_concurrent_calls_take_connections_of_their_own_and_the_last_used_comes_first():
    async with serving(echoing) as server, calling() as client:
        where = target(server.port)
        bodies = [b"%d" % number for number in range(20)]
        replies = await asyncio.gather(*(client.ask(where, body) for body in bodies))
        assert [reply.body for reply in replies] == bodies
        assert client.stats()[where] == Stats(open=20, idle=20)
        await client.ask(where, b"again")
        assert len(server.peers) == 20


async def test_no_more_idle_connections_are_kept_than_allowed():
    async with serving(echoing) as server, calling(Limits(idle_per_target=2)) as client:
        where = target(server.port)
        await asyncio.gather(*(client.ask(where, b"x") for _ in range(6)))
        await client.settled(open_connections=2)


async def test_idle_connections_are_closed_by_the_sweep():
    async with serving(echoing) as server, calling(Limits(idle_keep_s=0.05)) as client:
        await client.ask(target(server.port), b"x")
        await client.settled()
        await server.peers[0].ended.wait()


async def test_a_stream_is_heard_piece_by_piece():
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.write(OK + b"Transfer-Encoding: chunked\r\nX-Empty:\r\nX-Id: Ab\r\n\r\n")
        for number in range(5):
            await peer.write(b"4\r\nev%d\n\r\n" % number)
            await asyncio.sleep(0.005)
        await peer.write(b"0\r\n\r\n")
        await peer.until_gone()

    async with serving(script) as server, calling() as client:
        sink = Recorder()
        await client.stream(target(server.port), sink)
        await sink.over.wait()
        assert sink.headers == [
            (b"transfer-encoding", b"chunked"), (b"x-empty", b""), (b"x-id", b"Ab")
        ]  # fmt: skip
        assert sink.body == b"ev0\nev1\nev2\nev3\nev4\n" and len(sink.chunks) > 1
        await client.settled(open_connections=1)


async def test_a_kept_connection_that_died_is_replaced_once():
    async def script(peer: Peer) -> None:
        if peer.index == 0:
            _, body = await peer.request()
            await peer.reply(body)
            await peer.request()
            return  # the second request is read and not answered
        await echoing(peer)

    async with serving(script) as server, calling() as client:
        where = target(server.port)
        await client.ask(where, b"first")
        assert (await client.ask(where, b"second")).body == b"second"
        assert len(server.peers) == 2


async def test_a_stream_is_sent_again_too_and_stays_paused():
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.reply(b"x" * 10)
        if peer.index == 0:
            await peer.request()
            peer.reset()
        await peer.until_gone()

    async with serving(script) as server, calling() as client:
        where, sink = target(server.port), Recorder()
        await client.ask(where)
        call = await client.stream(where, sink)
        while call.task is None:  # until the second attempt is on its way
            await asyncio.sleep(0)
        call.pause()
        await server.peer(1)
        await asyncio.sleep(0.02)
        assert sink.status == 0
        call.resume()
        await sink.over.wait()
        assert sink.body == b"x" * 10


async def test_nothing_is_sent_again_after_a_byte_of_the_reply():
    async def script(peer: Peer) -> None:
        _, body = await peer.request()
        await peer.reply(body)
        await peer.request()
        await peer.write(b"H")

    async with serving(script) as server, calling() as client:
        where = target(server.port)
        await client.ask(where)
        failure = await failing(client.ask(where))
        assert (failure.reason, failure.sent) == (Reason.CLOSED_EARLY, True)
        assert len(server.peers) == 1


async def test_nothing_is_sent_again_on_a_fresh_connection_or_after_thinking_for_long():
    async def script(peer: Peer) -> None:
        _, body = await peer.request()
        if body == b"fresh":
            return
        await peer.reply(body)
        await peer.request()
        await asyncio.sleep(0.05)

    limits = Limits(tick_s=0.01, resend_within_s=0.01)
    async with serving(script) as server, calling(limits) as client:
        where = target(server.port)
        assert (await failing(client.ask(where, b"fresh"))).reason is Reason.CLOSED_EARLY
        await client.ask(where)
        assert (await failing(client.ask(where))).reason is Reason.CLOSED_EARLY
        assert len(server.peers) == 2


async def test_the_second_attempt_is_the_last():
    async def script(peer: Peer) -> None:
        _, body = await peer.request()
        if peer.index == 0:
            await peer.reply(body)
            await peer.request()

    async with serving(script) as server, calling() as client:
        where = target(server.port)
        await client.ask(where)
        failure = await failing(client.ask(where))
        assert (failure.reason, failure.sent) == (Reason.CLOSED_EARLY, True)
        assert len(server.peers) == 2


async def test_a_second_attempt_that_finds_no_server_says_that_the_first_was_sent():
    async def script(peer: Peer) -> None:
        _, body = await peer.request()
        await peer.reply(body)
        await peer.request()
        listener.close()
        peer.reset()

    async with calling() as client, serving(script) as server:
        listener = await asyncio.start_server(server.handle, "127.0.0.1", 0)
        where = target(listener.sockets[0].getsockname()[1])
        await client.ask(where)
        failure = await failing(client.ask(where))
        assert (failure.reason, failure.sent) == (Reason.CONNECT_FAILED, True)


@pytest.mark.parametrize(
    ("pieces", "deadlines", "reason"),
    [
        ((), Deadlines(9, 0.05, 9, 9), Reason.FIRST_BYTE_TIMEOUT),
        ((b"HTTP/1.1 100 Continue\r\n\r\n", OK), Deadlines(9, 0.05, 9, 9), Reason.FIRST_BYTE_TIMEOUT),
        ((OK + b"content-length: 9\r\n\r\nabc",), Deadlines(9, 9, 0.05, 9), Reason.IDLE_TIMEOUT),
        ((OK + b"content-length: 9\r\n\r\nabc",), Deadlines(9, 9, 9, 0.05), Reason.TOTAL_TIMEOUT),
    ],
)  # fmt: skip
async def test_deadlines(pieces, deadlines, reason):
    async with serving(saying(*pieces, close=False)) as server, calling() as client:
        failure = await failing(client.ask(target(server.port), b"x", deadlines))
        assert (failure.reason, failure.sent) == (reason, True)
        assert failure.head_seen == (reason is not Reason.FIRST_BYTE_TIMEOUT)
        await client.settled()


async def test_a_slow_drip_is_not_idle_but_the_total_ends_it():
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.write(OK + b"\r\n")
        while True:
            await peer.write(b".")
            await asyncio.sleep(0.01)

    async with serving(script) as server, calling() as client:
        deadlines = Deadlines(9, 9, 0.5, 1.0)
        failure = await failing(client.ask(target(server.port), b"", deadlines))
        assert failure.reason is Reason.TOTAL_TIMEOUT


async def test_a_paused_call_is_never_idle_and_stops_a_fast_producer():
    written = 0

    async def script(peer: Peer) -> None:
        nonlocal written
        await peer.request()
        await peer.write(OK + b"\r\n")
        for _ in range(1000):
            await peer.write(b"x" * 65_536)
            written += 65_536

    async with serving(script) as server, calling() as client:
        sink = Recorder()
        call = await client.stream(target(server.port), sink, b"", Deadlines(9, 9, 0.1, 60))
        await sink.heard.wait()
        call.pause()
        await asyncio.sleep(0.4)
        # What was written sits in the kernel's buffers: a fraction of the 64 MB to come.
        assert len(sink.body) < written < 40_000_000 and not sink.over.is_set()
        call.resume()
        await sink.over.wait()
        assert sink.failure is None and len(sink.body) == written == 65_536_000


async def test_abort_closes_the_connection_and_silences_the_sink():
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.write(OK + b"\r\nx")
        await peer.until_gone()

    async with serving(script) as server, calling() as client:
        sink = Recorder()
        call = await client.stream(target(server.port), sink)
        await sink.heard.wait()
        call.abort()
        await server.peers[0].ended.wait()
        await client.settled()
        assert not sink.over.is_set()
        call.abort()
        call.pause()


async def test_a_sink_may_abort_from_within_and_hears_nothing_more():
    class Hasty(Recorder):
        def head(self, status, headers):
            super().head(status, headers)
            self.call.abort()

    reply = OK + b"content-length: 1\r\n\r\nx"
    async with serving(saying(reply, close=False)) as server, calling() as client:
        sink = Hasty()
        await client.stream(target(server.port), sink)
        await client.settled()
        assert sink.heard.is_set() and not sink.chunks and not sink.over.is_set()


async def test_a_finished_call_has_no_power_over_its_old_connection():
    async with serving(echoing) as server, calling() as client:
        where, sink = target(server.port), Recorder()
        call = await client.stream(where, sink, b"x")
        await sink.over.wait()
        call.abort()
        call.pause()
        assert client.stats() == {where: Stats(open=1, idle=1)}
        assert (await client.ask(where, b"y")).body == b"y"


@pytest.mark.parametrize("answer", [b"", OK + b"content-length: 5\r\n\r\nab"])
async def test_a_cancelled_fetch_closes_its_connection(answer):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.write(answer)
        await peer.until_gone()

    async with serving(script) as server, calling() as client:
        task = asyncio.create_task(client.ask(target(server.port)))
        await server.peer()
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await client.settled()
        await server.peers[0].ended.wait()


async def test_close_breaks_off_what_runs_and_refuses_what_comes():
    async def script(peer: Peer) -> None:
        await peer.until_gone()

    async with serving(script) as server, calling() as client:
        sink = Recorder()
        await client.stream(target(server.port), sink)
        await client.close()
        assert sink.failure is not None and sink.failure.reason is Reason.CLOSED_EARLY
        failure = await failing(client.ask(target(server.port)))
        assert (failure.reason, failure.sent) == (Reason.CONNECT_FAILED, False)


async def test_max_bytes_bounds_streams_and_whole_replies():
    script = saying(OK + b"transfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n", b"5\r\nabcde\r\n")
    async with serving(script) as server, calling(BRISK) as client:
        where, sink = target(server.port), Recorder()
        failure = await failing(client.ask(where, b"", PATIENT, 7))
        assert failure.reason is Reason.REPLY_TOO_LARGE
        await client.send(where, *request(), sink, PATIENT, max_bytes=7)
        await sink.over.wait()
        assert sink.failure.reason is Reason.REPLY_TOO_LARGE and len(sink.body) <= 7
