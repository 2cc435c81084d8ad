"""Owns signed-in accounts as values: opening and sealing their rows, and how an operator sets one.

The refresh token is kept with a mark of the one that was given, so that giving the same one again
changes nothing once it has been rotated. Must not know HTTP. No error and no line holds a secret.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.catalog.plan import OAuthPlan
from tollbridge.core.secrets import Secrets, SecretsError
from tollbridge.storage import account_tokens as rows

DISABLED_BY_US: Final = "oauth: "
"""How `accounts.disabled_reason` begins where signing in failed for good."""

KIND: Final = "token"
"""What seals of the table are bound to, besides row and column."""

_MARK = "refresh token"
_PLAIN = ("token_url", "client_id", "scope", "style")


@dataclass(frozen=True, slots=True)
class TokenRow:
    """How an account proves itself; times are milliseconds since 1970.

    `given` marks the refresh token that an operator gave. `held`: somebody refreshes now.
    """

    account_id: int
    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str
    style: str
    refresh: str = field(repr=False)
    given: str
    access: str = field(repr=False)
    expires_ms: int
    version: int
    held: bool
    quarantined_until_ms: int
    failure: str


async def read_token(
    connection: AsyncConnection, secrets: Secrets, account_id: int
) -> TokenRow | None:
    """Return an account's row opened, None when it has none; SecretsError when it does not open."""
    row = await rows.read_row(connection, account_id)
    return _opened(row, secrets) if row is not None else None


async def keep_token(
    connection: AsyncConnection,
    secrets: Secrets,
    row: TokenRow,
    *,
    access: str,
    refresh: str,
    expires_ms: int,
    failure: str = "",
) -> bool:
    """Store what a refresh brought; `refresh` "" keeps the one there is. False: the version moved."""
    return await rows.store(
        connection,
        row.account_id,
        row.version,
        {
            "access": _sealed(secrets, row.account_id, "access", access),
            "refresh": _sealed_refresh(secrets, row.account_id, refresh or row.refresh, row.given),
            "expires_ms": expires_ms,
            "failure": failure,
        },
    )


async def set_oauth(
    connection: AsyncConnection,
    secrets: Secrets,
    account_id: int,
    plan: OAuthPlan,
    *,
    at_ms: int,
    moved: bool = False,
) -> Sequence[str]:
    """Make an account sign in as planned; return the names of what changed, none when nothing did.

    The same refresh token as was given last leaves what it was rotated into alone, unless the token
    endpoint is another one, or the account was `moved` to another address or proxy: then only what is
    given now counts. A new one voids what was held against the account for its sign-in.
    Call it in a transaction of `unit_of_work.writing` that has the turn `sealed.SEALING_TURN`.
    """
    stored = await rows.read_row(connection, account_id)
    before = _readable(stored, secrets)
    given = secrets.mark(_MARK, plan.refresh_token).hex()
    anew = before is None or moved or (before.given, before.token_url) != (given, plan.token_url)
    changed = [
        name for name in _PLAIN if before is None or getattr(before, name) != getattr(plan, name)
    ]
    if before is None or before.client_secret != plan.client_secret:
        changed.append("client_secret")
    if anew:
        changed.append("refresh_token")
    if not changed:
        return ()
    values: dict[str, Any] = {name: getattr(plan, name) for name in _PLAIN}
    values["client_secret"] = _sealed(secrets, account_id, "client_secret", plan.client_secret)
    values |= {"quarantined_until_ms": 0, "failure": ""}
    if anew:
        values["refresh"] = _sealed_refresh(secrets, account_id, plan.refresh_token, given)
        values["access"] = _sealed(secrets, account_id, "access", plan.access_token)
        values["expires_ms"] = plan.expires_ms
    if stored is None:
        values["version"] = at_ms
    await rows.put_row(connection, account_id, values, exists=stored is not None)
    await rows.mend_account(connection, account_id, at_ms=at_ms, prefix=DISABLED_BY_US)
    return changed


async def forget_oauth(connection: AsyncConnection, account_id: int) -> bool:
    """Take away how an account signs in, where it has another address, proxy or secret now.

    False when there was nothing. Until `set_oauth` an account of auth 'oauth' cannot be used then.
    """
    return await rows.drop_row(connection, account_id)


def _readable(row: RowMapping | None, secrets: Secrets) -> TokenRow | None:
    """Return a row; None when this key file cannot open it, so that it is written anew."""
    try:
        return _opened(row, secrets) if row is not None else None
    except SecretsError:
        return None


def _opened(row: RowMapping, secrets: Secrets) -> TokenRow:
    kept: dict[str, str] = msgspec.json.decode(_open(secrets, row, "refresh") or "{}")
    return TokenRow(
        account_id=row["account_id"],
        token_url=row["token_url"],
        client_id=row["client_id"],
        client_secret=_open(secrets, row, "client_secret"),
        scope=row["scope"],
        style=row["style"],
        refresh=kept.get("token", ""),
        given=kept.get("given", ""),
        access=_open(secrets, row, "access"),
        expires_ms=row["expires_ms"],
        version=row["version"],
        held=bool(row["held"]),
        quarantined_until_ms=row["quarantined_until_ms"],
        failure=row["failure"],
    )


def _open(secrets: Secrets, row: RowMapping, column: str) -> str:
    sealed: str = row[column]
    return secrets.open(sealed, _bound(row["account_id"], column)) if sealed else ""


def _sealed(secrets: Secrets, account_id: int, column: str, plain: str) -> str:
    return secrets.seal(plain, _bound(account_id, column)) if plain else ""


def _sealed_refresh(secrets: Secrets, account_id: int, token: str, given: str) -> str:
    kept = msgspec.json.encode({"given": given, "token": token}).decode()
    return _sealed(secrets, account_id, "refresh", kept)


def _bound(account_id: int, column: str) -> str:
    return f"{KIND}:{account_id}:{column}"
