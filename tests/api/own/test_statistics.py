"""Proof that people see what their own calls came to, and nothing of the operator's."""

import pytest

from tests.api.admin.office import Office, kind, problem
from tests.api.own.people import client_of

PATH = "/api/user/statistics"
ASKED = {"from": "2026-01-01", "to": "2026-02-01", "zone": "UTC"}


async def test_the_head_is_told_and_no_cost(each_office: Office):
    async with client_of(each_office) as client:
        shown = (await client.get(PATH, params=ASKED | {"group": "model"})).json()
        document = (await client.get("/api/user/openapi.json")).json()
    assert (shown["currency"], shown["by"], shown["group"]) == ("USD", "day", ["model"])
    fields = document["components"]["schemas"]["OwnRow"]["properties"].keys()
    assert not fields & {"own_cost", "loss", "margin", "user"}


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"group": "user"}, "query.group"),
        ({"user": "1"}, "query.user"),
        ({"zone": "Mars/Base"}, "query.zone"),
    ],
)
async def test_what_cannot_be_asked_is_named(office: Office, more, field):
    async with client_of(office) as client:
        reply = await client.get(PATH, params=ASKED | more)
    assert kind(reply) == (422, "invalid")
    assert [one["field"] for one in problem(reply)["errors"]] == [field]
