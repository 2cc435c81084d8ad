"""Proof that accounts are made and changed, and that what they prove themselves with stays hidden."""

import pytest

from tests.api.admin.office import Office, kind, problem

PATH = "/api/admin/accounts"
WISH = {"name": "second", "base_url": "http://127.0.0.1:9", "secret": "canary-91c2", "weight": 5}


async def main(office: Office) -> str:
    return str(office.shop.services.snapshot().channels_by_name["main"].id)


async def test_an_account_from_its_making(each_office: Office):
    async with each_office.client() as client:
        wish = WISH | {"channel_id": await main(each_office), "headers": {"x-canary": "91c2"}}
        reply = await client.post(PATH, json=wish)
        assert reply.status_code == 201, reply.text
        made = reply.json()
        assert (made["name"], made["weight"], made["state"]) == ("second", 5, "active")
        path = f"{PATH}/{made['id']}"
        changed = await client.patch(path, json={"rpm": 7, "enabled": False})
        assert changed.json()["limits"]["rpm"] == 7
        assert (changed.json()["enabled"], changed.json()["weight"]) == (False, 5)
        moved = await client.patch(path, json={"base_url": "http://127.0.0.1:10"})
        assert kind(moved) == (422, "invalid")
        assert [one["field"] for one in problem(moved)["errors"]] == ["body.secret"]
        log = await client.get("/api/admin/audit?subject_kind=account")
        assert {one["action"] for one in log.json()["items"]} == {
            "account.make", "account.change", "account.switch_off",
        }  # fmt: skip
        for shown in (reply, changed, log, await client.get(path)):
            assert "91c2" not in shown.text


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"channel_id": "7"}, "body.channel_id"),
        ({"name": "hidden-account"}, "body.name"),
        ({"base_url": "ftp://x"}, "body.base_url"),
        ({"headers": {"authorization": "x"}}, "body.headers"),
        ({"secret_env": "HOME"}, "body.secret_env"),
        ({"cost": "x"}, "body.cost"),
    ],
)
async def test_what_cannot_be_is_named(office: Office, more, field: str):
    async with office.client() as client:
        reply = await client.post(PATH, json=WISH | {"channel_id": await main(office)} | more)
        assert kind(reply) == (422, "invalid")
        assert [one["field"].split(".")[:2] for one in problem(reply)["errors"]] == [
            field.split(".")
        ]
        assert kind(await client.patch(f"{PATH}/7", json={"rpm": 5})) == (404, "not-found")
