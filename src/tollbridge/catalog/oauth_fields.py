"""Owns how an account signs in, as the configuration file says it, and what may be said at all. Pure.

Reasons name fields, never values: most of them are secrets.
"""

from calendar import timegm
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from tollbridge.catalog.fields import Fields, no_moment, none_of, not_printable
from tollbridge.catalog.plan import OAuthPlan
from tollbridge.catalog.url_faults import url_fault
from tollbridge.core.phrase import phrase, reason_of
from tollbridge.upstreams.addresses import dialable, literal
from tollbridge.upstreams.oauth import STYLES, TOKEN_MAX
from tollbridge.upstreams.target import Target

OAUTH_FIELD: Final = "oauth"
OAUTH_FIELDS: Final = (
    *("token_url", "client_id", "client_secret", "client_secret_env", "scope", "style"),
    *("refresh_token", "refresh_token_env", "access_token", "expires"),
)
_URL_MAX: Final = 2048
_TEXT_MAX: Final = 4096
_CREDENTIALS: Final = ("secret", "secret_env")


class OAuthError(ValueError):
    """An account cannot sign in like this; `field` is to blame. The text has no value in it."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


def read_oauth(
    fields: Fields, environ: Mapping[str, str], *, allow_private: bool
) -> OAuthPlan | None:
    """Return how an account signs in, None when it has a secret; FileError with line and reason."""
    table = fields.table(OAUTH_FIELD, OAUTH_FIELDS, what=phrase("oauth"))
    if table is None:
        return None
    for name in _CREDENTIALS:
        if name in fields:
            reason = phrase("%(name)s: an account has a secret or oauth, not both", name=name)
            raise fields.error(name, reason)
    plan = OAuthPlan(
        token_url=table.text("token_url", longest=_URL_MAX),
        client_id=table.text("client_id", "", longest=_TEXT_MAX),
        client_secret=_secret(table, environ, "client_secret", needed=False),
        scope=table.text("scope", "", longest=_TEXT_MAX),
        style=table.choice("style", STYLES, STYLES[0]),
        refresh_token=_secret(table, environ, "refresh_token", needed=True),
        access_token=table.text("access_token", "", longest=TOKEN_MAX),
        expires_ms=_expires_ms(table),
    )
    try:
        check_oauth(plan, allow_private=allow_private)
    except OAuthError as error:
        raise table.error(error.field, reason_of(error)) from None
    return plan


def check_oauth(plan: OAuthPlan, *, allow_private: bool) -> None:
    """Refuse what cannot be or must not be; OAuthError says what. `allow_private`: the site's word."""
    _check_url(plan.token_url, allow_private=allow_private)
    if plan.style not in STYLES:
        raise OAuthError("style", none_of("style", STYLES))
    for name in ("client_id", "client_secret", "scope"):
        _check_text(name, getattr(plan, name), _TEXT_MAX)
    for name in ("refresh_token", "access_token"):
        _check_text(name, getattr(plan, name), TOKEN_MAX)
    if not plan.refresh_token:
        raise OAuthError("refresh_token", phrase("oauth needs a refresh_token"))
    # It travels in a header, where anything else could end the line.
    if not plan.access_token.isascii() or " " in plan.access_token:
        reason = phrase("access_token: a token is printable ASCII")
        raise OAuthError("access_token", reason)
    if bool(plan.access_token) != bool(plan.expires_ms):
        reason = phrase("access_token and expires belong together")
        raise OAuthError("access_token", reason)


def _check_url(url: str, *, allow_private: bool) -> None:
    try:
        target = Target.parse(url)
    except ValueError as error:
        raise OAuthError("token_url", url_fault(error, "token_url")) from None
    address = literal(target.host)
    if address is not None and not dialable(address, allow_private=True):
        reason = phrase("token_url: link-local addresses are never dialled")
        raise OAuthError("token_url", reason)
    if not allow_private and (
        not target.tls or (address is not None and not dialable(address, allow_private=False))
    ):
        reason = phrase(
            "token_url: http:// and private addresses need allow_private_upstreams = true"
        )
        raise OAuthError("token_url", reason)


def _check_text(name: str, value: str, longest: int) -> None:
    if value != value.strip() or not value.isprintable() or len(value) > longest:
        raise OAuthError(name, not_printable(name, longest))


def _secret(table: Fields, environ: Mapping[str, str], name: str, *, needed: bool) -> str:
    by_name = f"{name}_env"
    if name in table and by_name in table:
        raise table.error(
            by_name, phrase("oauth has either %(name)s or %(other)s", name=name, other=by_name)
        )
    if by_name in table:
        value = environ.get(table.text(by_name), "")
        if not value:
            reason = phrase("%(name)s names a variable that is not set", name=by_name)
            raise table.error(by_name, reason)
        return value
    if name not in table and not needed:
        return ""
    return table.text(name, longest=TOKEN_MAX)


def _expires_ms(table: Fields) -> int:
    given = table.raw("expires")
    if given is None:
        return 0
    if not isinstance(given, datetime) or given.tzinfo is None:
        raise table.error("expires", no_moment("expires"))
    return timegm(given.utctimetuple()) * 1000
