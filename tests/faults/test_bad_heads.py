"""Proof that a request which two readers could understand in two ways is understood in none.

Whatever an attacker hides behind it, here a call that would cost money, is never read.
"""

import asyncio

import pytest

from tests.faults.till import BEARER, CHAT, Till, answered_while, called, refused, request
from tests.services.gateway import KEY, chat

pytestmark = pytest.mark.asyncio(loop_scope="session")

HIDDEN = called(chat("hidden"))
GOOD = HIDDEN.partition(b"\r\n\r\n")[2]
CHUNKS = b"%x\r\n" % len(GOOD) + GOOD + b"\r\n0\r\n\r\n"
LENGTH = f"content-length: {len(GOOD)}"
MIB = 1 << 20
CHUNKED = "transfer-encoding: chunked"


def head(*lines: str, first: str = f"POST {CHAT} HTTP/1.1", host: str = "host: a") -> bytes:
    return "\r\n".join((first, *([host] if host else []), BEARER, *lines, "", "")).encode("latin-1")


AMBIGUOUS = {
    "two hosts": head("host: b", LENGTH) + GOOD,
    "no host": head(LENGTH, host="") + GOOD,
    "identity, chunked": head("transfer-encoding: identity, chunked") + CHUNKS,
    "chunked, identity": head("transfer-encoding: chunked, identity") + CHUNKS,
    "gzip, chunked": head("transfer-encoding: gzip, chunked") + CHUNKS,
    "chunked, chunked": head("transfer-encoding: chunked, chunked") + CHUNKS,
    "chunked twice": head(CHUNKED, CHUNKED) + CHUNKS,
    "identity": head("transfer-encoding: identity", LENGTH) + GOOD,
    "xchunked": head("transfer-encoding: xchunked") + CHUNKS,
    "quoted chunked": head('transfer-encoding: "chunked"') + CHUNKS,
    "chunked with a parameter": head("transfer-encoding: chunked;q=1") + CHUNKS,
    "chunked after a vertical tab": head("transfer-encoding: \x0bchunked") + CHUNKS,
    "chunked in HTTP/1.0": head(CHUNKED, first=f"POST {CHAT} HTTP/1.0") + CHUNKS,
    "length, then chunked": head(LENGTH, CHUNKED) + CHUNKS,
    "chunked, then length": head(CHUNKED, "content-length: 4") + CHUNKS,
    "two lengths": head(LENGTH, "content-length: 4") + GOOD,
    "one length twice": head(LENGTH, LENGTH) + GOOD,
    "a list of lengths": head(f"content-length: {len(GOOD)}, {len(GOOD)}") + GOOD,
    "a length with a plus": head(f"content-length: +{len(GOOD)}") + GOOD,
    "a negative length": head("content-length: -1") + GOOD,
    "a hexadecimal length": head("content-length: 0x5") + GOOD,
    "a length with words": head(f"content-length: {len(GOOD)} bytes") + GOOD,
    "no digits of length": head("content-length: ") + GOOD,
    "a length beyond 64 bits": head("content-length: 18446744073709551617") + GOOD,
    "a length of 5,000 digits": head("content-length: " + "1" * 5000) + GOOD,
    "an absolute URL": head(LENGTH, first=f"POST http://a{CHAT} HTTP/1.1") + GOOD,
    "another host's URL": head(LENGTH, first=f"POST http://b.example{CHAT} HTTP/1.1") + GOOD,
    "two slashes": head(LENGTH, first=f"POST //a{CHAT} HTTP/1.1") + GOOD,
    "a fragment": head(LENGTH, first=f"POST {CHAT}#x HTTP/1.1") + GOOD,
    "no slash": head(LENGTH, first="POST v1/chat/completions HTTP/1.1") + GOOD,
    "a star": head(first="OPTIONS * HTTP/1.1"),
    "blanks in the target": head(LENGTH, first="POST /v1/chat completions HTTP/1.1") + GOOD,
    "a newer protocol": head(LENGTH, first=f"POST {CHAT} HTTP/2.0") + GOOD,
    "an older protocol": head(LENGTH, first=f"POST {CHAT} HTTP/0.9") + GOOD,
    "no protocol": head(LENGTH, first=f"POST {CHAT}") + GOOD,
    "another protocol": head(LENGTH, first=f"POST {CHAT} ICE/1.0") + GOOD,
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a blank before the colon": head("content-length : 4", LENGTH) + GOOD,
    "a blank before the name": head(" content-length: 4", LENGTH) + GOOD,
    "a folded line": head("x: a\r\n b", LENGTH) + GOOD,
    "a lone CR in a value": head("x: a\rcontent-length: 4", LENGTH) + GOOD,
    "a NUL in a value": head("x: a\x00b", LENGTH) + GOOD,
    "a NUL in a name": head("x\x00y: a", LENGTH) + GOOD,
    "a line without colon": head("nonsense", LENGTH) + GOOD,
    "no name": head(": a", LENGTH) + GOOD,
    "the key twice": head(f"authorization: Bearer {KEY}x", LENGTH) + GOOD,
    "two types": head("content-type: a/b", "content-type: c/d", LENGTH) + GOOD,
    "a websocket": head("connection: upgrade", "upgrade: websocket", LENGTH) + GOOD,
    "h2c": head("connection: upgrade, http2-settings", "upgrade: h2c", LENGTH) + GOOD,
    "a negative chunk": head(CHUNKED) + b"-1\r\n" + CHUNKS,
    "a chunk of words": head(CHUNKED) + b"zz\r\n" + CHUNKS,
    "a chunk beyond 64 bits": head(CHUNKED) + b"1" * 17 + b"\r\n" + CHUNKS,
    "a chunk with 0x": head(CHUNKED) + b"0x" + CHUNKS,
    "a chunk that is too long": head(CHUNKED) + b"1\r\nab\r\n" + CHUNKS,
    "TLS to a plain port": bytes.fromhex("16030100a5010000a10303") + bytes(32),
    "random bytes": bytes(range(128, 256)),
    "a long method": b"P" * 70_000 + b" / HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("name", AMBIGUOUS)
async def test_an_ambiguous_request_ends_the_connection(till: Till, name: str):
    client = await till.connect()
    client.send(AMBIGUOUS[name] + HIDDEN)
    error = refused(await client.answer(), 400)
    assert error["type"] == "invalid_request_error"
    assert await client.closed(), "the hidden request was answered"


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "PROPFIND"])
async def test_foreign_methods_are_not_tunnelled(till: Till, method: str):
    target = "b.example:443" if method == "CONNECT" else CHAT
    client = await till.connect()
    client.send(head(first=f"{method} {target} HTTP/1.1") + HIDDEN)
    answer = await client.answer()
    refused(answer, 405)
    assert "POST" in answer.headers["allow"]
    assert await client.closed()


