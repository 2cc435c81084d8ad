"""Proof that settings are stored once and read back."""

from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.catalog.plan import SitePlan
from tollbridge.catalog.site_rows import match_site, read_site
from tollbridge.catalog.snapshot import Site
from tollbridge.core.errors import Profile
from tollbridge.storage.unit_of_work import writing

PLAN = SitePlan(Profile.PLAIN, ("10.0.0.0/8",), allow_private_upstreams=True)


async def test_settings_are_stored_and_read(engine: AsyncEngine):
    async with writing(engine) as connection:
        assert await read_site(connection) == Site()
        assert await match_site(connection, None) == []
        assert len(await match_site(connection, PLAN)) == 3
        assert await match_site(connection, PLAN) == []
        assert await match_site(connection, None) == []
        assert await read_site(connection) == Site(Profile.PLAIN, ("10.0.0.0/8",), True)
        changed = SitePlan(Profile.LEGACY, ("10.0.0.0/8",), allow_private_upstreams=True)
        assert await match_site(connection, changed) == ["~ site: error_profile"]
