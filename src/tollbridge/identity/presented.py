"""Owns the key as a client presents it: where it may stand, whose it is, whether it may be used.

Both halves, relay and API, recognise callers by these rules (contract.md, "Keys"). Must not know of
requests or connections: headers, query and address come in as values, nothing is read from a body.
"""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import parse_qs

from tollbridge.core.errors import ApiError, Kind
from tollbridge.identity.keys import KeyRecord, KeyStore


def recognise(headers: Mapping[bytes, bytes], query: bytes, keys: KeyStore) -> KeyRecord | None:
    """Return the record of a presented key that is known already; None says to `authenticate`."""
    record = keys.cached(presented_secret(headers, query))
    return record if isinstance(record, KeyRecord) else None


async def authenticate(headers: Mapping[bytes, bytes], query: bytes, keys: KeyStore) -> KeyRecord:
    """Return the record of the presented key, which may still be one that must not be used.

    `headers` have lower-case names. ApiError: key_missing, key_invalid, database_down.
    """
    secret = presented_secret(headers, query)
    if not secret:
        raise ApiError(Kind.KEY_MISSING)
    record = keys.cached(secret)
    if record is KeyStore.MISSING:
        record = await keys.find(secret)
    if not isinstance(record, KeyRecord):
        raise ApiError(Kind.KEY_INVALID)
    return record


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
        return found[0].strip().encode("latin-1", "replace")
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
