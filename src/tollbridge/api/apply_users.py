"""Owns the users' half of `tollbridge apply`: users, their credit, their keys and limits."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.billing.budgets import move_budget
from tollbridge.billing.grants import grant, open_wallet
from tollbridge.billing.limits import limit_changes, open_limit
from tollbridge.catalog.fields import FileError
from tollbridge.catalog.plan import KeyPlan, UserPlan
from tollbridge.core.clock import new_id
from tollbridge.core.money import format_usd
from tollbridge.core.periods import period_at
from tollbridge.core.secrets import Secrets
from tollbridge.identity.passwords import hash_password, password_matches
from tollbridge.identity.users import (
    add_key,
    add_user,
    change_key,
    change_user,
    find_user,
    key_with_secret,
    keys_of,
    secret_columns,
    user_with_telegram,
)
from tollbridge.storage.rows import differing, to_json

_BUDGET_COLUMNS = ("budget_nano", "budget_period")


class Hashed(NamedTuple):
    """A password to store, and what was stored when that was decided."""

    seen: str | None
    fresh: str


async def passwords_to_store(
    connection: AsyncConnection, given: Mapping[str, str]
) -> Callable[[], dict[str, Hashed]]:
    """Read what is stored for these addresses; return the slow work of hashing what differs."""
    stored: dict[str, str | None] = {}
    for email in given:
        row = await find_user(connection, email)
        stored[email] = row["password_hash"] if row else None

    def work() -> dict[str, Hashed]:
        return {
            email: Hashed(stored[email], hash_password(password))
            for email, password in given.items()
            if not password_matches(stored[email] or "", password)
        }

    return work


class UserWriter:
    """Makes users match their plans within one transaction; collects lines and minted keys."""

    def __init__(
        self,
        connection: AsyncConnection,
        secrets: Secrets,
        channels: Mapping[str, int],
        hashes: Mapping[str, Hashed],
        *,
        at_ms: int,
        prune: bool,
    ) -> None:
        """`channels` are ids by name; `hashes` are the passwords to store, by address."""
        self._connection = connection
        self._secrets = secrets
        self._channels = channels
        self._hashes = hashes
        self._at_ms = at_ms
        self._prune = prune
        self.lines: list[str] = []
        self.minted: list[tuple[str, str, str]] = []

    async def match(self, plan: UserPlan) -> None:
        """Make one user, the credit of a new one, and the named keys as planned."""
        row = await find_user(self._connection, plan.email)
        if plan.telegram_id is not None:
            await self._refuse_bound(plan, plan.telegram_id, row)
        user_id = await self._add(plan) if row is None else await self._change(row, plan)
        existing = await keys_of(self._connection, user_id)
        for key in plan.keys:
            await self._match_key(plan, user_id, existing.get(key.name), key)
        if self._prune:
            named = {key.name for key in plan.keys}
            for name, key_row in sorted(existing.items()):
                if name not in named and key_row["enabled"]:
                    await change_key(self._connection, key_row["id"], {"enabled": False})
                    self.lines.append(f"- key {plan.email}/{name}: switched off")

    async def _add(self, plan: UserPlan) -> int:
        user_id = new_id()
        wallet_id = await open_wallet(self._connection, user_id)
        hashed = self._hashes.get(plan.email)
        columns = {
            "wallet_id": wallet_id,
            "role": plan.role,
            "group_name": plan.group,
            "password_hash": hashed.fresh if hashed else None,
            "telegram_id": plan.telegram_id,
            **plan.limits._asdict(),
            **_told_of(plan),
        }
        await add_user(self._connection, user_id, plan.email, self._at_ms, columns)
        credit = ""
        if plan.credit:
            ref = f"apply:{user_id}"
            await grant(self._connection, wallet_id, plan.credit, ref, self._at_ms)
            credit = f", ${format_usd(plan.credit)} granted"
        self.lines.append(f"+ user {plan.email}{credit}")
        return user_id

    async def _change(self, row: RowMapping, plan: UserPlan) -> int:
        wanted = {
            "role": plan.role,
            "group_name": plan.group,
            **plan.limits._asdict(),
            **_told_of(plan),
        }
        if plan.telegram_id is not None:
            wanted["telegram_id"] = plan.telegram_id
        hashed = self._hashes.get(plan.email)
        if hashed and not await _set_meanwhile(row, plan, hashed):
            wanted["password_hash"] = hashed.fresh
        changes = differing(row, wanted)
        await change_user(self._connection, row["id"], changes)
        if changes:
            self.lines.append(f"~ user {plan.email}: {_named(changes)}")
        user_id: int = row["id"]
        return user_id

    async def _match_key(
        self, user: UserPlan, user_id: int, row: RowMapping | None, key: KeyPlan
    ) -> None:
        title = f"key {user.email}/{key.name}"
        wanted = self._key_columns(key)
        if key.secret is not None:
            await self._refuse_taken(key, key.secret, row)
            wanted |= secret_columns(self._secrets, key.secret)
        if row is None:
            await self._add_key(user, user_id, key, wanted)
            self.lines.append(f"+ {title}")
            return
        changes = differing(row, wanted)
        if "hash" in changes:
            # What the file says is the secret, at once.
            changes |= {"old_hash": None, "old_last6": None, "old_until_ms": None}
        changes |= await limit_changes(self._connection, row, key.limit)
        await change_key(self._connection, row["id"], changes)
        if key.budget is not None and not changes.keys().isdisjoint(_BUDGET_COLUMNS):
            now = period_at(key.budget.period, self._at_ms)
            await move_budget(self._connection, row["id"], key.budget.amount, now)
        if changes:
            self.lines.append(f"~ {title}: {_named(changes)}")

    async def _add_key(
        self, user: UserPlan, user_id: int, key: KeyPlan, wanted: dict[str, Any]
    ) -> None:
        key_id = new_id()
        if key.secret is None:
            secret = self._secrets.mint_key()
            wanted |= secret_columns(self._secrets, secret)
            self.minted.append((user.email, key.name, secret))
        if key.limit is not None:
            purse_id = await open_limit(self._connection, key_id, key.limit)
            wanted |= {"limit_nano": key.limit, "limit_purse_id": purse_id}
        await add_key(self._connection, key_id, user_id, self._at_ms, wanted)

    async def _refuse_taken(self, key: KeyPlan, secret: str, row: RowMapping | None) -> None:
        owner = await key_with_secret(self._connection, self._secrets, secret)
        if owner is not None and (row is None or owner["id"] != row["id"]):
            raise FileError(key.line, f"the secret of key {key.name} is another key's already")

    async def _refuse_bound(self, plan: UserPlan, telegram_id: int, row: RowMapping | None) -> None:
        owner = await user_with_telegram(self._connection, telegram_id)
        if owner is not None and (row is None or owner["id"] != row["id"]):
            reason = f"telegram_id of {plan.email} is another user's already"
            raise FileError(plan.line, reason)

    def _key_columns(self, key: KeyPlan) -> dict[str, Any]:
        return {
            "name": key.name,
            "channel_id": self._channels[key.channel] if key.channel is not None else None,
            "enabled": True,
            "expires_ms": key.expires_ms,
            "ips": to_json(key.ips),
            "models": to_json(key.models),
            "may_pin": key.may_pin,
            "budget_nano": key.budget.amount if key.budget else None,
            "budget_period": key.budget.period if key.budget else None,
            **key.limits._asdict(),
        }


def _told_of(plan: UserPlan) -> dict[str, Any]:
    """Return what the file says the user wants to be told of; what it is silent about stays."""
    columns: dict[str, Any] = {}
    if plan.budget is not None:
        columns |= {"budget_nano": plan.budget.amount, "budget_period": plan.budget.period}
    if plan.low_balance is not None:
        columns["low_balance_nano"] = plan.low_balance
    return columns


async def _set_meanwhile(row: RowMapping, plan: UserPlan, hashed: Hashed) -> bool:
    """Tell whether somebody else has stored this very password since we looked."""
    stored = row["password_hash"]
    if stored is None or stored == hashed.seen:
        return False
    return await asyncio.to_thread(password_matches, stored, plan.password or "")


def _named(changes: Mapping[str, Any]) -> str:
    """Name what changed in the file's words."""
    words = {
        "group_name": "group",
        "password_hash": "password",
        "channel_id": "channel",
        "limit_nano": "limit",
        "budget_nano": "budget",
        "low_balance_nano": "low_balance",
        "expires_ms": "expires",
        "hash": "secret",
    }
    hidden = {"last6", "limit_excess_nano", "limit_purse_id"}
    hidden |= {"old_hash", "old_last6", "old_until_ms"}
    return ", ".join(sorted(words.get(name, name) for name in changes if name not in hidden))
