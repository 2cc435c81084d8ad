"""Owns the settings of the installation as rows of `site`: one JSON value a key."""

import json

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.catalog.plan import SitePlan
from tollbridge.catalog.snapshot import Site
from tollbridge.core.errors import Profile
from tollbridge.storage.rows import to_json
from tollbridge.storage.tables import site


async def match_site(connection: AsyncConnection, plan: SitePlan | None) -> list[str]:
    """Make the settings as planned; None says nothing about them. Return a line for each change."""
    if plan is None:
        return []
    stored = await _stored(connection)
    wanted = {
        "error_profile": to_json(plan.error_profile.value),
        "trusted_proxies": to_json(plan.trusted_proxies),
        "allow_private_upstreams": to_json(plan.allow_private_upstreams),
    }
    lines = []
    for key, value in wanted.items():
        if stored.get(key) == value:
            continue
        if key in stored:
            await connection.execute(update(site).where(site.c.key == key).values(value=value))
        else:
            await connection.execute(insert(site).values(key=key, value=value))
        lines.append(f"~ site: {key}")
    return lines


async def read_site(connection: AsyncConnection) -> Site:
    """Return the settings, with defaults for what was never set; ValueError for a damaged row."""
    stored = {key: json.loads(value) for key, value in (await _stored(connection)).items()}
    return Site(
        error_profile=Profile(stored.get("error_profile", Profile.STRICT.value)),
        trusted_proxies=tuple(stored.get("trusted_proxies", ())),
        allow_private_upstreams=bool(stored.get("allow_private_upstreams", False)),
    )


async def _stored(connection: AsyncConnection) -> dict[str, str]:
    rows = await connection.execute(select(site.c.key, site.c.value))
    return {row.key: row.value for row in rows}
