"""Owns `tollbridge apply`: makes the database match a configuration file, in one transaction.

The only place that brings catalogue, users and credit together for a file (contract.md). Its report
names things and columns; the one secret in it is a key that was just made, which is shown once.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.api.apply_users import Hashed, UserWriter, passwords_to_store
from tollbridge.catalog.channel_rows import channel_names, match_channels
from tollbridge.catalog.file import FileError, Known, parse_file, unpriced
from tollbridge.catalog.groups import match_groups
from tollbridge.catalog.model_rows import match_models, priced_models
from tollbridge.catalog.plan import Plan
from tollbridge.catalog.sealed import SEALING_TURN
from tollbridge.catalog.site_rows import match_site, read_site
from tollbridge.core.clock import now_ms
from tollbridge.core.secrets import Secrets, looks_minted
from tollbridge.identity.audit import Actor, Subject, note
from tollbridge.storage.unit_of_work import reading, take_turns, writing

NOTHING = "nothing to change"
_FILE = Subject("file", None, "configuration")


@dataclass(frozen=True, slots=True)
class Report:
    """What was done, or would be: a line each. `minted` keys are (user, key, secret)."""

    lines: list[str]
    minted: list[tuple[str, str, str]] = field(repr=False)
    notes: list[str]

    @property
    def changed(self) -> bool:
        """Whether anything differed from the file."""
        return self.lines != [NOTHING]


async def apply(
    engine: AsyncEngine,
    secrets: Secrets,
    text: str,
    *,
    environ: Mapping[str, str],
    dry_run: bool = False,
    prune: bool = False,
    by: Actor | None = None,
) -> Report:
    """Make the named things match the file; all of it or nothing.

    A dry run says what would change, keeps nothing and makes no keys. `prune` also switches off
    channels, accounts and models that the file does not name, and unnamed keys of users that it
    does name. What is changed is a line of the audit log where `by` says who did it. FileError with
    line and reason when the file is wrong.
    """
    async with reading(engine) as connection:
        known = await _known(connection)
    plan = parse_file(text, environ, known)
    _check_minted(plan, secrets)
    hashes = await _password_hashes(engine, plan)
    async with writing(engine) as connection:
        await take_turns(connection, SEALING_TURN)
        # Whoever was before us is in the past, also where prices begin.
        at_ms = now_ms()
        lines = await match_site(connection, plan.site)
        lines += await match_models(connection, plan.models, at_ms=at_ms, prune=prune)
        lines += await match_channels(connection, secrets, plan.channels, at_ms=at_ms, prune=prune)
        lines += await match_groups(connection, plan.groups, prune=prune)
        channels = await channel_names(connection)
        writer = UserWriter(connection, secrets, channels, hashes, at_ms=at_ms, prune=prune)
        for user in plan.users:
            await writer.match(user)
        lines += writer.lines
        notes = unpriced(plan, await priced_models(connection))
        if dry_run or not lines:
            await connection.rollback()
        elif by is not None:
            changes = "\n".join(lines)
            await note(connection, by, "file.apply", _FILE, at_ms, changes=changes, prune=prune)
    return Report(lines or [NOTHING], [] if dry_run else writer.minted, notes)


async def _known(connection: AsyncConnection) -> Known:
    site = await read_site(connection)
    return Known(
        channels=frozenset(await channel_names(connection)),
        allow_private_upstreams=site.allow_private_upstreams,
    )


def _check_minted(plan: Plan, secrets: Secrets) -> None:
    """Refuse a secret that looks like one of ours but is not: it would never be let in."""
    for key in (key for user in plan.users for key in user.keys):
        if key.secret and looks_minted(key.secret) and not secrets.check_tag_ok(key.secret):
            raise FileError(
                key.line, f"the secret of key {key.name} was made by another installation"
            )


async def _password_hashes(engine: AsyncEngine, plan: Plan) -> dict[str, Hashed]:
    """Return the new hashes by address, worked out before anything is locked: argon2 is slow."""
    given = {user.email: user.password for user in plan.users if user.password is not None}
    if not given:
        return {}
    async with reading(engine) as connection:
        stored = await passwords_to_store(connection, given)
    return await asyncio.to_thread(stored)
