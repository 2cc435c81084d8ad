"""Owns two little proxies that really open tunnels: HTTP CONNECT and SOCKS5."""

import asyncio
from base64 import b64encode
from contextlib import suppress

from tests.upstreams.hostile import Peer, Script


async def _splice(peer: Peer, port: int, accepted: bytes) -> None:
    """Connect to `port` on loopback whatever name was asked for, and pass bytes both ways."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        await peer.write(accepted)
        there = asyncio.create_task(_pump(peer.reader, writer))
        await _pump(reader, peer.writer)
        there.cancel()
        await asyncio.gather(there, return_exceptions=True)
    finally:
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


def connect_proxy(asked: list[str], user: str = "", password: str = "") -> Script:
    """Return a CONNECT proxy; `asked` collects where clients want to go."""
    secret = b64encode(f"{user}:{password}".encode())

    async def script(peer: Peer) -> None:
        head = await peer.reader.readuntil(b"\r\n\r\n")
        if user and b"proxy-authorization: Basic " + secret + b"\r\n" not in head:
            await peer.write(b"HTTP/1.1 407 Who?\r\ncontent-length: 0\r\n\r\n")
            return
        place = head.split()[1].decode()
        asked.append(place)
        await _splice(peer, int(place.rpartition(":")[2]), b"HTTP/1.1 200 Fine\r\nx: y\r\n\r\n")

    return script


def socks_proxy(asked: list[str], user: str = "", password: str = "") -> Script:
    """Return a SOCKS5 proxy; `asked` collects where clients want to go."""

    async def script(peer: Peer) -> None:
        read = peer.reader.readexactly
        _, count = await read(2)
        method = 2 if user else 0
        if method not in await read(count):
            await peer.write(b"\x05\xff")
            return
        await peer.write(bytes((5, method)))
        if user:
            name = await read((await read(2))[1])
            secret = await read((await read(1))[0])
            if (name, secret) != (user.encode(), password.encode()):
                await peer.write(b"\x01\x01")
                return
            await peer.write(b"\x01\x00")
        kind = (await read(4))[3]
        size = {1: 4, 4: 16}.get(kind) or (await read(1))[0]
        host = await read(size)
        port = int.from_bytes(await read(2))
        asked.append(f"{host.decode() if kind == 3 else host.hex()}:{port}")
        await _splice(peer, port, b"\x05\x00\x00\x03\x04here\x00\x50")

    return script
