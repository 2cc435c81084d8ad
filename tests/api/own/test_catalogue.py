"""Proof that people see the channels of their group and what models cost there."""

from tests.api.admin.office import Office, kind
from tests.api.own.people import client_of


async def test_channels_are_those_of_the_group(each_office: Office):
    vip = each_office.shop.services.snapshot().channels_by_name["vip"].id
    async with client_of(each_office) as client:
        shown = (await client.get("/api/user/channels")).json()["items"]
        assert [one["name"] for one in shown] == ["main", "small"]
        assert shown[0]["multiplier"] == "0.15"
        one = await client.get(f"/api/user/channels/{shown[0]['id']}")
        assert one.json() == shown[0]
        assert kind(await client.get(f"/api/user/channels/{vip}")) == (404, "not-found")


async def test_prices_are_those_of_the_cheapest_channel(each_office: Office):
    async with client_of(each_office) as client:
        shown, link = [], "/api/user/prices?limit=1"
        while link:
            page = (await client.get(link)).json()
            shown += page["items"]
            link = page["next"]
        by_name = {one["model"]: one for one in shown}
        assert list(by_name) == sorted(by_name)
        assert not by_name.keys() & {"unpriced", "worthless"}
        main = by_name["gpt-5.4"]
        # 2.50 dollars a million, times 0.15.
        assert (main["channel"], main["rates"]["prompt"]) == ("main", "0.000000375")
        small = each_office.shop.services.snapshot().channels_by_name["small"].id
        there = (await client.get(f"/api/user/prices?channel={small}")).json()["items"]
        assert {one["model"]: one["rates"]["prompt"] for one in there} == {
            "GPT-small": "0.000001", "gpt-5.4": "0.0000025",
        }  # fmt: skip
        assert kind(await client.get("/api/user/prices?channel=7")) == (422, "invalid")
