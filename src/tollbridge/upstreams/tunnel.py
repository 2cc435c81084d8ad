"""Owns opening a tunnel through a proxy: HTTP CONNECT, and SOCKS5 with names left to the proxy.

It works on a connection that stands already; it must not resolve, connect or know of TLS.
"""

import asyncio
from base64 import b64encode
from ipaddress import IPv4Address

from tollbridge.upstreams.addresses import literal
from tollbridge.upstreams.failures import Reason, UpstreamFailure
from tollbridge.upstreams.target import Proxy, Target

_HEAD_MAX = 16_384
_ACCEPTED = (b"HTTP/1.1 2", b"HTTP/1.0 2")
_SOCKS = 5
_NO_AUTH, _PASSWORD = 0, 2
_IPV4, _NAME, _IPV6 = 1, 3, 4
_ADDRESS_SIZES = {_IPV4: 4, _IPV6: 16}


class Line(asyncio.Protocol):
    """A connection before HTTP begins on it: bytes can be awaited. One reader at a time."""

    __slots__ = ("_buffer", "_lost", "_waiter", "transport")

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._waiter: asyncio.Future[None] | None = None
        self._lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport  # type: ignore[assignment]  # of a stream, always

    def data_received(self, data: bytes) -> None:
        """Collect, and stop at a flood: no handshake is that long."""
        self._buffer += data
        if len(self._buffer) > _HEAD_MAX:
            self.abort()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Let the reader fail."""
        self._lost = True
        self._wake()

    @property
    def clean(self) -> bool:
        """Whether the connection stands and nothing was received beyond what was awaited."""
        return not self._buffer and not self._lost

    def abort(self) -> None:
        """Close at once."""
        if self.transport is not None:
            self.transport.abort()

    def write(self, data: bytes) -> None:
        """Send bytes of the handshake."""
        if self.transport is not None:
            self.transport.write(data)

    async def exactly(self, size: int) -> bytes:
        """Take `size` bytes. Raises UpstreamFailure (proxy_failed) when they never come."""
        while len(self._buffer) < size:
            await self._more()
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    async def head(self) -> bytes:
        """Take everything up to and with the first empty line. Raises as `exactly`."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            await self._more()
        return await self.exactly(end + 4)

    async def _more(self) -> None:
        if self._lost or len(self._buffer) > _HEAD_MAX:
            raise UpstreamFailure(Reason.PROXY_FAILED)
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


async def open_tunnel(line: Line, proxy: Proxy, target: Target) -> None:
    """Make the proxy connect `line` to the target. Raises UpstreamFailure (proxy_failed)."""
    if proxy.scheme == "http":
        await _connect(line, proxy, target)
    else:
        await _socks(line, proxy, target)
    if not line.clean:
        # Neither HTTP nor TLS servers speak first, so these bytes are not the target's.
        raise UpstreamFailure(Reason.PROXY_FAILED)


async def _connect(line: Line, proxy: Proxy, target: Target) -> None:
    host = f"[{target.host}]" if ":" in target.host else target.host
    place = f"{host}:{target.port}"
    head = f"CONNECT {place} HTTP/1.1\r\nhost: {place}\r\n"
    if proxy.username or proxy.password:
        secret = b64encode(f"{proxy.username}:{proxy.password}".encode()).decode()
        head += f"proxy-authorization: Basic {secret}\r\n"
    line.write(f"{head}\r\n".encode())
    answer = await line.head()
    if not answer.startswith(_ACCEPTED):
        raise UpstreamFailure(Reason.PROXY_FAILED)


async def _socks(line: Line, proxy: Proxy, target: Target) -> None:
    """Follow RFC 1928, and RFC 1929 where there is a user name or password."""
    method = _PASSWORD if proxy.username or proxy.password else _NO_AUTH
    line.write(bytes((_SOCKS, 1, method)))
    _expect(await line.exactly(2), bytes((_SOCKS, method)))
    if method == _PASSWORD:
        line.write(b"\x01" + _field(proxy.username) + _field(proxy.password))
        _expect(await line.exactly(2), b"\x01\x00")
    line.write(bytes((_SOCKS, 1, 0)) + _address(target.host) + target.port.to_bytes(2))
    answer = await line.exactly(4)
    _expect(answer[:3], bytes((_SOCKS, 0, 0)))
    kind = answer[3]
    size = (await line.exactly(1))[0] if kind == _NAME else _ADDRESS_SIZES.get(kind)
    if size is None:
        raise UpstreamFailure(Reason.PROXY_FAILED)
    await line.exactly(size + 2)


def _expect(got: bytes, wanted: bytes) -> None:
    if got != wanted:
        raise UpstreamFailure(Reason.PROXY_FAILED)


def _field(text: str) -> bytes:
    raw = text.encode()
    return bytes((len(raw),)) + raw


def _address(host: str) -> bytes:
    address = literal(host)
    if address is None:
        return bytes((_NAME,)) + _field(host)
    kind = _IPV4 if isinstance(address, IPv4Address) else _IPV6
    return bytes((kind,)) + address.packed
