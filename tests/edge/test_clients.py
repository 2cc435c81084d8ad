"""Who the client is, behind which proxies."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.edge.lane import get, lane
from tollbridge.edge.clients import Clients, Network, canonical

TRUSTED: tuple[Network, ...] = (
    ip_network("10.0.0.0/8"),
    ip_network("127.0.0.0/8"),
    ip_network("2001:db8::/32"),
)


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", b"192.0.2.7", "192.0.2.7"),
        ("192.0.2.1", b"192.0.2.7", "192.0.2.1"),
        ("10.0.0.1", b"6.6.6.6, 192.0.2.7, 10.9.9.9", "192.0.2.7"),
        ("10.0.0.1", b"10.1.1.1,10.2.2.2", "10.1.1.1"),
        ("10.0.0.1", b"junk, 192.0.2.7", "192.0.2.7"),
        ("10.0.0.1", b"192.0.2.7, junk", "10.0.0.1"),
        ("10.0.0.1", b"192.0.2.7, ", "10.0.0.1"),
        ("10.0.0.1", b"192.0.2.7, , 10.1.1.1", "10.0.0.1"),
        ("10.0.0.1", b"", "10.0.0.1"),
        ("10.0.0.1", b"unknown", "10.0.0.1"),
        ("10.0.0.1", b"\xff", "10.0.0.1"),
        ("10.0.0.1", b"192.0.2.7:4711", "192.0.2.7"),
        ("10.0.0.1", b"192.0.2.7:x", "10.0.0.1"),
        ("10.0.0.1", b"[2002:0::7]:80", "2002::7"),
        ("10.0.0.1", b"[2002::7]", "2002::7"),
        ("10.0.0.1", b"[2002::7", "10.0.0.1"),
        ("10.0.0.1", b"2002:0:0::7", "2002::7"),
        ("10.0.0.1", b"::ffff:192.0.2.7", "192.0.2.7"),
        ("10.0.0.1", b"192.0.2.7, ::ffff:10.0.0.9", "192.0.2.7"),
        ("2001:db8::1", b"192.0.2.7", "192.0.2.7"),
        ("10.0.0.1", b"0192.0.2.7", "10.0.0.1"),
    ],
)
def test_the_right_most_hop_that_is_not_trusted(peer: str, forwarded: bytes | None, client: str):
    assert Clients(lambda: TRUSTED).address(peer, forwarded) == client


def test_nobody_is_trusted_by_default():
    assert Clients(lambda: ()).address("127.0.0.1", b"192.0.2.7") == "127.0.0.1"


def test_a_change_of_the_proxies_counts_at_once():
    now: list[tuple[Network, ...]] = [TRUSTED]
    clients = Clients(lambda: now[0])
    assert clients.address("10.0.0.1", b"192.0.2.7") == "192.0.2.7"
    now[0] = (ip_network("172.16.0.0/12"),)
    assert clients.address("10.0.0.1", b"192.0.2.7") == "10.0.0.1"


@given(st.lists(st.text(max_size=8).map(str.encode), max_size=5).map(b",".join))
def test_a_client_is_always_an_address(forwarded: bytes):
    found = Clients(lambda: TRUSTED).address("10.0.0.1", forwarded)
    assert str(ip_address(found)) == found


def test_forged_hops_do_not_fill_the_memory():
    clients = Clients(lambda: TRUSTED)
    for index in range(10_000):
        clients.address("10.0.0.1", b"%d" % index)
    assert len(clients._hops) <= 4096


def test_one_spelling_of_an_address():
    assert canonical("::FFFF:192.0.2.7") == "192.0.2.7"
    assert canonical("fe80:0::1%eth0") == "fe80::1"
    assert canonical("a") is None


async def test_both_halves_see_the_same_client():
    async with lane(trusted_proxies=lambda: TRUSTED) as running:
        lines = ("X-Forwarded-For: 6.6.6.6", "x-forwarded-for: 192.0.2.7, 10.0.0.1")
        for path in ("/v1/x", "/page"):
            assert (await running.ask(get(path, *lines))).seen["client"] == "192.0.2.7"
            assert (await running.ask(get(path))).seen["client"] == "127.0.0.1"
