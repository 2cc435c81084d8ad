"""Proof that an import is looked at, and that only what was looked at is taken."""

import pytest

from tests.api.admin.office import Office, kind

PATH = "/api/admin/prices/import"


async def test_what_was_looked_at_is_taken(each_office: Office):
    async with each_office.client() as client:
        asked = {"model": "gpt-5.4=gpt-4o"}
        diff = (await client.get(PATH, params=asked)).json()
        [change] = diff["changes"]
        assert (change["model"], change["provider"]) == ("gpt-5.4", "openai")
        assert change["lines"]
        body = {"mark": "0" * 64, "model": [asked["model"]]}
        assert kind(await client.post(PATH, json=body)) == (409, "conflict")
        done = await client.post(PATH, json=body | {"mark": diff["mark"]})
        assert done.json() == {"changes": [change]}
        assert (await client.get(PATH, params=asked)).json()["changes"] == []
        again = await client.post(PATH, json=body | {"mark": diff["mark"]})
        assert kind(again) == (409, "conflict")
        log = (await client.get("/api/admin/audit?action=model.import_price")).json()["items"]
        assert [one["subject"] for one in log] == ["gpt-5.4"]


@pytest.mark.parametrize("query", ["provider=nobody", "model==x", "model=a*", "day=1"])
async def test_what_cannot_be_asked(office: Office, query: str):
    async with office.client() as client:
        assert kind(await client.get(f"{PATH}?{query}")) == (422, "invalid")
