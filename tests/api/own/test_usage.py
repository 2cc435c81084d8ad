"""Proof that people find their own calls and receipts."""

import pytest

from tests.api.admin.office import Office, kind, problem
from tests.api.own.people import client_of
from tests.services.shop import OTHERS
from tests.storage.usage_writer import feed
from tollbridge.core.clock import new_tid
from tollbridge.storage.call_index import index_chunk
from tollbridge.storage.unit_of_work import working

PATH = "/api/user/usage"


async def test_calls_are_listed_by_pages_and_each_has_a_receipt(each_office: Office):
    tids = [await each_office.shop.settle(charge=charge) for charge in (5, 6, 7)]
    theirs = await each_office.shop.settle(charge=9, secret=OTHERS)
    async with working(each_office.shop.engine) as connection:
        await feed(connection, [*tids, theirs])
    while await index_chunk(each_office.shop.engine):
        pass
    async with client_of(each_office) as client:
        found, link = [], f"{PATH}?limit=2"
        while link:
            page = (await client.get(link)).json()
            found += page["items"]
            link = page["next"]
        assert [one["tid"] for one in found] == tids[::-1]
        assert [one["charge"] for one in found] == ["0.000000007", "0.000000006", "0.000000005"]
        receipt = (await client.get(f"/api/user/receipts/{tids[0]}")).json()
        assert (receipt["tid"], receipt["charge"]) == (tids[0], "0.000000005")
        named = (await client.get(f"{PATH}?key=demo&min_charge=0.000000006")).json()["items"]
        assert [one["tid"] for one in named] == tids[:0:-1]
        for tid in (theirs, new_tid()):
            assert kind(await client.get(f"/api/user/receipts/{tid}")) == (404, "not-found")


async def test_a_running_call_has_no_receipt_yet(office: Office):
    tid = await office.shop.reserve(5)
    async with client_of(office) as client:
        reply = await client.get(f"/api/user/receipts/{tid}")
    assert kind(reply) == (404, "not-found")
    assert "still running" in problem(reply)["detail"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("key=others", 422),
        ("channel=none", 422),
        ("status_class=6", 422),
        ("min_charge=-1", 422),
        ("cursor=x", 400),
        ("user=1", 422),
    ],
)
async def test_what_cannot_be_asked(office: Office, query: str, status: int):
    async with client_of(office) as client:
        assert kind(await client.get(f"{PATH}?{query}"))[0] == status
