"""Proof that people see themselves and choose language, zone and alerts."""

import pytest

from tests.api.admin.office import Office, kind, problem
from tests.api.own.people import client_of


async def test_it_is_oneself(each_office: Office):
    async with client_of(each_office) as client:
        me = (await client.get("/api/user/me")).json()
    assert (me["email"], me["role"], me["group"]) == ("ada@example.com", "user", "default")
    assert me["scopes"] == ["own:read", "own:write"]
    assert me["alerts"] == {"budget": None, "period": None, "low_balance": None}
    assert (me["language"], me["zone"], me["has_second_factor"]) == (None, None, False)


async def test_place_is_chosen_and_what_is_left_out_stays(each_office: Office):
    async with client_of(each_office) as client:
        both = {"language": "zh_Hans", "zone": "Asia/Shanghai"}
        first = (await client.patch("/api/user/me", json=both)).json()
        second = (await client.patch("/api/user/me", json={"zone": None})).json()
        third = (await client.get("/api/user/me")).json()
    assert {name: first[name] for name in both} == both
    assert (second["language"], second["zone"]) == ("zh_Hans", None)
    assert third == second


async def test_alerts_are_set_whole(each_office: Office):
    wanted = {"budget": "20.00", "period": "week", "low_balance": "0.00"}
    async with client_of(each_office) as client:
        shown = (await client.put("/api/user/me/alerts", json=wanted)).json()
        none = (await client.put("/api/user/me/alerts", json={})).json()
    assert shown["alerts"] == wanted
    assert set(none["alerts"].values()) == {None}


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("PATCH", "me", {"zone": "Mars/Base"}, "body.zone"),
        ("PATCH", "me", {"language": "xx"}, "body.language"),
        ("PATCH", "me", {"email": "x@example.com"}, "body.email"),
        ("PUT", "me/alerts", {"budget": "1.00"}, "body"),
        ("PUT", "me/alerts", {"budget": "0.00", "period": "day"}, "body"),
        ("PUT", "me/alerts", {"low_balance": "-1.00"}, "body.low_balance"),
        ("PUT", "me/alerts", {"low_balance": 1}, "body.low_balance"),
    ],
)
async def test_what_cannot_be_is_named(office: Office, method, path, body, field):
    async with client_of(office) as client:
        reply = await client.request(method, f"/api/user/{path}", json=body)
    assert kind(reply) == (422, "invalid")
    assert [one["field"] for one in problem(reply)["errors"]] == [field]
