"""Owns opening a connection to a target: addresses and their rules, proxy, TLS.

The address that was judged is the address that is dialled; nothing is resolved twice. It must not
know of HTTP beyond the protocol object that it puts on the finished connection.
"""

import asyncio
import socket
import ssl
from ipaddress import ip_address

from tollbridge.upstreams.addresses import dialable, literal
from tollbridge.upstreams.failures import Reason, UpstreamFailure
from tollbridge.upstreams.target import Target
from tollbridge.upstreams.tunnel import Line, open_tunnel

_ADDRESSES_MAX = 8


def trust(ca_file: str | None = None) -> ssl.SSLContext:
    """Return a context that trusts the system's authorities, and those in `ca_file` besides.

    Raises OSError when the file cannot be read.
    """
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


async def dial(
    target: Target, protocol: asyncio.Protocol, tls: ssl.SSLContext, connect_s: float
) -> None:
    """Connect to `target` within `connect_s` seconds and hand the connection to `protocol`.

    Raises UpstreamFailure with `sent` false; whatever was half open is closed then, also when the
    caller is cancelled.
    """
    ends_at = asyncio.get_running_loop().time() + connect_s
    line = Line()
    try:
        async with asyncio.timeout_at(ends_at):
            line = await _reach(target, ends_at)
            if target.proxy is not None:
                await open_tunnel(line, target.proxy, target)
            await _hand_over(line, target, protocol, tls)
    except BaseException as error:
        line.abort()
        if isinstance(error, TimeoutError):
            raise UpstreamFailure(Reason.CONNECT_TIMEOUT) from None
        raise


async def _reach(target: Target, ends_at: float) -> Line:
    """Connect to the first address that answers, sharing out the time among those left."""
    host, port = target.host, target.port
    if target.proxy is not None:
        _judge_tunnelled(target)
        host, port = target.proxy.host, target.proxy.port
    loop = asyncio.get_running_loop()
    addresses = await _resolve(host, port, allow_private=target.allow_private)
    for index, address in enumerate(addresses):
        left = ends_at - loop.time()
        try:
            async with asyncio.timeout(left / (len(addresses) - index)):
                transport, line = await loop.create_connection(Line, address, port)
        except OSError:
            continue
        _tune(transport)
        return line
    if loop.time() >= ends_at:
        raise UpstreamFailure(Reason.CONNECT_TIMEOUT)
    raise UpstreamFailure(Reason.CONNECT_FAILED if target.proxy is None else Reason.PROXY_FAILED)


def _judge_tunnelled(target: Target) -> None:
    """Apply the rules to a host that the proxy will resolve, as far as it can be known here."""
    address = literal(target.host)
    if address is not None and not dialable(address, allow_private=target.allow_private):
        raise UpstreamFailure(Reason.REFUSED_ADDRESS)


async def _resolve(host: str, port: int, *, allow_private: bool) -> list[str]:
    """Return the addresses of `host` that may be dialled, in the resolver's order."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UpstreamFailure(Reason.DNS_FAILED) from None
    texts = dict.fromkeys(str(entry[4][0]) for entry in found)
    allowed = [text for text in texts if dialable(ip_address(text), allow_private=allow_private)]
    if not allowed:
        raise UpstreamFailure(Reason.REFUSED_ADDRESS)
    return allowed[:_ADDRESSES_MAX]


def _tune(transport: asyncio.Transport) -> None:
    handle = transport.get_extra_info("socket")
    handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # A silent stream must notice a peer that vanished, and keep its place in address translators.
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


async def _hand_over(
    line: Line, target: Target, protocol: asyncio.Protocol, tls: ssl.SSLContext
) -> None:
    transport = line.transport
    if transport is None or not line.clean:
        raise UpstreamFailure(Reason.CONNECT_FAILED)
    if not target.tls:
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        return
    try:
        secured = await asyncio.get_running_loop().start_tls(
            transport, protocol, tls, server_hostname=target.host.rstrip(".")
        )
    except OSError:
        # Not chained: the texts of certificate errors name the host.
        raise UpstreamFailure(Reason.TLS_FAILED) from None
    if secured is None:
        raise UpstreamFailure(Reason.TLS_FAILED)
    protocol.connection_made(secured)
