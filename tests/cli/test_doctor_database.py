"""Proof of what doctor finds in a database: the catalogue, what waits, what does not open."""

from dataclasses import replace

from sqlalchemy import insert

from tests.services.control_plane import database_url, engine, secrets
from tests.services.pages import House, house
from tollbridge.cli.doctor_database import sold, stored
from tollbridge.cli.doctor_line import Level, Line
from tollbridge.core.clock import now_ms
from tollbridge.core.settings import Settings
from tollbridge.identity.audit import SHELL
from tollbridge.people.first_channel import FirstChannel, save_first_channel
from tollbridge.storage.queue import enqueue
from tollbridge.storage.unit_of_work import working, writing
from tollbridge.storage.work_tables import alert, job

__all__ = ["database_url", "engine", "house", "secrets"]
WISH = FirstChannel("main", "openai", ("gpt-a", "gpt-*"), "https://api.example.com", "secret-one")
KEYS = (
    '{"pepper": "cHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHA=", "current_key_id": "%s",'
    ' "encryption_keys": {"%s": "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="}}'
)


def settings_of(house: House, key_id: str = "k1") -> Settings:
    url = house.engine.url.render_as_string(hide_password=False)
    plain = url.replace("+aiosqlite", "").replace("+asyncpg", "")
    return Settings(database=plain, keys=KEYS % (key_id, key_id))


async def lines_of(house: House, key_id: str = "k1") -> dict[str, Line]:
    return {line.what: line async for line in stored(settings_of(house, key_id))}


async def test_an_empty_site(house: House) -> None:
    lines = await lines_of(house)
    assert {what for what, line in lines.items() if line.level is Level.BAD} == {"admin"}
    assert {what for what, line in lines.items() if line.level is Level.WARN} == {
        "channels", "backup",
    }  # fmt: skip


async def test_what_waits_for_operators_is_told(house: House) -> None:
    await house.user("op@example.com", "admin")
    at_ms = now_ms()
    noted = {"id": 1, "kind": "disk", "subject": "/", "detail": "", "first_ms": at_ms}
    async with working(house.engine) as connection:
        await enqueue(connection, "mail", {})
        await connection.execute(job.update().values(state="dead"))
        await connection.execute(insert(alert).values(**noted, last_ms=at_ms, count=1))
    lines = await lines_of(house)
    assert (lines["admin"].level, lines["alerts"].text) == (Level.OK, "1 open: disk /")
    assert lines["jobs"].text.startswith("1 given up, 1 of them mail")


async def test_secrets_of_a_key_that_is_gone_are_bad(house: House) -> None:
    async with writing(house.engine) as connection:
        await save_first_channel(connection, house.secrets, SHELL, WISH, now_ms())
    assert (await lines_of(house))["secrets"].level is Level.OK
    lost = (await lines_of(house, "k2"))["secrets"]
    assert lost.level is Level.BAD and "secret-one" not in lost.text


async def test_what_nobody_can_buy_is_told(house: House) -> None:
    async with writing(house.engine) as connection:
        run = await save_first_channel(connection, house.secrets, SHELL, WISH, now_ms())
    await house.set_site(sign_up="open")
    lines = {line.what: line for line in sold(house.snapshot)}
    assert lines["channels"].level is Level.OK
    assert lines["prices"].text.startswith("none for gpt-a, all of channel main")
    assert lines["terms"].level is Level.WARN
    channel = replace(house.snapshot.channels[run.channel_id or 0], accounts=())
    bare = replace(house.snapshot, channels={channel.id: channel})
    assert {line.what: line.level for line in sold(bare)}["channels"] is Level.BAD
