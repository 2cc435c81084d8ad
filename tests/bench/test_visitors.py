"""Who visits the pages of a generated database: there once, however often it is measured."""

from sqlalchemy import func, select

from bench.crowd import Crowd
from bench.rows import make
from bench.visitors import SECRETS, ZONE, prepare
from tests.services.control_plane import database_url
from tollbridge.catalog.loader import load_snapshot
from tollbridge.core.clock import now_ms
from tollbridge.identity.sessions import find_session
from tollbridge.storage.engine import open_engine
from tollbridge.storage.ledger_tables import journal
from tollbridge.storage.unit_of_work import reading

__all__ = ["database_url"]


async def test_visitors_and_what_they_look_at(database_url: str) -> None:
    await make(database_url, 4_000, days=2)
    engine = open_engine(database_url)
    try:
        first, again = await prepare(engine), await prepare(engine)
        assert first.things == again.things
        assert first.heavy != again.heavy
        async with reading(engine) as connection:
            heavy = await find_session(connection, SECRETS, first.heavy, now_ms())
            admin = await find_session(connection, SECRETS, again.admin, now_ms())
            lines = await connection.scalar(select(func.count()).select_from(journal))
        assert heavy is not None
        assert (heavy.user_id, heavy.role, heavy.zone) == (Crowd().heavy_id, "user", ZONE)
        assert admin is not None
        assert admin.role == "admin"
        assert lines == 100
        snapshot = await load_snapshot(engine, SECRETS)
        assert set(snapshot.channels) == set(Crowd().channel_ids)
        assert all(one.accounts and one.models for one in snapshot.channels.values())
    finally:
        await engine.dispose()
