"""Rules for heads, over the wire and for both halves."""

import pytest

from tests.edge.lane import chunked, get, lane, post
from tollbridge.core.errors import ApiError, Kind
from tollbridge.edge.head import CHUNKED, body_length, folded, split_target

HALVES = ("/v1/x", "/page")
_CHUNKS = "0\r\n\r\n"

# Each is a request line's rest and header lines; every one must be refused and the connection end.
SMUGGLING = {
    "no host": "GET {} HTTP/1.1\r\n\r\n",
    "two hosts": "GET {} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "two equal hosts": "GET {} HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n",
    "absolute form": "GET http://a{} HTTP/1.1\r\nHost: a\r\n\r\n",
    "authority in path": "GET //a{} HTTP/1.1\r\nHost: a\r\n\r\n",
    "fragment": "GET {}#b HTTP/1.1\r\nHost: a\r\n\r\n",
    "asterisk": "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "upgrade": "GET {} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "upgrade h2c": "GET {} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "upgrade alone": "GET {} HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n",
    "te and cl": "POST {} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"
    + _CHUNKS,
    "cl and te": "POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    + _CHUNKS,
    "te identity": "POST {} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
    "te list": "POST {} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity, chunked\r\n\r\n"
    + _CHUNKS,
    "te gzip": "POST {} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" + _CHUNKS,
    "te twice": "POST {} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
    "Transfer-Encoding: chunked\r\n\r\n" + _CHUNKS,
    "te two kinds": "POST {} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n"
    "Transfer-Encoding: chunked\r\n\r\n" + _CHUNKS,
    "te quoted": 'POST {} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "chunked"\r\n\r\n' + _CHUNKS,
    "te empty": "POST {} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n" + _CHUNKS,
    "te in 1.0": "POST {} HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + _CHUNKS,
    "te vertical tab": "POST {} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n"
    + _CHUNKS,
    "cl twice": "POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    "cl differs": "POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
    "cl list": "POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx",
    "cl plus": "POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx",
    "cl minus": "POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\nx",
    "cl hex": "POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\nx",
    "cl underscore": "POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: 1_0\r\n\r\n0123456789",
    "cl empty": "POST {} HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
    "cl overflow": "POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    "fold": "GET {} HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n",
    "fold first": "GET {} HTTP/1.1\r\n Host: a\r\n\r\n",
    "bare cr": "GET {} HTTP/1.1\r\nHost: a\r\nX: 1\r2\r\n\r\n",
    "bare lf": "GET {} HTTP/1.1\nHost: a\n\n",
    "bare lf in headers": "GET {} HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n",
    "nul": "GET {} HTTP/1.1\r\nHost: a\r\nX: 1\x002\r\n\r\n",
    "control": "GET {} HTTP/1.1\r\nHost: a\r\nX: 1\x012\r\n\r\n",
    "delete": "GET {} HTTP/1.1\r\nHost: a\r\nX: 1\x7f2\r\n\r\n",
    "space before colon": "GET {} HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n",
    "bad name": "GET {} HTTP/1.1\r\nHost: a\r\nX(: 1\r\n\r\n",
    "empty name": "GET {} HTTP/1.1\r\nHost: a\r\n: 1\r\n\r\n",
    "no colon": "GET {} HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n",
    "0.9": "GET {}\r\n\r\n",
    "0.9 with headers": "GET {}\r\nHost: a\r\n\r\n",
    "1.2": "GET {} HTTP/1.2\r\nHost: a\r\n\r\n",
    "2.0": "GET {} HTTP/2.0\r\nHost: a\r\n\r\n",
    "preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "target with space": "GET {} x HTTP/1.1\r\nHost: a\r\n\r\n",
    "target with high byte": "GET {}\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    "lower-case method": "get {} HTTP/1.1\r\nHost: a\r\n\r\n",
    "authorization twice": "GET {} HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n",
    "x-api-key twice": "GET {} HTTP/1.1\r\nHost: a\r\nx-api-key: a\r\nX-Api-Key: b\r\n\r\n",
    "content-type twice": "GET {} HTTP/1.1\r\nHost: a\r\nContent-Type: a\r\ncontent-type: b\r\n\r\n",
    "chunk size with sign": "POST {} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\nx\r\n"
    + _CHUNKS,
    "chunk size with space": "POST {} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\nx\r\n"
    + _CHUNKS,
    "chunk size with 0x": "POST {} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n"
    + _CHUNKS,
    "chunk longer than its size": "POST {} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    "1\r\nxy\r\n" + _CHUNKS,
    "chunk with bare lf": "POST {} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\n0\n\n",
}