FLOODS = {
    "101 headers": (head(*(f"x-{n}: 1" for n in range(100)), LENGTH), "headers"),
    "one header name, often": (head(*("x: 1" for _ in range(5000)), LENGTH), "headers"),
    "one long value": (head("x: " + "a" * 70_000, LENGTH), "larger than 65536"),
    "one long name": (head("x" * 70_000 + ": a", LENGTH), "larger than 65536"),
    "a long target": (head(LENGTH, first=f"POST {CHAT}?{'a' * 70_000} HTTP/1.1"), "larger than"),
}


@pytest.mark.parametrize("name", FLOODS)
async def test_a_flooding_head_is_refused(till: Till, name: str):
    raw, words = FLOODS[name]
    assert words in refused(await till.ask(raw + GOOD), 400)["message"]


async def test_a_flood_without_end_is_cut_off(till: Till):
    client = await till.connect()
    client.send(head()[:-2])
    answer = await answered_while(client, (b"x: " + b"a" * 8192 for _ in range(8192)))
    refused(answer, 400)


async def test_trailers_are_no_headers(till: Till):
    """A key, an address or an opt-in behind the body must not count."""
    bare = f"POST {CHAT} HTTP/1.1\r\nhost: a\r\n{CHUNKED}\r\n\r\n".encode()
    trailers = f"{BEARER}\r\nx-api-key: {KEY}\r\n\r\n".encode()
    error = refused(await till.ask(bare + CHUNKS[:-2] + trailers), 401)
    assert "No API key" in error["message"]


