"""Owns the key as a client presents it: where it may stand, whose it is, whether it may be used.

Both halves, relay and API, recognise callers by these rules (contract.md, "Keys"). Must not know of
requests or connections: headers, query and address come in as values, nothing is read from a body.
"""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_network
from urllib.parse import parse_qs

from tollbridge.core.errors import ApiError, Kind
from tollbridge.core.secrets import looks_minted, minted_part
from tollbridge.identity.keys import KeyRecord, KeyStore


def recognise(headers: Mapping[bytes, bytes], query: bytes, keys: KeyStore) -> KeyRecord | None:
    """Return the record of a presented key that is known already; None says to `authenticate`."""
    record = keys.cached(presented_secret(headers, query))
    return record if isinstance(record, KeyRecord) else None


async def authenticate(headers: Mapping[bytes, bytes], query: bytes, keys: KeyStore) -> KeyRecord:
    """Return the record of the presented key, which may still be one that must not be used.

    `headers` have lower-case names. A key may be followed by the channel that the call is for;
    what was sent is looked up as it is first. ApiError: key_missing, key_invalid, database_down.
    """
    secret = presented_secret(headers, query)
    if not secret:
        raise ApiError(Kind.KEY_MISSING)
    record = await _find(secret, keys)
    if record is None:
        key, pin = split_pin(secret)
        record = await _find(key, keys) if pin else None
        if record is None:
            raise ApiError(Kind.KEY_INVALID)
        return replace(record, pin=pin)
    return record


async def _find(secret: bytes, keys: KeyStore) -> KeyRecord | None:
    record = keys.cached(secret)
    if record is KeyStore.MISSING:
        record = await keys.find(secret)
    return record if isinstance(record, KeyRecord) else None


def split_pin(secret: bytes) -> tuple[bytes, str]:
    """Return a key and the channel named behind it: `key#channel`, `key#channel/account`.

    Behind a key that we minted `-channel` will do, for its length is known.
    """
    key, hash_mark, pin = secret.rpartition(b"#")
    if hash_mark:
        return key, name_of(pin)
    stem = minted_part(secret.decode("latin-1"))
    if looks_minted(stem) and secret[len(stem) : len(stem) + 1] == b"-":
        return secret[: len(stem)], name_of(secret[len(stem) + 1 :])
    return secret, ""


def name_of(raw: bytes) -> str:
    """Return a name as a client's bytes spell it: UTF-8, or what is left of older encodings."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def presented_secret(headers: Mapping[bytes, bytes], query: bytes) -> bytes:
    """Return the key as the client sent it, trimmed; empty when it sent none (contract.md)."""
    bearer = headers.get(b"authorization", b"").strip()
    if bearer[:7].lower() == b"bearer ":
        return bearer[7:].strip()
    for name in (b"x-api-key", b"x-goog-api-key"):
        if value := headers.get(name, b"").strip():
            return value
    if b"key=" in query:
        found = parse_qs(query.decode("latin-1")).get("key", [""])
        return found[0].strip().encode()
    # An empty variable in a client's configuration leaves the scheme alone.
    return b"" if bearer.lower() == b"bearer" else bearer


def check_key(key: KeyRecord, peer: str, at_ms: int) -> None:
    """Refuse a key that is switched off, expired, its user's suspended, or used from elsewhere.

    `peer` is the client's address, `at_ms` the wall clock in milliseconds. An exhausted limit is
    none of its concern: reads are free.
    """
    facts = {"key_last6": key.last6}
    if not key.user_active:
        raise ApiError(Kind.USER_SUSPENDED, facts=facts)
    if not key.enabled:
        raise ApiError(Kind.KEY_DISABLED, facts=facts)
    if key.expires_ms is not None and key.expires_ms <= at_ms:
        raise ApiError(Kind.KEY_EXPIRED, facts=facts)
    if key.ips and not _among(peer, key.ips):
        raise ApiError(Kind.IP_DENIED, facts=facts)


def _among(peer: str, networks: tuple[str, ...]) -> bool:
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    return any(address in ip_network(network, strict=False) for network in networks)
