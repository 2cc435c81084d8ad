"""Proof of where a key may stand in a request, and of what makes one unusable."""

from dataclasses import replace
from hashlib import sha256
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.core.errors import ApiError, Kind
from tollbridge.core.secrets import Secrets
from tollbridge.identity.keys import KeyRecord, KeyStore
from tollbridge.identity.presented import authenticate, check_key, presented_secret, split_pin

KEY = b"sk-presented"
RECORD = KeyRecord(
    id=1,
    user_id=2,
    wallet_id=3,
    limit_purse_id=None,
    name="demo",
    last6="abcdef",
    channel_id=None,
    enabled=True,
    user_active=True,
    user_group="default",
    user_role="user",
    expires_ms=None,
    ips=(),
    models=frozenset(),
    may_pin=False,
    rpm=0,
    tpm=0,
    concurrency=0,
    user_rpm=0,
    user_tpm=0,
    user_concurrency=0,
    budget_nano=None,
    budget_period=None,
)


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({b"authorization": b"Bearer " + KEY}, b""),
        ({b"authorization": b"BEARER \t" + KEY + b" "}, b""),
        ({b"authorization": KEY}, b""),
        ({b"x-api-key": b" " + KEY + b"\t"}, b""),
        ({b"x-goog-api-key": KEY}, b""),
        ({}, b"key=" + KEY),
        ({}, b"alt=sse&key=%20" + KEY + b"+"),
        ({b"authorization": b"Bearer " + KEY, b"x-api-key": b"other"}, b"key=other"),
        ({b"x-api-key": KEY, b"x-goog-api-key": b"other"}, b"key=other"),
        ({b"authorization": b"Basic other", b"x-api-key": KEY}, b""),
        ({b"x-api-key": b"  "}, b"key=" + KEY),
        ({b"authorization": b"Bearer ", b"x-api-key": KEY}, b""),
    ],
)
def test_where_a_key_may_stand(headers: dict[bytes, bytes], query: bytes):
    assert presented_secret(headers, query) == KEY


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({}, b""),
        ({}, b"monkey=1"),
        ({}, b"key="),
        ({b"x-api-key": b" "}, b"alt=sse"),
        ({b"authorization": b"bearer  "}, b""),
    ],
)
def test_no_key_at_all(headers: dict[bytes, bytes], query: bytes):
    assert presented_secret(headers, query) == b""


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_whatever_is_sent_is_read(value: bytes, query: bytes):
    presented_secret({b"authorization": value}, query)
    presented_secret({}, b"key=" + query)


@pytest.mark.parametrize(
    ("headers", "kind"),
    [({}, Kind.KEY_MISSING), ({b"x-api-key": b"sk-unknown"}, Kind.KEY_INVALID)],
)
async def test_missing_and_unknown_keys(
    engine: AsyncEngine, secrets: Secrets, headers: dict[bytes, bytes], kind: Kind
):
    store = KeyStore(engine, secrets)
    for _ in range(2):
        with pytest.raises(ApiError) as caught:
            await authenticate(headers, b"", store)
        assert caught.value.kind is kind


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"enabled": False}, Kind.KEY_DISABLED),
        ({"user_active": False}, Kind.USER_SUSPENDED),
        ({"user_active": False, "enabled": False}, Kind.USER_SUSPENDED),
        ({"expires_ms": 1000}, Kind.KEY_EXPIRED),
        ({"expires_ms": 999}, Kind.KEY_EXPIRED),
        ({"ips": ("198.51.100.0/24", "2001:db8::/32")}, Kind.IP_DENIED),
    ],
)
def test_keys_that_must_not_be_used(change: dict[str, object], kind: Kind):
    with pytest.raises(ApiError) as caught:
        check_key(replace(RECORD, **change), "192.0.2.7", 1000)
    assert (caught.value.kind, caught.value.facts["key_last6"]) == (kind, "abcdef")


@pytest.mark.parametrize("peer", ["", "somewhere", "192.0.2.7, 10.0.0.1"])
def test_an_address_that_is_none_is_not_among_any(peer: str):
    with pytest.raises(ApiError) as caught:
        check_key(replace(RECORD, ips=("0.0.0.0/0", "::/0")), peer, 0)
    assert caught.value.kind is Kind.IP_DENIED


@pytest.mark.parametrize(
    ("change", "peer"),
    [
        ({}, ""),
        ({"expires_ms": 1001}, ""),
        ({"ips": ("192.0.2.7",)}, "192.0.2.7"),
        ({"ips": ("198.51.100.1", "192.0.2.0/24")}, "192.0.2.7"),
        ({"ips": ("2001:db8::/32",)}, "2001:db8::1"),
    ],
)
def test_keys_that_may_be_used(change: dict[str, object], peer: str):
    assert check_key(replace(RECORD, **change), peer, 1000) is None


MINTED = "sk-tb-" + "a" * 46


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        ("sk-x#main", ("sk-x", "main")),
        ("sk-x#main/primary", ("sk-x", "main/primary")),
        ("sk-a#b#main", ("sk-a#b", "main")),
        ("sk-x#", ("sk-x", "")),
        ("sk-x-main", ("sk-x-main", "")),
        (MINTED, (MINTED, "")),
        (MINTED + "-main", (MINTED, "main")),
        (MINTED + "-my-channel/one", (MINTED, "my-channel/one")),
        (MINTED + "#main", (MINTED, "main")),
        (MINTED + "main", (MINTED + "main", "")),
        ("sk-x#далеко", ("sk-x", "далеко")),
        (MINTED + "-далеко/dva", (MINTED, "далеко/dva")),
    ],
)
def test_what_stands_behind_a_key(secret: str, expected: tuple[str, str]):
    key, pin = split_pin(secret.encode())
    assert (key.decode(), pin) == expected


def test_bytes_behind_a_key_that_are_no_utf8_are_read_as_well():
    assert split_pin(b"sk-x#\xff") == (b"sk-x", "\xff")


@pytest.mark.parametrize("name", ["spare", "далеко", "é"])
def test_a_pin_in_a_query_arrives_as_in_a_header(name: str):
    escaped = quote(f"sk-x#{name}").encode()
    assert split_pin(presented_secret({}, b"key=" + escaped)) == (b"sk-x", name)


async def test_what_was_sent_is_looked_up_as_it_is_first(engine: AsyncEngine, secrets: Secrets):
    keys = KeyStore(engine, secrets)
    whole, stem = b"sk-" + b"w" * 32 + b"#main", b"sk-" + b"w" * 32
    keys._known[sha256(whole).digest()] = replace(RECORD, id=7)
    keys._known[sha256(stem).digest()] = RECORD
    found = await authenticate({b"x-api-key": whole}, b"", keys)
    assert (found.id, found.pin) == (7, "")
    other = await authenticate({b"x-api-key": stem + b"#other/one"}, b"", keys)
    assert (other.id, other.pin) == (1, "other/one")
    with pytest.raises(ApiError) as caught:
        await authenticate({b"x-api-key": b"sk-" + b"v" * 32 + b"#main"}, b"", keys)
    assert caught.value.kind is Kind.KEY_INVALID
