"""Tunnels through real little proxies, good ones and bad ones."""

import asyncio

import pytest

from tests.upstreams.caller import calling, target
from tests.upstreams.certificates import Authority
from tests.upstreams.hostile import Peer, echoing, serving
from tests.upstreams.proxies import connect_proxy, socks_proxy
from tollbridge.upstreams.dial import trust
from tollbridge.upstreams.failures import Reason, UpstreamFailure
from tollbridge.upstreams.limits import Deadlines

KINDS = {"http": connect_proxy, "socks5": socks_proxy}


@pytest.mark.parametrize("scheme", KINDS)
@pytest.mark.parametrize("user", ["", "me"])
@pytest.mark.parametrize("secured", [False, True])
async def test_calls_go_through_and_the_tunnel_is_kept(scheme, user, secured, tmp_path):
    authority, asked = Authority(tmp_path), []
    name = "api.example.test"
    tls = authority.server(name) if secured else None
    proxy = KINDS[scheme](asked, user, "a:b@c")
    login = "me:a%3Ab%40c@" if user else ""
    async with (
        serving(echoing, tls) as server,
        serving(proxy) as middle,
        calling(tls=trust(authority.ca_file)) as client,
    ):
        way = f"{scheme}://{login}127.0.0.1:{middle.port}"
        where = target(server.port, "https" if secured else "http", way, name)
        for body in (b"one", b"two"):
            assert (await client.ask(where, body)).body == body
        # The name was left to the proxy: nothing here could have resolved it.
        assert asked == [f"{name}:{server.port}"]


@pytest.mark.parametrize(("host", "seen"), [("127.0.0.1", "7f000001"), ("[::1]", "0" * 31 + "1")])
async def test_socks_sends_addresses_as_addresses(host, seen):
    asked = []
    async with (
        serving(echoing) as server,
        serving(socks_proxy(asked)) as middle,
        calling() as client,
    ):
        where = target(server.port, "http", f"socks5://127.0.0.1:{middle.port}", host)
        assert (await client.ask(where, b"x")).body == b"x"
        assert asked == [f"{seen}:{server.port}"]


@pytest.mark.parametrize("scheme", KINDS)
@pytest.mark.parametrize("login", ["", "me:wrong@"])
async def test_a_proxy_that_wants_another_login_fails_the_call(scheme, login):
    async with serving(KINDS[scheme]([], "me", "right")) as middle, calling() as client:
        where = target(9, "http", f"{scheme}://{login}127.0.0.1:{middle.port}")
        assert await failing(client, where) is Reason.PROXY_FAILED


async def failing(client, where, connect_s: float = 10) -> Reason:
    with pytest.raises(UpstreamFailure) as caught:
        await client.ask(where, b"x", Deadlines(connect_s, 10, 10, 10))
    assert not caught.value.sent
    return caught.value.reason


@pytest.mark.parametrize(
    ("scheme", "answers"),
    [
        ("http", [b"HTTP/1.1 403 No\r\n\r\n"]),
        ("http", [b"HTTP/1.1 200 Yes\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"]),
        ("http", [b"garbage\r\n\r\n"]),
        ("http", [b"x" * 40_000]),
        ("http", [b"HTTP/1.1 200"]),
        ("http", []),
        ("socks5", [b"\x05\xff"]),
        ("socks5", [b"\x04\x00"]),
        ("socks5", [b"\x05\x02"]),
        ("socks5", [b"\x05\x00", b"\x05\x05\x00\x01\0\0\0\0\0\0"]),
        ("socks5", [b"\x05\x00", b"\x05\x00\x00\x09\0\0\0\0\0\0"]),
        ("socks5", [b"\x05\x00", b"\x05\x00\x00\x01\0\0\0\0\0\0surplus"]),
        ("socks5", [b"\x05\x00", b"\x05\x00\x00\x01\0"]),
        ("socks5", []),
    ],
)
async def test_refusals_and_garbage(scheme, answers):
    async def script(peer: Peer) -> None:
        for answer in answers:
            await peer.reader.read(1000)
            await peer.write(answer)
        if not answers:
            await peer.reader.read(1000)

    async with serving(script) as middle, calling() as client:
        where = target(9, "http", f"{scheme}://127.0.0.1:{middle.port}")
        assert await failing(client, where) is Reason.PROXY_FAILED
        await middle.peers[0].ended.wait()


@pytest.mark.parametrize("scheme", KINDS)
async def test_a_silent_proxy_runs_into_the_connect_deadline(scheme):
    async def script(peer: Peer) -> None:
        await peer.until_gone()

    async with serving(script) as middle, calling() as client:
        where = target(9, "http", f"{scheme}://127.0.0.1:{middle.port}")
        assert await failing(client, where, 0.05) is Reason.CONNECT_TIMEOUT
        await middle.peers[0].ended.wait()


@pytest.mark.parametrize("scheme", KINDS)
async def test_cancelled_in_the_handshake(scheme):
    async def script(peer: Peer) -> None:
        await peer.until_gone()

    async with serving(script) as middle, calling() as client:
        where = target(9, "http", f"{scheme}://127.0.0.1:{middle.port}")
        task = asyncio.create_task(client.ask(where))
        await middle.peer()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await middle.peers[0].ended.wait()


async def test_no_proxy_there():
    async with serving(echoing) as server:
        port = server.port
    async with calling() as client:
        where = target(9, "http", f"http://127.0.0.1:{port}")
        assert await failing(client, where) is Reason.PROXY_FAILED
