"""Owns editing one account: what it is as a table of the configuration file, saving, signing it in.

The same fields are checked by the same readers and written by the same writers as `tollbridge apply`
uses. No secret is ever read here to be shown. Every change needs a transaction of `writing`.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import RowMapping, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.catalog.channel_editing import channel_row
from tollbridge.catalog.channel_fields import ACCOUNT_FIELDS, read_account
from tollbridge.catalog.channel_rows import open_sealed, put_account
from tollbridge.catalog.edits import NOWHERE, Edit, NoSuchRow, edit_of
from tollbridge.catalog.fields import Fields, FileError
from tollbridge.catalog.oauth_fields import check_oauth
from tollbridge.catalog.plan import AccountPlan, OAuthPlan
from tollbridge.catalog.sealed import SEALING_TURN
from tollbridge.catalog.site_rows import read_site
from tollbridge.catalog.token_rows import read_token, set_oauth
from tollbridge.core.money import Multiplier
from tollbridge.core.phrase import phrase
from tollbridge.core.secrets import Secrets, SecretsError
from tollbridge.storage.tables import accounts
from tollbridge.storage.unit_of_work import take_turns

_PLAIN: Final = (
    *("name", "base_url", "weight", "priority", "compatible"),
    *("rpm", "tpm", "concurrency"),
)
_SEALED: Final = frozenset({"proxy", "headers"})
SECRET_NEEDED: Final = phrase("another address or proxy needs the secret again")
TOKEN_NEEDED: Final = phrase("another address or proxy needs a new refresh token")


async def save_account(
    connection: AsyncConnection,
    secrets: Secrets,
    account_id: int | None,
    channel_id: int,
    table: Mapping[str, Any],
    at_ms: int,
    *,
    keep: Collection[str] = (),
    refresh_token: str = "",
) -> Edit:
    """Make an account, a new one without an id, what a table of the file says.

    It keeps whether it is switched on; `keep` may hold "proxy" and "headers". Without a secret or
    oauth in the table it proves itself as before. Where its address or proxy becomes another one, it
    has to be given what it proves itself with again: its secret, or for one that signs in a
    `refresh_token`; headers that hold a credential too. FileError for a faulty field, NoSuchRow.
    """
    await take_turns(connection, SEALING_TURN)
    channel = await channel_row(connection, channel_id)
    row = None if account_id is None else await account_row(connection, account_id)
    if row is not None and row["channel_id"] != channel_id:
        raise NoSuchRow
    site = await read_site(connection)
    private = site.allow_private_upstreams
    fields = _fields(table)
    plan = read_account(
        fields, {}, channel["platform"], allow_private=private, proven=row is not None
    )
    await _refuse_name(connection, plan, channel_id, account_id)
    stays = set(keep) & _SEALED if row is not None else set[str]()
    proven = row is not None and not plan.secret and plan.oauth is None
    if row is not None and _moves(secrets, row, plan, stays):
        plan, proven = await _moved(connection, secrets, row, plan, refresh_token)
        if "headers" in stays and row["headers"]:
            reason = phrase(
                "headers: say them again, or none: the old ones are not sent to another address"
            )
            raise fields.error("headers", reason)
    if row is not None:
        stays |= {"enabled", "channel_id"} | ({"secret", "auth"} if proven else set())
    written = await put_account(
        connection, secrets, row, plan, channel_id, channel["platform"], at_ms=at_ms, keep=stays
    )
    action = "account.make" if written.made else "account.change"
    changes = {**written.changes, **{f"oauth.{name}": "changed" for name in written.signed}}
    before = {**row, **dict.fromkeys(changes.keys() - row.keys(), "")} if row else None
    name = f"{channel['name']}/{plan.name}"
    return edit_of(action, "account", before, written.id, name, changes)


def _moves(secrets: Secrets, row: RowMapping, plan: AccountPlan, stays: set[str]) -> bool:
    """Say whether what an account proves itself with would be sent elsewhere."""
    if row["base_url"] != plan.base_url:
        return True
    if "proxy" in stays:
        return False
    try:
        return open_sealed(secrets, "account", row, "proxy") != plan.proxy
    except SecretsError:
        return True


async def _moved(
    connection: AsyncConnection,
    secrets: Secrets,
    row: RowMapping,
    plan: AccountPlan,
    refresh_token: str,
) -> tuple[AccountPlan, bool]:
    """Return the plan with what it proves itself with from now on, and whether that may stay."""
    if plan.secret or plan.oauth is not None:
        return plan, False
    if row["auth"] != "oauth":
        if not row["secret"]:
            return plan, True
        raise FileError(1, SECRET_NEEDED, "secret")
    token = await read_token(connection, secrets, row["id"])
    if token is None:
        return plan, True
    if not refresh_token:
        raise FileError(1, TOKEN_NEEDED, "refresh_token")
    oauth = OAuthPlan(
        token_url=token.token_url,
        client_id=token.client_id,
        client_secret=token.client_secret,
        scope=token.scope,
        style=token.style,
        refresh_token=refresh_token,
    )
    return replace(plan, oauth=oauth), False


def _fields(table: Mapping[str, Any]) -> Fields:
    return Fields(dict(table), (), NOWHERE, ACCOUNT_FIELDS, what=phrase("an account"))


async def _refuse_name(
    connection: AsyncConnection, plan: AccountPlan, channel_id: int, account_id: int | None
) -> None:
    query = select(accounts.c.id).where(
        accounts.c.channel_id == channel_id, accounts.c.name == plan.name
    )
    found = (await connection.execute(query)).scalar_one_or_none()
    if found not in {None, account_id}:
        raise _fields({}).error("name", phrase("the channel has an account of this name already"))


async def sign_account_in(
    connection: AsyncConnection, secrets: Secrets, account_id: int, plan: OAuthPlan, at_ms: int
) -> Edit:
    """Let an account sign in with a refresh token instead of a secret. NoSuchRow, OAuthError."""
    await take_turns(connection, SEALING_TURN)
    row = await account_row(connection, account_id)
    site = await read_site(connection)
    check_oauth(plan, allow_private=site.allow_private_upstreams)
    changed = await set_oauth(connection, secrets, account_id, plan, at_ms=at_ms)
    changes = dict.fromkeys(changed, "changed")
    name = await _title(connection, row)
    return Edit("account.sign_in", "account", account_id, name, {}, changes)


async def switch_account(connection: AsyncConnection, account_id: int, *, enabled: bool) -> Edit:
    """Switch an account on or off as the configuration file does; NoSuchRow."""
    row = await account_row(connection, account_id)
    changes = {} if row["enabled"] == enabled else {"enabled": enabled}
    if changes:
        this = accounts.c.id == account_id
        await connection.execute(update(accounts).where(this).values(**changes))
    action = "account.switch_on" if enabled else "account.switch_off"
    return edit_of(action, "account", row, account_id, await _title(connection, row), changes)


async def account_row(connection: AsyncConnection, account_id: int) -> RowMapping:
    """Return an account's row with its sealed columns sealed; NoSuchRow."""
    query = select(accounts).where(accounts.c.id == account_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        raise NoSuchRow
    return row


async def _title(connection: AsyncConnection, row: RowMapping) -> str:
    channel = await channel_row(connection, row["channel_id"])
    return f"{channel['name']}/{row['name']}"


def account_table(row: RowMapping) -> dict[str, Any]:
    """Return an account as the file would say it, without anything sealed; ValueError if damaged."""
    table: dict[str, Any] = {name: row[name] for name in _PLAIN}
    table |= {name: json.loads(row[name]) for name in ("mapping", "params", "params_drop")}
    table["cost"] = Multiplier(row["cost_num"], row["cost_den"]).text()
    return table
