"""Owns writing channels and their accounts as a plan wants them, with secrets sealed to their rows.

Lines that it returns name columns, never a secret.
"""

from collections.abc import Mapping, Sequence
from typing import Any

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
        row = rows.get(plan.name)
        channel_id = row["id"] if row else new_id()
        change = _Change(connection, secrets, "channel", row, channel_id)
        change.seal("proxy", plan.proxy)
        lines += await change.write(f"channel {plan.name}", _channel_columns(plan), at_ms)
        lines += await _match_accounts(
            connection, secrets, plan, channel_id, at_ms=at_ms, prune=prune
        )
    if prune:
        named = {plan.name for plan in plans}
        for name, row in sorted(rows.items()):
            if name not in named and row["enabled"]:
                change = _Change(connection, secrets, "channel", row, row["id"])
                await change.write(name, {"enabled": False}, at_ms)
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
        row = rows.get(plan.name)
        change = _Change(connection, secrets, "account", row, row["id"] if row else new_id())
        change.seal("secret", plan.secret)
        change.seal("proxy", plan.proxy)
        change.seal("headers", to_json(plan.headers) if plan.headers else "")
        columns = _account_columns(plan, channel, channel_id)
        title = f"account {channel.name}/{plan.name}"
        lines += await change.write(title, columns, at_ms)
        lines += await _match_sign_in(connection, secrets, change, plan, title, at_ms=at_ms)
    if prune:
        named = {plan.name for plan in channel.accounts}
        for name, row in sorted(rows.items()):
            if name not in named and row["enabled"]:
                change = _Change(connection, secrets, "account", row, row["id"])
                await change.write(name, {"enabled": False}, at_ms)
                lines.append(f"- account {channel.name}/{name}: switched off")
    return lines


async def _match_sign_in(
    connection: AsyncConnection,
    secrets: Secrets,
    change: "_Change",
    plan: AccountPlan,
    title: str,
    *,
    at_ms: int,
) -> list[str]:
    """Make how an account signs in as planned; return the line that says so if it is not new."""
    if plan.oauth is None:
        if change.row is not None and change.row["auth"] == "oauth":
            await forget_oauth(connection, change.id)
        return []
    # Another host would be sent what belongs to the one before (architecture.md, "Storage").
    moved = change.row is not None and (
        change.row["base_url"] != plan.base_url or change.seals("proxy")
    )
    changed = await set_oauth(connection, secrets, change.id, plan.oauth, at_ms=at_ms, moved=moved)
    if change.row is None or not changed:
        return []
    return [f"~ {title}: {', '.join(f'oauth.{name}' for name in sorted(changed))}"]


class _Change:
    """One row of channels or accounts on its way to what is wanted."""

    def __init__(
        self,
        connection: AsyncConnection,
        secrets: Secrets,
        kind: str,
        row: RowMapping | None,
        row_id: int,
    ) -> None:
        self._connection = connection
        self._secrets = secrets
        self._kind = kind
        self.row = row
        self.id = row_id
        self._table = {"channel": channels, "account": accounts}[kind]
        self._sealed: dict[str, str] = {}

    def seals(self, column: str) -> bool:
        """Whether a sealed column is going to be another."""
        return column in self._sealed

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

    async def write(self, title: str, wanted: Mapping[str, Any], at_ms: int) -> list[str]:
        """Insert or update the row; return the line that says so, none when nothing differed."""
        if self.row is None:
            values = {**wanted, **self._sealed, "id": self.id, "created_ms": at_ms}
            await self._connection.execute(insert(self._table).values(**values))
            return [f"+ {title}"]
        changes = {**differing(self.row, wanted), **self._sealed}
        if not changes:
            return []
        await self._connection.execute(
            update(self._table).where(self._table.c.id == self.id).values(**changes)
        )
        return [f"~ {title}: {', '.join(sorted(changes))}"]


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


def _account_columns(plan: AccountPlan, channel: ChannelPlan, channel_id: int) -> dict[str, Any]:
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
        "stops_on_abort": channel.platform in _STOPPING and not plan.compatible,
        "auth": "secret" if plan.oauth is None else "oauth",
        "enabled": True,
        **plan.limits._asdict(),
    }
