"""Owns writing channels and their accounts as a plan wants them, with secrets sealed to their rows.

Lines that it returns name columns, never a secret.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.catalog.plan import AccountPlan, ChannelPlan
from tollbridge.catalog.token_rows import forget_oauth, set_oauth
from tollbridge.core.clock import new_id
from tollbridge.core.secrets import Secrets, SecretsError
from tollbridge.storage.rows import differing, to_json
from tollbridge.storage.tables import accounts, channels

# Vendors that stop their bill when the connection closes; the others write on, so they are drained.
_STOPPING = frozenset({"openai", "anthropic"})


def open_sealed(secrets: Secrets, kind: str, row: RowMapping, column: str) -> str:
    """Return the plain text of a sealed column, "" when it is empty; SecretsError when it is not ours.

    `kind` is "channel" or "account": the seal is bound to the row and column (architecture.md).
    """
    sealed: str = row[column]
    return secrets.open(sealed, f"{kind}:{row['id']}:{column}") if sealed else ""


class Written(NamedTuple):
    """What was written of one row: the columns with their new values, sealed ones sealed.

    `signed` names what changed of how an account signs in.
    """

    id: int
    made: bool
    changes: Mapping[str, Any]
    signed: tuple[str, ...] = ()

    def lines(self, title: str) -> list[str]:
        """Return the lines that say so, none when nothing differed."""
        if self.made:
            return [f"+ {title}"]
        lines = [f"~ {title}: {', '.join(sorted(self.changes))}"] if self.changes else []
        if self.signed:
            lines.append(f"~ {title}: {', '.join(f'oauth.{name}' for name in self.signed)}")
        return lines


async def put_channel(
    connection: AsyncConnection,
    secrets: Secrets,
    row: RowMapping | None,
    plan: ChannelPlan,
    *,
    at_ms: int,
    keep: Collection[str] = (),
) -> Written:
    """Make a channel as planned, without its accounts; `row` is what there is of it.

    Columns to `keep` stay as they are.
    """
    change = _Change(connection, secrets, "channel", row)
    if "proxy" not in keep:
        change.seal("proxy", plan.proxy)
    wanted = _channel_columns(plan)
    return await change.write({name: wanted[name] for name in wanted if name not in keep}, at_ms)


async def put_account(
    connection: AsyncConnection,
    secrets: Secrets,
    row: RowMapping | None,
    plan: AccountPlan,
    channel_id: int,
    platform: str,
    *,
    at_ms: int,
    keep: Collection[str] = (),
) -> Written:
    """Make an account as planned; `row` is what there is of it.

    Columns to `keep` stay as they are, with "auth" among them also how it proves itself.
    """
    change = _Change(connection, secrets, "account", row)
    headers = to_json(plan.headers) if plan.headers else ""
    for column, plain in (("secret", plan.secret), ("proxy", plan.proxy), ("headers", headers)):
        if column not in keep:
            change.seal(column, plain)
    wanted = _account_columns(plan, platform, channel_id)
    columns = {name: wanted[name] for name in wanted if name not in keep}
    written = await change.write(columns, at_ms)
    if "auth" in keep:
        return written
    signed = await _match_sign_in(connection, secrets, row, written, plan, at_ms=at_ms)
    return written._replace(signed=signed)


async def match_channels(
    connection: AsyncConnection,
    secrets: Secrets,
    plans: Sequence[ChannelPlan],
    *,
    at_ms: int,
    prune: bool,
) -> list[str]:
    """Make the named channels and accounts as planned; return a line for each change.

    With `prune` channels and accounts that no plan names are switched off; nothing is deleted.
    """
    rows = {row["name"]: row for row in (await connection.execute(select(channels))).mappings()}
    lines = []
    for plan in plans:
        written = await put_channel(connection, secrets, rows.get(plan.name), plan, at_ms=at_ms)
        lines += written.lines(f"channel {plan.name}")
        lines += await _match_accounts(
            connection, secrets, plan, written.id, at_ms=at_ms, prune=prune
        )
    if prune:
        named = {plan.name for plan in plans}
        for name, row in sorted(rows.items()):
            if name not in named and row["enabled"]:
                change = _Change(connection, secrets, "channel", row)
                await change.write({"enabled": False}, at_ms)
                lines.append(f"- channel {name}: switched off")
    return lines


async def channel_names(connection: AsyncConnection) -> dict[str, int]:
    """Return every channel's id by its name."""
    rows = await connection.execute(select(channels.c.name, channels.c.id))
    return {row.name: row.id for row in rows}