@pytest.mark.parametrize(
    "flood",
    [
        b"1;" + b"x" * 70_000 + b"\r\na\r\n",
        b"1;x=" + b'"' + b"y" * 70_000 + b'"' + b"\r\na\r\n",
        CHUNKS[:-2] + b"x: " + b"y" * MIB + b"\r\n\r\n",
        CHUNKS[:-2] + b"x: y\r\n" * (MIB // 6) + b"\r\n",
    ],
)
async def test_a_flood_around_the_chunks_is_refused(till: Till, flood: bytes):
    client = await till.connect()
    answer = await answered_while(client, iter([head(CHUNKED), flood]))
    refused(answer, 400)
    client.send(HIDDEN)
    assert await client.closed()


@pytest.mark.parametrize("part", [1, 20, -2])
async def test_half_a_head_is_told_that_it_is_late(till: Till, part: int):
    client = await till.connect()
    client.send(head(LENGTH)[:part])
    error = refused(await client.answer(), 400)
    assert (error["code"], "head" in error["message"]) == ("request_timeout", True)
    assert await client.closed()


async def test_a_head_that_drips_is_late_too(till: Till):
    client = await till.connect()

    async def drip() -> None:
        for byte in head(LENGTH):
            client.send(bytes([byte]))
            await asyncio.sleep(0.1)

    dripping = asyncio.create_task(drip())
    assert refused(await client.answer(), 400)["code"] == "request_timeout"
    dripping.cancel()


@pytest.mark.parametrize(
    "begin", [head(LENGTH) + GOOD[:-1], head(LENGTH), head(CHUNKED) + b"5\r\nab"]
)
async def test_a_body_that_stops_is_told_so(till: Till, begin: bytes):
    client = await till.connect()
    client.send(begin)
    error = refused(await client.answer(), 400)
    assert (error["code"], "body" in error["message"]) == ("request_timeout", True)
    client.send(GOOD[-1:])
    assert await client.closed()


@pytest.mark.parametrize(
    "begin",
    [b"", b"P", head(LENGTH)[:-2], head(LENGTH) + GOOD[:-1], head(CHUNKED) + CHUNKS[:-2]],
)
async def test_a_client_that_leaves_in_the_middle_is_forgotten(till: Till, begin: bytes):
    for polite in (True, False):
        client = await till.connect()
        client.send(begin)
        await client.writer.drain()
        if polite:
            client.writer.close()
        else:
            client.cut()


async def test_many_halves_at_once_keep_nobody_waiting(shared_till: Till):
    for _ in range(200):
        (await shared_till.connect()).send(head(LENGTH)[:-2])
    await shared_till.alive()
    shared_till.cut()


async def test_the_same_request_without_its_fault_is_served(shared_till: Till):
    """A counter-proof: a whole request, one in chunks, and one that takes its time."""
    assert (await shared_till.ask(head(LENGTH) + GOOD)).status == 200
    assert (await shared_till.ask(head(CHUNKED) + CHUNKS)).status == 200
    assert (await shared_till.ask(request(CHAT, GOOD, BEARER, "x: " + "a" * 60_000))).status == 200
    client = await shared_till.connect()
    client.send(head(LENGTH))
    for part in range(4):
        client.send(GOOD[part * 20 : part * 20 + 20])
        await asyncio.sleep(0.4)
    client.send(GOOD[80:])
    assert (await client.answer()).status == 200
