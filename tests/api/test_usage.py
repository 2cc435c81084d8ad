"""Proof that users page through their own calls, by every filter, with exact amounts."""

from typing import Any

import pytest

from tests.services.shop import AUTO, DEMO, LIMITED, OTHERS, Shop
from tests.storage.usage_writer import feed
from tollbridge.core.money import NANO
from tollbridge.protocols.usage import Usage
from tollbridge.storage.call_index import index_chunk
from tollbridge.storage.unit_of_work import working

USED = Usage(input=1000, output=10)


async def settle(shop: Shop, **ending: Any) -> str:
    tid = await shop.settle(USED, **ending)
    async with working(shop.engine) as connection:
        await feed(connection, [tid])
    while await index_chunk(shop.engine):
        pass
    return tid


async def listed(shop: Shop, query: str = "", secret: str = DEMO) -> list[str]:
    answer = await shop.get(f"/v1/usage?{query}", secret)
    return [one["tid"] for one in answer["data"]]


async def test_a_call_is_shown_as_its_receipt_sums_it_up(each_shop: Shop):
    tid = await settle(each_shop, charge=123, list_cost=4_000_000_000, total_ms=34)
    page = await each_shop.get("/v1/usage")
    receipt = await each_shop.get(f"/v1/receipts/{tid}")
    (line,) = page.pop("data")
    assert page == {"object": "list", "currency": "USD", "next": None, "previous": None}
    assert (line.pop("object"), line.pop("reversed")) == ("usage", "0.00")
    assert line == {name: receipt[name] for name in line}
    assert (line["charge"], line["list_cost"]) == ("0.000000123", "4.00")
    assert line["counts"] == {"input": 1000, "output": 10}


async def test_only_the_owner_sees_them_with_any_key(each_shop: Shop):
    tid = await settle(each_shop)
    assert await listed(each_shop, secret=AUTO) == [tid]
    assert await listed(each_shop, secret=OTHERS) == []
    # The name of another user's key means nothing.
    assert "no such key" in await refused(each_shop, "key=demo", OTHERS)


async def test_filters(each_shop: Shop):
    cheap = await settle(each_shop, charge=1)
    dear = await settle(each_shop, charge=NANO, secret=AUTO)
    failed = await settle(each_shop, state="upstream_error", status=502)
    for query, tids in {
        "key=demo": [failed, cheap],
        "key=auto": [dear],
        "channel=main": [failed, dear, cheap],
        "channel=small": [],
        "model=gpt-5.4": [failed, dear, cheap],
        "model=other&key=demo": [],
        "status_class=5": [failed],
        "min_charge=0.01": [dear],
        "min_charge=0.000000001&key=demo&model=gpt-5.4&status_class=2": [cheap],
        "since=2000-01-01T00:00:00Z&limit=1": [failed],
        "until=2001-01-01T00:00:00Z": [],
        f"after={failed}": [dear, cheap],
        f"before={cheap}&limit=1": [dear],
    }.items():
        assert await listed(each_shop, query) == tids, query


async def test_pages_go_on_and_back(each_shop: Shop):
    tids = [await settle(each_shop) for _ in range(3)][::-1]
    first = await each_shop.get("/v1/usage?limit=2")
    assert (first["next"], first["previous"]) == (tids[1], None)
    second = await each_shop.get(f"/v1/usage?limit=2&after={first['next']}")
    assert [one["tid"] for one in second["data"]] == tids[2:]
    assert await listed(each_shop, f"limit=2&before={second['previous']}") == tids[:2]


async def test_an_exhausted_key_may_read(shop: Shop):
    await settle(shop, charge=2 * NANO, secret=LIMITED)
    assert len(await listed(shop, secret=LIMITED)) == 1


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=201", "after=x", "before=" + "A" * 32, "status_class=6", "min_charge=-1",
        "min_charge=1e3", "min_charge=0.0000000001", "since=yesterday", "key=", "key=%00",
        "model=%00", "pages=1", f"after={'0' * 32}&before={'0' * 32}", "channel=nothing",
    ],
)  # fmt: skip
async def test_wrong_questions_name_the_field(shop: Shop, query: str):
    field = query.rpartition("&")[2].partition("=")[0]
    assert field in await refused(shop, query)


async def refused(shop: Shop, query: str, secret: str = DEMO) -> str:
    async with shop.client(secret) as client:
        reply = await client.get(f"/v1/usage?{query}")
    assert reply.status_code == 400
    message: str = reply.json()["error"]["message"]
    return message
