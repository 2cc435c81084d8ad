"""Proof that channels are listed, shown and switched, and that nothing sealed is ever shown."""

import pytest
from sqlalchemy import select

from tests.api.admin.office import Office, kind
from tollbridge.catalog.loader import change_version
from tollbridge.identity.scopes import Scope
from tollbridge.storage.tables import channels
from tollbridge.storage.unit_of_work import reading

SEALED = "sealed-7f3a"


async def number_of(office: Office, name: str) -> str:
    async with reading(office.shop.engine) as connection:
        found = await connection.execute(select(channels.c.id).where(channels.c.name == name))
        return str(found.scalar_one())


async def version(office: Office) -> int:
    async with reading(office.shop.engine) as connection:
        return await change_version(connection)


async def test_a_channel_is_shown_whole(each_office: Office):
    await each_office.shop.change_channel(
        "main", rpm=7, mapping='{"a":"b"}', capabilities='["images"]', requires_telegram=True
    )
    number = await number_of(each_office, "main")
    shown = await each_office.get(f"/channels/{number}")
    assert shown.pop("created_at").endswith("Z")
    assert shown == {
        "id": number,
        "name": "main",
        "platform": "openai",
        "surfaces": ["*"],
        "models": ["gpt-5.4", "o9-*", "unpriced", "worthless"],
        "mapping": {"a": "b"},
        "multiplier": "0.15",
        "capabilities": ["images"],
        "client_policy": "any",
        "groups": ["*"],
        "requires_telegram": True,
        "has_proxy": False,
        "rpm": 7,
        "tpm": 0,
        "concurrency": 0,
        "enabled": True,
        "accounts": 1,
    }


async def test_a_proxy_is_told_of_and_not_told(office: Office):
    engine = office.shop.engine
    number = await number_of(office, "main")
    async with engine.begin() as connection:
        await connection.execute(channels.update().values(proxy=SEALED))
    async with office.client() as client:
        for path in ("/api/admin/channels", f"/api/admin/channels/{number}"):
            reply = await client.get(path)
            assert '"has_proxy":true' in reply.text
            assert SEALED not in reply.text


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({}, ["main", "small", "vip"]),
        ({"name": "MA"}, ["main", "small"]),
        ({"name": "%"}, []),
        ({"platform": "openai", "enabled": "true"}, ["main", "small"]),
        ({"enabled": "false"}, ["vip"]),
        ({"platform": "gemini"}, []),
        ({"name": "main", "enabled": "false"}, []),
    ],
)
async def test_filters(office: Office, asked: dict[str, str], names: list[str]):
    await office.shop.change_channel("vip", enabled=False)
    shown = await office.get("/channels", **asked)
    assert sorted(one["name"] for one in shown["items"]) == names


async def test_wrong_filters(office: Office):
    async with office.client() as client:
        for query in ("platform=x", "enabled=maybe", "name=%00", "name=" + "x" * 65):
            reply = await client.get(f"/api/admin/channels?{query}")
            assert kind(reply) == (422, "invalid"), query


async def test_a_channel_is_switched_and_servers_hear_of_it(each_office: Office):
    number = await number_of(each_office, "main")
    path, before = f"/api/admin/channels/{number}", await version(each_office)
    async with each_office.client(Scope.CHANNELS_WRITE) as client:
        before = await version(each_office)
        reply = await client.patch(path, json={"enabled": False})
        assert (reply.status_code, reply.json()["enabled"]) == (200, False)
        assert await version(each_office) == before + 1
        reply = await client.patch(path, json={"enabled": False})
        assert (reply.status_code, reply.json()["enabled"]) == (200, False)
        assert await version(each_office) == before + 1
    assert (await each_office.get(f"/channels/{number}"))["enabled"] is False


@pytest.mark.parametrize(
    "body",
    [
        {"enabled": 1},
        {"enabled": None},
        {"platform": "gemini"},
        {"name": "small"},
        {"multiplier": "0"},
        {"rpm": -1},
        [],
    ],
)
async def test_what_cannot_be_is_refused(office: Office, body):
    number = await number_of(office, "main")
    async with office.client() as client:
        reply = await client.patch(f"/api/admin/channels/{number}", json=body)
    assert kind(reply) == (422, "invalid")


async def test_a_channel_is_made_and_changed(office: Office):
    peak = {"from": "08:00", "to": "20:00", "zone": "UTC", "factor": "2"}
    wish = {"name": "fresh", "platform": "openai", "models": ["gpt-5.4"], "peak": peak}
    async with office.client() as client:
        made = (await client.post("/api/admin/channels", json=wish)).json()
        assert (made["name"], made["multiplier"], made["enabled"]) == ("fresh", "1.0", True)
        path = f"/api/admin/channels/{made['id']}"
        changed = (await client.patch(path, json={"multiplier": "0.5", "peak": None})).json()
        assert (changed["multiplier"], changed["models"]) == ("0.5", ["gpt-5.4"])
        log = (await client.get("/api/admin/audit?subject_kind=channel")).json()["items"]
    assert [(one["action"], one["via"]) for one in log] == [
        ("channel.change", "api"), ("channel.make", "api"),
    ]  # fmt: skip


async def test_channels_that_are_not_there(office: Office):
    async with office.client() as client:
        assert kind(await client.get("/api/admin/channels/7")) == (404, "not-found")
        reply = await client.patch("/api/admin/channels/7", json={"enabled": True})
        assert kind(reply) == (404, "not-found")
        for number in ("x", "-1", "9" * 20, "%00"):
            reply = await client.get(f"/api/admin/channels/{number}")
            assert kind(reply) == (422, "invalid")
