"""Proof that operators see all figures, with cost, loss and margin, and are told what is wrong."""

from typing import Any

import pytest

from tests.api.admin.office import Office, kind, problem
from tests.api.test_statistics import USED, around, counted
from tests.services.shop import DEMO, OTHERS
from tollbridge.identity.scopes import Scope


async def test_all_of_it(each_office: Office):
    shop = each_office.shop
    tids = [
        await shop.settle(USED, charge=5_000, loss=33),
        await shop.settle(USED, charge=7_000, secret=OTHERS),
    ]
    await counted(shop, *tids)
    demo, others = await shop.key(DEMO), await shop.key(OTHERS)
    main = shop.services.snapshot().channels_by_name["main"].id
    asked = around(tids[0], group="user,key,channel")
    rows = (await each_office.get("/statistics", **asked))["rows"]
    by_user = {row["user"]["name"]: row for row in rows}
    mine = by_user["ada@example.com"]
    assert mine["user"]["id"] == str(demo.user_id)
    assert mine["key"] == {"id": str(demo.id), "name": "demo"}
    assert mine["channel"] == {"id": str(main), "name": "main"}
    money = {name: mine[name] for name in ("charge", "own_cost", "loss", "margin")}
    assert money == {
        "charge": "0.000005", "own_cost": "0.000000777", "loss": "0.000000033",
        "margin": "0.000004223",
    }  # fmt: skip
    assert "model" not in mine and "status_class" not in mine
    shown = await each_office.get("/statistics", **around(tids[0]))
    assert [row["charge"] for row in shown["rows"]] == ["0.000012"]
    assert (shown["from"], shown["by"]) == (asked["from"], "day")
    for filters in (
        {"user": str(others.user_id)},
        {"key": str(others.id)},
    ):
        shown = await each_office.get("/statistics", **around(tids[0], **filters))
        assert [row["charge"] for row in shown["rows"]] == ["0.000007"]
    for none in ({"channel": "1"}, {"model": "x"}, {"status_class": "5"}):
        assert (await each_office.get("/statistics", **around(tids[0], **none)))["rows"] == []


async def test_the_scope_is_needed(office: Office):
    asked = {"from": "2026-01-01", "to": "2026-01-02", "zone": "UTC"}
    async with office.client(Scope.REQUESTS_READ) as client:
        reply = await client.get("/api/admin/statistics", params=asked)
        assert kind(reply) == (403, "scope-missing")
    async with office.client(Scope.STATISTICS_READ, role="staff") as client:
        assert (await client.get("/api/admin/statistics", params=asked)).status_code == 200


async def test_own_cost_is_not_told_to_staff(office: Office):
    tid = await office.shop.settle(USED, charge=5_000)
    await counted(office.shop, tid)
    async with office.client(Scope.STATISTICS_READ, role="staff") as client:
        reply = await client.get("/api/admin/statistics", params=around(tid))
    [row] = reply.json()["rows"]
    assert (row["charge"], row["own_cost"], row["margin"]) == ("0.000005", None, None)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("query.zone", {"zone": "Mars"}),
        ("query.from", {"from": "2026"}),
        ("query.to", {"to": "2028-01-01"}),
        ("query.group", {"group": "account"}),
        ("query.by", {"by": "week"}),
        ("query.user", {"user": "x"}),
        ("query.colour", {"colour": "red"}),
    ],
)
async def test_wrong_questions(office: Office, field: str, change: dict[str, Any]):
    asked = {"from": "2026-01-01", "to": "2026-01-02", "zone": "UTC", **change}
    async with office.client() as client:
        reply = await client.get("/api/admin/statistics", params=asked)
    assert kind(reply) == (422, "invalid")
    assert [fault["field"] for fault in problem(reply)["errors"]] == [field]