@pytest.mark.parametrize("path", HALVES)
async def test_ambiguous_requests_end_the_connection(path: str):
    async with lane() as running:
        for name, template in SMUGGLING.items():
            client = await running.connect()
            follower = get("/v1/smuggled")
            client.send(template.format(path).encode("latin-1") + follower)
            answer = await client.answer()
            assert answer.status == 400, name
            assert answer.headers["connection"] == "close", name
            assert answer.seen["error"]["code"] == "invalid_request_error", name
            assert await client.closed(), name


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "PROPFIND", "SOURCE"])
async def test_foreign_methods_are_refused(method: str):
    async with lane() as running:
        target = "a:443" if method == "CONNECT" else "/v1/x"
        protocol = "ICE/1.0" if method == "SOURCE" else "HTTP/1.1"
        answer = await running.ask(f"{method} {target} {protocol}\r\nHost: a\r\n\r\n".encode())
        assert answer.status == 405
        assert "POST" in answer.headers["allow"]


async def test_refusals_speak_the_surface_of_the_path():
    async with lane() as running:
        twice = ("Content-Type: a", "Content-Type: b")
        messages = await running.ask(get("/v1/messages", *twice))
        assert messages.seen["type"] == "error"
        assert messages.seen["error"]["type"] == "invalid_request_error"
        gemini = await running.ask(get("/v1beta/models/x:generateContent", *twice))
        assert gemini.seen["error"]["status"] == "INVALID_ARGUMENT"
        chat = await running.ask(get("/v1/chat/completions", *twice))
        assert chat.headers["x-request-id"] == chat.seen["error"]["tid"]
        page = await running.ask(get("/page", *twice))
        assert page.seen["error"]["message"] == "The header content-type appears twice."


async def test_refusal_of_head_has_no_body():
    async with lane() as running:
        client = await running.connect()
        client.send(b"HEAD /v1/x HTTP/1.1\r\n\r\n")
        answer = await client.answer(head=True)
        assert answer.status == 400
        assert await client.closed()


@pytest.mark.parametrize("path", HALVES)
async def test_unusual_but_right_requests_are_served(path: str):
    async with lane() as running:
        spaced = (
            f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 2 \r\nX-Empty:\r\n\r\nok".encode()
        )
        assert (await running.ask(spaced)).seen["body"] == "ok"
        loud = chunked(path, b"ok").replace(b": chunked", b":\t CHUNKED ")
        assert (await running.ask(loud)).seen["body"] == "ok"
        assert (await running.ask(b"\r\n\r\n" + get(path))).status == 200
        assert (await running.ask(get(path + "?a=1?b", "X: \xe9"))).seen["query"] == "a=1?b"
        repeated = get(path, "Accept: a", "Accept: b", "Connection: upgrade")
        assert (await running.ask(repeated)).status == 200
        assert (await running.ask(post(path, b""))).seen["body"] == ""


def test_first_of_repeated_headers_wins_and_forwarded_for_is_joined():
    fields = [(b"accept", b"1"), (b"x-forwarded-for", b"a"), (b"accept", b"2"), (b"x", b"3")]
    fields.append((b"x-forwarded-for", b"b, c"))
    assert folded(fields) == {b"accept": b"1", b"x-forwarded-for": b"a,b, c", b"x": b"3"}


def test_body_length_is_the_announced_one():
    assert body_length({}, "1.1", 9) == 0
    assert body_length({b"content-length": b"9"}, "1.0", 9) == 9
    assert body_length({b"transfer-encoding": b"Chunked"}, "1.1", 9) == CHUNKED
    with pytest.raises(ApiError) as caught:
        body_length({b"content-length": b"10"}, "1.1", 9)
    assert caught.value.kind is Kind.BODY_TOO_LARGE


def test_target_stays_encoded():
    assert split_target(b"/v1/%2e%2e/x?key=%41") == ("/v1/%2e%2e/x", b"key=%41")
