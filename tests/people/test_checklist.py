"""Proof of what a new site is told to do, and that the list goes away."""

from dataclasses import replace

import pytest
from sqlalchemy import insert

from tests.services.pages import House
from tollbridge.catalog.snapshot import Snapshot
from tollbridge.core.clock import new_id, new_tid, now_ms
from tollbridge.core.settings import Settings
from tollbridge.identity.audit import SHELL
from tollbridge.identity.users import add_key
from tollbridge.people.checklist import (
    Checklist,
    hide_checklist,
    last_backup_ms,
    note_backup,
    read_checklist,
    tick,
)
from tollbridge.people.first_channel import end_first_run
from tollbridge.storage.query_tables import call_index
from tollbridge.storage.unit_of_work import reading, working

BARE = Settings()
HOSTED = Settings(smtp_host="mail.example.com", public_url="https://ai.example.com")


async def read(
    house: House, settings: Settings | None = BARE, snapshot: Snapshot | None = None
) -> Checklist | None:
    async with reading(house.engine) as connection:
        return await read_checklist(connection, snapshot or house.snapshot, now_ms(), settings)


def undone(found: Checklist | None) -> list[str]:
    assert found is not None
    return [item.name for item in found.items if not item.done]


async def test_a_new_site_has_everything_to_do(house: House) -> None:
    found = await read(house)
    assert undone(found) == [
        "account", "prices", "mail", "public_url", "backup", "terms", "user", "key", "call",
    ]  # fmt: skip
    assert found is not None and found.left == 9
    assert found.items[0].href == "/setup/channel"
    async with working(house.engine) as connection:
        await end_first_run(connection)
    found = await read(house)
    assert found is not None and found.items[0].href == "/backoffice/channels"


async def test_settings_and_ticks_count(house: House) -> None:
    assert {"mail", "public_url"}.isdisjoint(undone(await read(house, HOSTED)))
    assert {"mail", "public_url"}.isdisjoint(undone(await read(house, None)))
    async with working(house.engine) as connection:
        for name in ("mail", "backup", "mail"):
            await tick(connection, SHELL, name, now_ms())
        with pytest.raises(ValueError, match="not a thing"):
            await tick(connection, SHELL, "terms", now_ms())
    assert {"mail", "backup"}.isdisjoint(undone(await read(house)))


async def test_a_backup_is_remembered(house: House) -> None:
    async with working(house.engine) as connection:
        assert await last_backup_ms(connection) is None
        await note_backup(connection, 5)
        assert await last_backup_ms(connection) == 5
    assert "backup" not in undone(await read(house))


async def test_it_goes_away_when_all_is_done(house: House) -> None:
    await house.set_site(terms="Be kind.")
    ann = await house.user()
    call = {"tid": new_tid(), "user_id": ann, "key_id": 1, "channel_id": 1, "model": "m"}
    async with working(house.engine) as connection:
        more = {"name": "k", "enabled": True, "ips": "[]", "models": "[]", "may_pin": False}
        limits = {"rpm": 0, "tpm": 0, "concurrency": 0}
        columns = {**more, **limits, "hash": b"h", "last6": "abcdef"}
        await add_key(connection, new_id(), ann, now_ms(), columns)
        await connection.execute(insert(call_index).values(**call, status=200, charge=1))
        await note_backup(connection, now_ms())
    assert undone(await read(house, HOSTED)) == ["prices"]
    selling = replace(house.snapshot, visible={1: ("m",)})
    assert await read(house, HOSTED, selling) is None
    assert undone(await read(house, BARE, selling)) == ["mail", "public_url"]


async def test_hidden_it_stays_away(house: House) -> None:
    async with working(house.engine) as connection:
        await hide_checklist(connection, SHELL, now_ms())
    assert await read(house) is None
