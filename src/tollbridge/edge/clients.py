"""Owns who the client is: the address behind the proxies that the site trusts.

The one place for both halves. Must not know of requests, only of addresses and one header's value.
"""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network
_Address = IPv4Address | IPv6Address
_Hop = tuple[str, bool]

# Hops repeat, so their reading is kept; a flood of forged ones must not fill the memory.
_KNOWN_HOPS = 4096


def canonical(text: str) -> str | None:
    """Return the one spelling of an address (IPv4-mapped IPv6 as IPv4), None if it is none."""
    address = _parsed(text)
    return None if address is None else str(address)


class Clients:
    """Finds the client's address: right-most hop of X-Forwarded-For that no trusted proxy has.

    `trusted` is asked at every request, so a change of the site's settings counts at once.
    """

    __slots__ = ("_hops", "_networks", "_trusted")

    def __init__(self, trusted: Callable[[], tuple[Network, ...]]) -> None:
        self._trusted = trusted
        self._networks: tuple[Network, ...] = ()
        self._hops: dict[str, _Hop | None] = {}

    def address(self, peer: str, forwarded: bytes | None) -> str:
        """Return the client's address; `forwarded` is all X-Forwarded-For headers joined by commas.

        The peer itself, when it is not trusted or when a hop that matters is not an address. When
        every hop is trusted, the left-most one.
        """
        networks = self._trusted()
        if forwarded is None or not networks:
            return peer
        if networks is not self._networks:
            self._networks = networks
            self._hops.clear()
        sender = self._hop(peer)
        if sender is None or not sender[1]:
            return peer
        found = peer
        for text in reversed(forwarded.split(b",")):
            hop = self._hop(text.decode("latin-1").strip(" \t"))
            if hop is None:
                return peer
            found, trusted = hop
            if not trusted:
                break
        return found

    def _hop(self, text: str) -> _Hop | None:
        try:
            return self._hops[text]
        except KeyError:
            pass
        if len(self._hops) >= _KNOWN_HOPS:
            self._hops.clear()
        address = _parsed(_without_port(text))
        hop = None
        if address is not None:
            hop = str(address), any(address in network for network in self._networks)
        self._hops[text] = hop
        return hop


def _parsed(text: str) -> _Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            address = IPv6Address(int(address))
        return address.ipv4_mapped or address
    return address


def _without_port(text: str) -> str:
    """Strip what some proxies add: `192.0.2.1:80`, `[2001:db8::1]`, `[2001:db8::1]:80`."""
    if text.startswith("["):
        host, closed, port = text[1:].partition("]")
        return host if closed and (not port or _is_port(port)) else text
    host, colon, port = text.partition(":")
    return host if colon and _is_port(":" + port) else text


def _is_port(text: str) -> bool:
    return text.startswith(":") and text[1:].isascii() and text[1:].isdigit()
