"""Proof that people make, change, rotate and delete their own keys, and that a secret is told once."""

import asyncio

import pytest
from sqlalchemy import select

from tests.api.admin.office import Office, kind, problem
from tests.api.own.people import client_of
from tests.services.shop import DEMO
from tollbridge.api.admin.idempotency import HEADER
from tollbridge.storage.tables import api_keys, change
from tollbridge.storage.unit_of_work import reading

PATH = "/api/user/keys"


async def version(office: Office) -> int:
    async with reading(office.shop.engine) as connection:
        return int((await connection.execute(select(change.c.version))).scalar_one())


async def test_a_key_from_its_making_to_its_end(each_office: Office):
    main = str(each_office.shop.services.snapshot().channels_by_name["main"].id)
    wish = {
        "name": "laptop", "channel_id": main, "limit": "5.00", "budget": "1.00",
        "budget_period": "day", "expires_at": "2099-01-01T00:00:00.000Z", "ips": ["10.0.0.0/8"],
        "models": ["gpt-5.4"], "rpm": 5, "tpm": 6, "concurrency": 7,
    }  # fmt: skip
    async with client_of(each_office) as client:
        reply = await client.post(PATH, json=wish)
        assert reply.status_code == 201, reply.text
        made = reply.json()
        secret = made.pop("secret")
        assert {name: made[name] for name in wish} == wish
        assert (made["spent"], made["budget_spent"], made["state"]) == ("0.00", "0.00", "active")
        assert made["last6"] == secret[-6:]
        assert (await each_office.shop.key(secret)).id == int(made["id"])
        one = f"{PATH}/{made['id']}"
        shown = await client.get(one)
        assert shown.json() == made
        assert secret not in shown.text + (await client.get(PATH)).text
        before = await version(each_office)
        changed = (await client.patch(one, json={"limit": None, "enabled": False})).json()
        assert (changed["limit"], changed["spent"], changed["state"]) == (None, None, "disabled")
        assert changed["models"] == ["gpt-5.4"]
        turned = (await client.post(f"{one}/rotate", json={"grace_s": 3600})).json()
        assert turned["secret"] != secret and turned["old_last6"] == secret[-6:]
        assert (await client.delete(one)).status_code == 204
        assert kind(await client.get(one)) == (404, "not-found")
        assert await version(each_office) >= before + 3


async def test_keys_are_listed_by_pages(office: Office):
    async with client_of(office) as client:
        whole = (await client.get(PATH)).json()
        names = []
        link = f"{PATH}?limit=1"
        while link:
            page = (await client.get(link)).json()
            names += [one["name"] for one in page["items"]]
            link = page["next"]
    assert names == [one["name"] for one in whole["items"]]
    assert sorted(names) == ["auto", "demo", "limited"]


@pytest.mark.parametrize(
    ("wish", "fields"),
    [
        ({"name": "demo"}, {"body.name"}),
        ({"name": "#x"}, {"body.name"}),
        ({"name": "x", "channel_id": "7"}, {"body.channel_id"}),
        ({"name": "x", "expires_at": "2026-01-01T00:00:00Z"}, {"body.expires_at"}),
        ({"name": "x", "ips": ["nowhere"]}, {"body.ips"}),
        ({"name": "x", "models": ["none"], "limit": "0.00"}, {"body.models", "body.limit"}),
        ({"name": "x", "may_pin": True}, {"body.may_pin"}),
        ({}, {"body.name"}),
    ],
)
async def test_what_cannot_be_wished_is_named(office: Office, wish, fields):
    async with client_of(office) as client:
        reply = await client.post(PATH, json=wish)
    assert kind(reply) == (422, "invalid")
    assert {one["field"] for one in problem(reply)["errors"]} == fields


async def test_a_named_making_makes_one(each_office: Office):
    async with client_of(each_office) as client:
        replies = await asyncio.gather(
            *(client.post(PATH, json={"name": "x"}, headers={HEADER: "a"}) for _ in range(3))
        )
    assert sorted(reply.status_code for reply in replies) == [201, 409, 409]
    async with reading(each_office.shop.engine) as connection:
        query = select(api_keys.c.id).where(api_keys.c.name == "x")
        assert len((await connection.execute(query)).all()) == 1


async def test_making_secrets_too_often_is_refused(office: Office):
    key_id = (await office.shop.key(DEMO)).id
    async with client_of(office) as client:
        reply = None
        for _ in range(31):
            reply = await client.post(f"{PATH}/{key_id}/rotate", json={})
    assert kind(reply) == (429, "too-many-tries")
    assert int(reply.headers["retry-after"]) >= 1
