"""Proof that the figures of some days are shown, in the zone that was asked for."""

import pytest

from tests.api.admin.office import Office, kind
from tests.api.test_statistics import USED, counted
from tollbridge.identity.scopes import Scope

PATH = "/api/admin/overview"


async def test_figures(each_office: Office):
    async with each_office.client() as client:
        shown = (await client.get(f"{PATH}?days=7&zone=Asia/Shanghai")).json()
    assert len(shown["days"]) == 7
    assert (shown["total"]["calls"], shown["total"]["margin"]) == (0, "0.00")
    assert sum(shown["accounts"].values()) == 3


@pytest.mark.parametrize("role", ["staff", "admin"])
async def test_own_cost_is_told_to_admins_only(office: Office, role: str):
    await counted(office.shop, await office.shop.settle(USED, charge=5_000))
    async with office.client(Scope.STATISTICS_READ, role=role) as client:
        shown = (await client.get(f"{PATH}?days=1")).json()
    assert len(shown["channels"]) == 1
    for totals in (shown["total"], *(one["total"] for one in shown["channels"])):
        told = [totals[name] is not None for name in ("own_cost", "margin")]
        assert told == [role == "admin"] * 2


@pytest.mark.parametrize("query", ["days=2", "days=x", "zone=Mars/Base", "week=1"])
async def test_what_cannot_be_asked(office: Office, query: str):
    async with office.client() as client:
        assert kind(await client.get(f"{PATH}?{query}")) == (422, "invalid")
