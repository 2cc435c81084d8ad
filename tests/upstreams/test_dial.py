"""Connecting: addresses that are refused, TLS that is verified, cancelling half-way."""

import asyncio
import socket

import pytest

from tests.upstreams.caller import PATIENT, calling, request, target
from tests.upstreams.certificates import Authority
from tests.upstreams.hostile import Peer, echoing, serving
from tollbridge.upstreams.dial import dial, trust
from tollbridge.upstreams.failures import Reason, UpstreamFailure
from tollbridge.upstreams.http1 import Stats
from tollbridge.upstreams.limits import Deadlines
from tollbridge.upstreams.target import Target
from tollbridge.upstreams.tunnel import Line


async def failing(client, where, connect_s: float = 10) -> UpstreamFailure:
    with pytest.raises(UpstreamFailure) as caught:
        await client.fetch(where, *request(), Deadlines(connect_s, 10, 10, 10), 1000)
    assert not caught.value.sent and not caught.value.head_seen
    return caught.value


@pytest.mark.parametrize(
    ("url", "proxy", "allow_private"),
    [
        ("http://169.254.169.254", None, True),
        ("http://[fe80::1]", None, True),
        ("http://[::ffff:169.254.169.254]", None, True),
        ("http://0.0.0.0", None, True),
        ("http://127.0.0.1:1", None, False),
        ("http://localhost:1", None, False),
        ("http://2130706433:1", None, False),
        ("http://10.0.0.1", None, False),
        ("http://169.254.169.254", "http://127.0.0.1:1", True),
        ("http://2852039166", "socks5://127.0.0.1:1", True),
        ("http://8.8.8.8", "http://127.0.0.1:1", False),
        ("http://127.0.0.1", "http://8.8.8.8:1", False),
    ],
)
async def test_refused_addresses(url, proxy, allow_private):
    async with calling() as client:
        failure = await failing(client, Target.parse(url, proxy, allow_private))
        assert failure.reason is Reason.REFUSED_ADDRESS


async def test_a_name_that_does_not_exist():
    async with calling() as client:
        where = target(80, host="nothing.invalid")
        assert (await failing(client, where)).reason is Reason.DNS_FAILED


async def test_nobody_listens_and_a_queue_that_is_full():
    async with serving(echoing) as server:
        port = server.port
    async with calling() as client:
        assert (await failing(client, target(port))).reason is Reason.CONNECT_FAILED
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen(0)
            address = deaf.getsockname()
            fillers = [socket.socket() for _ in range(4)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(address)
            failure = await failing(client, target(address[1]), 0.05)
            assert failure.reason is Reason.CONNECT_TIMEOUT
            for filler in fillers:
                filler.close()


async def test_a_name_with_several_addresses_is_tried_to_the_end():
    # "localhost" has ::1 first on most machines; the server listens on 127.0.0.1 alone.
    async with serving(echoing) as server, calling() as client:
        reply = await client.ask(target(server.port, host="localhost"), b"x")
        assert reply.body == b"x"


async def test_nagle_is_off():
    async with serving(echoing) as server:
        line = Line()
        await dial(target(server.port), line, trust(), 10)
        handle = line.transport.get_extra_info("socket")
        assert handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        line.abort()
        await server.peers[0].ended.wait()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_tls_connections_are_verified_and_kept(host, tmp_path):
    chosen = []

    async def script(peer: Peer) -> None:
        handle = peer.writer.get_extra_info("ssl_object")
        chosen.append(handle.selected_alpn_protocol())
        await echoing(peer)

    authority = Authority(tmp_path)
    async with (
        serving(script, authority.server(host)) as server,
        calling(tls=trust(authority.ca_file)) as client,
    ):
        where = target(server.port, "https", host=host)
        for body in (b"one", b"two" * 300_000, b"three"):
            assert (await client.ask(where, body)).body == body
        assert client.stats() == {where: Stats(1, 1)} and chosen == ["http/1.1"]


async def test_a_wrong_name_and_an_unknown_authority_are_refused(tmp_path):
    authority = Authority(tmp_path)
    async with serving(echoing, authority.server("other.test")) as server:
        where = target(server.port, "https", host="localhost")
        for tls in (trust(authority.ca_file), trust()):
            async with calling(tls=tls) as client:
                failure = await failing(client, where)
                assert failure.reason is Reason.TLS_FAILED
                assert "localhost" not in str(failure) and failure.__cause__ is None


@pytest.mark.parametrize("noise", [b"HTTP/1.1 400 Bad\r\n\r\n", b""])
async def test_a_server_that_speaks_no_tls(noise):
    async def script(peer: Peer) -> None:
        await peer.reader.read(10)
        await peer.write(noise)

    async with serving(script) as server, calling() as client:
        failure = await failing(client, target(server.port, "https"))
        assert failure.reason is Reason.TLS_FAILED


async def silent(peer: Peer) -> None:
    await peer.until_gone()


async def test_a_handshake_that_never_ends_runs_into_the_deadline():
    async with serving(silent) as server, calling() as client:
        failure = await failing(client, target(server.port, "https"), 0.05)
        assert failure.reason is Reason.CONNECT_TIMEOUT
        await server.peers[0].ended.wait()


async def test_cancelled_in_the_handshake_nothing_stays_open():
    async with serving(silent) as server, calling() as client:
        task = asyncio.create_task(client.ask(target(server.port, "https")))
        await server.peer()
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.peers[0].ended.wait()
        assert client.stats() == {}


@pytest.mark.parametrize("turns", range(6))
async def test_cancelled_at_any_step_of_connecting_nothing_stays_open(turns):
    async with serving(echoing) as server, calling() as client:
        task = asyncio.create_task(client.fetch(target(server.port), *request(b"x"), PATIENT, 1000))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        # Where the reply had come already, its connection is clean and rightly kept.
        while any(each.open != each.idle for each in client.stats().values()):
            await asyncio.sleep(0.001)
        await client.close()
        await asyncio.sleep(0.01)
        for peer in server.peers:
            await peer.ended.wait()
