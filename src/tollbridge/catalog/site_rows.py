"""Owns the settings of the installation as rows of `site`: one JSON value a key."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.catalog.plan import SitePlan
from tollbridge.catalog.site_fields import SITE_FIELDS
from tollbridge.catalog.snapshot import Site
from tollbridge.core.errors import Profile
from tollbridge.core.money import parse_usd
from tollbridge.storage.rows import to_json
from tollbridge.storage.tables import site


async def match_site(connection: AsyncConnection, plan: SitePlan | None) -> list[str]:
    """Make the settings as planned; None says nothing about them. Return a line for each change."""
    if plan is None:
        return []
    wanted = {
        "error_profile": plan.error_profile.value,
        "trusted_proxies": plan.trusted_proxies,
        "allow_private_upstreams": plan.allow_private_upstreams,
        **plan.more,
    }
    return [f"~ site: {name}" for name in await change_site(connection, wanted)]


async def change_site(connection: AsyncConnection, wanted: Mapping[str, Any]) -> list[str]:
    """Set these settings, whose values are `checked`; return the names of those that differed."""
    stored = await _stored(connection)
    changed = []
    for key, value in wanted.items():
        text = to_json(value)
        if stored.get(key) == text:
            continue
        if key in stored:
            await connection.execute(update(site).where(site.c.key == key).values(value=text))
        else:
            await connection.execute(insert(site).values(key=key, value=text))
        changed.append(key)
    return changed


async def site_values(connection: AsyncConnection) -> dict[str, Any]:
    """Return every setting as it is stored, by name, with defaults for what was never set."""
    stored = await _stored(connection)
    return {
        one.name: json.loads(stored[one.name]) if one.name in stored else one.default
        for one in SITE_FIELDS
    }


async def read_site(connection: AsyncConnection) -> Site:
    """Return the settings, with defaults for what was never set; ValueError for a damaged row."""
    values = await site_values(connection)
    for one in SITE_FIELDS:
        if one.kind == "list":
            values[one.name] = tuple(values[one.name])
        elif one.kind == "usd":
            values[one.name] = parse_usd(values[one.name])
    return Site(**{**values, "error_profile": Profile(values["error_profile"])})


async def _stored(connection: AsyncConnection) -> dict[str, str]:
    rows = await connection.execute(select(site.c.key, site.c.value))
    return {row.key: row.value for row in rows}
