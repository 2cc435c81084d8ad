"""Which addresses are dialled."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.upstreams.addresses import dialable, literal


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0", "0.1.2.3", "169.254.0.1", "169.254.169.254", "224.0.0.1", "239.255.255.255",
        "240.0.0.1", "255.255.255.255", "100.100.100.200", "192.0.0.192", "168.63.129.16",
        "::", "fe80::1", "fe80::1%eth0", "febf::1", "ff02::1", "fd00:ec2::254", "fd20:ce::254",
        "::ffff:169.254.169.254", "::169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
        "2001:0:1:2:3:4:5601:5601",
    ],
)  # fmt: skip
def test_never(text):
    assert not dialable(ip_address(text), allow_private=True)


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "198.18.0.1",
        "::1", "fc00::1", "fd00::1", "fec0::1", "::ffff:127.0.0.1", "64:ff9b::a00:1",
        "2002:7f00:1::",
    ],
)  # fmt: skip
def test_only_where_private_is_allowed(text):
    assert dialable(ip_address(text), allow_private=True)
    assert not dialable(ip_address(text), allow_private=False)


@pytest.mark.parametrize("text", ["8.8.8.8", "1.1.1.1", "2606:4700::1", "64:ff9b::808:808"])
def test_always(text):
    assert dialable(ip_address(text), allow_private=False)


@given(st.integers(0, 2**32 - 1))
def test_wrapping_an_address_changes_nothing(number):
    plain = IPv4Address(number)
    for private in (True, False):
        for prefix in (0xFFFF << 32, 0x64FF9B << 96):
            wrapped = IPv6Address(prefix | number)
            assert dialable(wrapped, allow_private=private) == dialable(
                plain, allow_private=private
            )


@given(st.integers(0, 2**128 - 1))
def test_what_is_public_may_be_dialled_wherever_private_is(number):
    address = IPv6Address(number)
    assert dialable(address, allow_private=True) >= dialable(address, allow_private=False)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("127.1.", "127.0.0.1"),
        ("localhost", "127.0.0.1"),
        ("A.LocalHost.", "127.0.0.1"),
        ("::1", "::1"),
    ],
)
def test_addresses_in_any_spelling(host, address):
    assert literal(host) == ip_address(address)


@pytest.mark.parametrize("host", ["example.com", "localhost.example.com", "1.2.3.4.example.com"])
def test_names_are_not_addresses(host):
    assert literal(host) is None
