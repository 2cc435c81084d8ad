"""Owns one refresh at a token endpoint: the question, the answer, and what a failure means.

It goes through the relay's own HTTP client, which knows proxies and the rule of addresses: what is
judged is what is dialled. Each refresh has a connection of its own, because a request on a kept one
may be sent twice, and a refresh token that rotates must not be. Must not know accounts or storage.
Neither a token nor a word of the endpoint's reaches an exception or a log.
"""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec

from tollbridge.upstreams.call import Reply
from tollbridge.upstreams.failures import UpstreamFailure
from tollbridge.upstreams.http1 import Http1Client
from tollbridge.upstreams.limits import Deadlines, Limits
from tollbridge.upstreams.target import Target

STYLES: Final = ("form", "json")
"""How a token endpoint may be asked."""

TOKEN_MAX: Final = 16_384
"""Longest token, in characters."""

REFRESH_S: Final = 20.0
"""Longest time that one refresh takes, in seconds."""

_DEADLINES: Final = Deadlines(connect_s=8.0, first_byte_s=15.0, idle_s=5.0, total_s=REFRESH_S)
_REPLY_MAX: Final = 65_536
_LIFETIME_DEFAULT_S: Final = 3600
_LIFETIME_MAX_S: Final = 10 * 365 * 86_400
_OK, _CLIENTS_FAULT, _TOO_MANY, _SERVERS_FAULT = 200, 400, 429, 500
_TOKEN = re.compile(r"[\x21-\x7e]+")
_MEDIA_TYPES: Final[Mapping[str, bytes]] = {
    "form": b"application/x-www-form-urlencoded",
    "json": b"application/json",
}
DEAD: Final = frozenset(
    {
        "access_denied",
        "account_deactivated",
        "app_session_terminated",
        "bad_refresh_token",
        "invalid_client",
        "invalid_grant",
        "invalid_refresh_token",
        "refresh_token_expired",
        "refresh_token_invalidated",
        "refresh_token_reused",
        "token_expired",
        "token_revoked",
        "unauthorized_client",
    }
)
"""Codes of errors that no further try can mend: somebody has to sign in again."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a refresh needs. `proxy` "" is direct; `style` is one of `STYLES`."""

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str
    style: str
    refresh: str = field(repr=False)
    proxy: str = field(default="", repr=False)
    allow_private: bool = False


@dataclass(frozen=True, slots=True)
class Granted:
    """What came of it. `refresh` is "" where the endpoint did not rotate it."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    lifetime_s: int


class RefreshFailed(Exception):
    """There is no new token; `word` is ours, and all of the text. `dead`: trying again is no use."""

    def __init__(self, word: str, *, dead: bool = False) -> None:
        super().__init__(word)
        self.word = word
        self.dead = dead


async def refresh(grant: Grant, tls: ssl.SSLContext, deadlines: Deadlines = _DEADLINES) -> Granted:
    """Return a new access token. RefreshFailed when there is none."""
    try:
        target = Target.parse(grant.token_url, grant.proxy or None, grant.allow_private)
    except ValueError:
        raise RefreshFailed("bad_url") from None
    body = _body(grant)
    client = Http1Client(Limits(decoded_bytes=_REPLY_MAX), tls=tls)
    try:
        reply = await client.fetch(target, _head(grant, target, body), body, deadlines, _REPLY_MAX)
    except UpstreamFailure as failure:
        raise RefreshFailed(failure.reason.value) from None
    finally:
        await client.close()
    return _granted(reply)


def _body(grant: Grant) -> bytes:
    fields = {
        "grant_type": "refresh_token",
        "refresh_token": grant.refresh,
        "client_id": grant.client_id,
        "client_secret": grant.client_secret,
        "scope": grant.scope,
    }
    said = {name: value for name, value in fields.items() if value}
    return msgspec.json.encode(said) if grant.style == "json" else urlencode(said).encode()


def _head(grant: Grant, target: Target, body: bytes) -> bytes:
    path = urlsplit(grant.token_url).path or "/"
    return b"".join(
        (
            f"POST {path} HTTP/1.1\r\nhost: {target.authority}\r\n".encode(),
            b"content-type: ", _MEDIA_TYPES[grant.style],
            b"\r\naccept: application/json\r\naccept-encoding: identity\r\nuser-agent: tollbridge\r\n",
            b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body),
        )
    )  # fmt: skip


def _granted(reply: Reply) -> Granted:
    try:
        said = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, RecursionError):
        said = None
    fields: dict[str, Any] = said if isinstance(said, dict) else {}
    if reply.status < _SERVERS_FAULT and reply.status != _TOO_MANY:
        found = next((code for code in _codes(fields) if code in DEAD), None)
        if found is not None:
            raise RefreshFailed(found, dead=True)
    if reply.status != _OK:
        raise RefreshFailed(f"status_{reply.status}")
    access, rotated = fields.get("access_token"), fields.get("refresh_token")
    # It travels in a header, where anything else could end the line.
    if not isinstance(access, str) or len(access) > TOKEN_MAX or not _TOKEN.fullmatch(access):
        raise RefreshFailed("bad_answer")
    if rotated is not None and (not isinstance(rotated, str) or len(rotated) > TOKEN_MAX):
        raise RefreshFailed("bad_answer")
    return Granted(access, rotated or "", _lifetime_s(fields.get("expires_in")))


def _codes(fields: Mapping[str, Any]) -> list[str]:
    """Return whatever in an answer may be the code of an error."""
    inner = fields.get("error")
    nested = inner if isinstance(inner, dict) else {}
    maybe = (inner, nested.get("code"), nested.get("type"), fields.get("code"))
    return [code for code in maybe if isinstance(code, str)]


def _lifetime_s(said: object) -> int:
    """Return how long a token is good, in seconds; an hour where the endpoint does not say."""
    if isinstance(said, str) and said.isascii() and said.isdigit():
        said = int(said[:12])
    if isinstance(said, (int, float)) and not isinstance(said, bool):
        return int(min(max(said, 1), _LIFETIME_MAX_S))
    return _LIFETIME_DEFAULT_S
