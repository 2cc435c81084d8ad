"""Proof of one refresh: what is asked, what is taken for an answer, what a failure means."""

from dataclasses import replace

import pytest

from tests.services.token_server import TokenServer, token_server
from tests.upstreams.hostile import serving
from tests.upstreams.proxies import connect_proxy, socks_proxy
from tollbridge.upstreams.dial import trust
from tollbridge.upstreams.limits import Deadlines
from tollbridge.upstreams.oauth import DEAD, Grant, RefreshFailed, refresh

TLS = trust()


@pytest.fixture
async def server():
    async with token_server() as server:
        yield server


def grant(server: TokenServer, **values) -> Grant:
    base = Grant(server.url, "the client", "hu=sh&", "a b", "form", "refresh-0", allow_private=True)
    return replace(base, **values)


async def failed(server: TokenServer, **values) -> tuple[str, bool]:
    with pytest.raises(RefreshFailed) as caught:
        await refresh(grant(server, **values), TLS)
    assert "CANARY" not in repr(caught.value) and caught.value.__cause__ is None
    return caught.value.word, caught.value.dead


@pytest.mark.parametrize("style", ["form", "json"])
async def test_what_is_asked_and_what_comes(server, style):
    granted = await refresh(grant(server, style=style), TLS)
    assert (granted.access, granted.refresh, granted.lifetime_s) == ("access-1", "refresh-1", 3600)
    assert server.asked == [
        {
            "grant_type": "refresh_token",
            "refresh_token": "refresh-0",
            "client_id": "the client",
            "client_secret": "hu=sh&",
            "scope": "a b",
        }
    ]
    assert server.heads[0].startswith("POST /oauth/token HTTP/1.1\r\nhost: 127.0.0.1:")
    shown = repr((grant(server), granted))
    assert not any(secret in shown for secret in ("refresh-0", "refresh-1", "access-1", "hu=sh"))


async def test_what_is_empty_is_not_said(server):
    await refresh(grant(server, client_secret="", scope=""), TLS)
    assert server.asked[0].keys() == {"grant_type", "refresh_token", "client_id"}


@pytest.mark.parametrize("code", sorted(DEAD))
@pytest.mark.parametrize("shape", ["plain", "nested", "typed", "top"])
async def test_what_cannot_be_mended_is_told_from_what_passes(server, code, shape):
    body = {
        "plain": {"error": code, "error_description": "CANARY"},
        "nested": {"error": {"code": code, "message": "CANARY", "type": "x"}},
        "typed": {"type": "error", "error": {"type": code, "message": "CANARY"}},
        "top": {"code": code},
    }[shape]
    server.answers = [(400, body), (200, body), (503, body), (429, body)]
    assert [await failed(server) for _ in range(4)] == [
        (code, True),
        (code, True),
        ("status_503", False),
        ("status_429", False),
    ]


@pytest.mark.parametrize(
    ("status", "body", "word"),
    [
        (400, {"error": "temporarily_unavailable"}, "status_400"),
        (400, b"<html>CANARY", "status_400"),
        (401, {"error": "CANARY"}, "status_401"),
        (500, {}, "status_500"),
        (302, {}, "redirected"),
        (200, b"CANARY", "bad_answer"),
        (200, [], "bad_answer"),
        (200, {}, "bad_answer"),
        (200, {"access_token": 7}, "bad_answer"),
        (200, {"access_token": ""}, "bad_answer"),
        (200, {"access_token": "CANARY\r\nx: y"}, "bad_answer"),
        (200, {"access_token": "a b"}, "bad_answer"),
        (200, {"access_token": "é"}, "bad_answer"),
        (200, {"access_token": "a" * 16_385}, "bad_answer"),
        (200, {"access_token": "a", "refresh_token": ["CANARY"]}, "bad_answer"),
        (200, {"access_token": "a", "x": "y" * 70_000}, "reply_too_large"),
        (200, b"[" * 60_000, "bad_answer"),
    ],
)
async def test_anything_else_passes(server, status, body, word):
    server.answers = [(status, body)]
    assert await failed(server) == (word, False)


async def test_a_connection_that_breaks_is_not_used_again(server):
    server.answers = [None]
    assert await failed(server) == ("closed_early", False)
    assert server.count == 1


@pytest.mark.parametrize(
    ("said", "lifetime_s"),
    [
        ({}, 3600),
        ({"expires_in": None}, 3600),
        ({"expires_in": "soon"}, 3600),
        ({"expires_in": True}, 3600),
        ({"expires_in": "7200"}, 7200),
        ({"expires_in": 59.9}, 59),
        ({"expires_in": 0}, 1),
        ({"expires_in": -5}, 1),
        ({"expires_in": 10**20}, 315_360_000),
    ],
)
async def test_how_long_it_is_good(server, said, lifetime_s):
    server.answers = [(200, {"access_token": "a", **said})]
    granted = await refresh(grant(server), TLS)
    assert (granted.lifetime_s, granted.refresh) == (lifetime_s, "")


async def test_an_endpoint_that_is_silent_is_not_awaited_for_ever(server):
    server.gate.clear()
    with pytest.raises(RefreshFailed) as caught:
        await refresh(grant(server), TLS, Deadlines(1, 0.1, 0.1, 1))
    assert caught.value.word == "first_byte_timeout"


@pytest.mark.parametrize(
    ("url", "private", "word"),
    [
        ("http://127.0.0.1:9/t", False, "refused_address"),
        ("http://169.254.169.254/t", True, "refused_address"),
        ("http://[fe80::1]/t", True, "refused_address"),
        ("http://localhost:1/t", False, "refused_address"),
        ("ftp://127.0.0.1/t", True, "bad_url"),
    ],
)
async def test_addresses_that_may_not_be_dialled_are_not(server, url, private, word):
    assert await failed(server, token_url=url, allow_private=private) == (word, False)


@pytest.mark.parametrize(("scheme", "proxy"), [("http", connect_proxy), ("socks5", socks_proxy)])
async def test_the_proxy_of_the_account_is_used(server, scheme, proxy):
    asked: list[str] = []
    async with serving(proxy(asked)) as between:
        way = f"{scheme}://127.0.0.1:{between.port}"
        await refresh(grant(server, proxy=way), TLS)
        # A proxy that resolves the name itself is not asked for the metadata service either.
        word, _ = await failed(server, token_url="http://169.254.169.254/t", proxy=way)
    assert len(asked) == 1 and asked[0].endswith(f":{server.port}")
    assert word == "refused_address"
