"""Owns the rule which IP addresses the gateway dials (architecture.md, the edge). Pure.

It must not resolve names: it judges addresses that were resolved, or literals.
"""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_NEVER_V4 = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this host
        "169.254.0.0/16",  # link-local, where most clouds keep their metadata service
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
        "100.100.100.200/32",  # metadata service
        "192.0.0.192/32",  # metadata service
        "168.63.129.16/32",  # host agent of a cloud, a public address by form
    )
)
_NEVER_V6 = tuple(
    ip_network(text)
    for text in (
        "::/128",
        "fe80::/10",
        "ff00::/8",
        "fd00:ec2::254/128",  # metadata service
        "fd20:ce::254/128",  # metadata service
    )
)
_SITE_LOCAL = ip_network("fec0::/10")
_NAT64 = ip_network("64:ff9b::/96")
_V4_COMPATIBLE = ip_network("::/96")


def dialable(address: IPv4Address | IPv6Address, *, allow_private: bool) -> bool:
    """Tell whether to connect to `address`; private means everything that is not globally routed."""
    if isinstance(address, IPv6Address):
        inner = _embedded(address)
        if inner is not None:
            return dialable(inner, allow_private=allow_private)
        if any(address in network for network in _NEVER_V6):
            return False
        return allow_private or (address.is_global and address not in _SITE_LOCAL)
    if any(address in network for network in _NEVER_V4):
        return False
    return allow_private or address.is_global


def literal(host: str) -> IPv4Address | IPv6Address | None:
    """Read `host` as an address in any spelling a resolver would take for one; None for a name.

    "2130706433", "0x7f.1" and "localhost" count as addresses, because a proxy would resolve them so.
    """
    try:
        return ip_address(host)
    except ValueError:
        pass
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return IPv4Address("127.0.0.1")
    try:
        return IPv4Address(socket.inet_aton(name))
    except OSError:
        return None


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that packets to `address` end at, where the form says so."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    number = int(address)
    if address in _NAT64 or (address in _V4_COMPATIBLE and number > 1):
        return IPv4Address(number & 0xFFFF_FFFF)
    return None