async def _match_accounts(
    connection: AsyncConnection,
    secrets: Secrets,
    channel: ChannelPlan,
    channel_id: int,
    *,
    at_ms: int,
    prune: bool,
) -> list[str]:
    query = select(accounts).where(accounts.c.channel_id == channel_id)
    rows = {row["name"]: row for row in (await connection.execute(query)).mappings()}
    lines = []
    for plan in channel.accounts:
        written = await put_account(
            connection,
            secrets,
            rows.get(plan.name),
            plan,
            channel_id,
            channel.platform,
            at_ms=at_ms,
        )
        lines += written.lines(f"account {channel.name}/{plan.name}")
    if prune:
        named = {plan.name for plan in channel.accounts}
        for name, row in sorted(rows.items()):
            if name not in named and row["enabled"]:
                change = _Change(connection, secrets, "account", row)
                await change.write({"enabled": False}, at_ms)
                lines.append(f"- account {channel.name}/{name}: switched off")
    return lines


async def _match_sign_in(
    connection: AsyncConnection,
    secrets: Secrets,
    row: RowMapping | None,
    written: Written,
    plan: AccountPlan,
    *,
    at_ms: int,
) -> tuple[str, ...]:
    """Make how an account signs in as planned; return the names of what changed if it is not new."""
    if plan.oauth is None:
        if row is not None and row["auth"] == "oauth":
            await forget_oauth(connection, written.id)
        return ()
    # Another host would be sent what belongs to the one before (architecture.md, "Storage").
    moved = row is not None and (row["base_url"] != plan.base_url or "proxy" in written.changes)
    changed = await set_oauth(connection, secrets, written.id, plan.oauth, at_ms=at_ms, moved=moved)
    return () if row is None else tuple(sorted(changed))


class _Change:
    """One row of channels or accounts on its way to what is wanted."""

    def __init__(
        self,
        connection: AsyncConnection,
        secrets: Secrets,
        kind: str,
        row: RowMapping | None,
    ) -> None:
        self._connection = connection
        self._secrets = secrets
        self._kind = kind
        self.row = row
        self.id: int = row["id"] if row else new_id()
        self._table = {"channel": channels, "account": accounts}[kind]
        self._sealed: dict[str, str] = {}

    def seal(self, column: str, plain: str) -> None:
        """Want a sealed column to hold this text; sealing anew only what differs."""
        if self.row is None or self._plain(column) != plain:
            self._sealed[column] = (
                self._secrets.seal(plain, f"{self._kind}:{self.id}:{column}") if plain else ""
            )

    def _plain(self, column: str) -> str | None:
        """Return what the row holds; None when this key file cannot open it, so it is replaced."""
        if self.row is None:
            return None
        try:
            return open_sealed(self._secrets, self._kind, self.row, column)
        except SecretsError:
            return None

    async def write(self, wanted: Mapping[str, Any], at_ms: int) -> Written:
        """Insert or update the row; return what was written."""
        if self.row is None:
            values = {**wanted, **self._sealed, "id": self.id, "created_ms": at_ms}
            await self._connection.execute(insert(self._table).values(**values))
            return Written(self.id, made=True, changes=values)
        changes = {**differing(self.row, wanted), **self._sealed}
        if changes:
            this = self._table.c.id == self.id
            await self._connection.execute(update(self._table).where(this).values(**changes))
        return Written(self.id, made=False, changes=changes)


def _channel_columns(plan: ChannelPlan) -> dict[str, Any]:
    return {
        "name": plan.name,
        "platform": plan.platform,
        "surfaces": to_json(plan.surfaces),
        "models": to_json(plan.models),
        "multiplier_num": plan.multiplier.num,
        "multiplier_den": plan.multiplier.den,
        "capabilities": to_json(plan.capabilities),
        "client_policy": plan.client_policy,
        "groups": to_json(sorted(plan.groups)),
        "mapping": to_json(plan.mapping),
        "requires_telegram": plan.requires_telegram,
        "peak": plan.peak.text() if plan.peak else "{}",
        "enabled": True,
        **plan.limits._asdict(),
    }


def _account_columns(plan: AccountPlan, platform: str, channel_id: int) -> dict[str, Any]:
    return {
        "channel_id": channel_id,
        "name": plan.name,
        "base_url": plan.base_url,
        "weight": plan.weight,
        "priority": plan.priority,
        "compatible": plan.compatible,
        "mapping": to_json(plan.mapping),
        "params": to_json(plan.params),
        "params_drop": to_json(plan.params_drop),
        "cost_num": plan.cost.num,
        "cost_den": plan.cost.den,
        # OpenAI itself stops billing when a stream is cut; nothing is known of its look-alikes.
        "stops_on_abort": platform in _STOPPING and not plan.compatible,
        "auth": "secret" if plan.oauth is None else "oauth",
        "enabled": True,
        **plan.limits._asdict(),
    }
