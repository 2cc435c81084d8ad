"""Proof that people see what they have, and that a code is redeemed once."""

import asyncio

from tests.api.admin.office import Office, kind, problem
from tests.api.own.people import client_of
from tollbridge.api.admin.idempotency import HEADER, REPLAYED
from tollbridge.core.clock import now_ms
from tollbridge.identity.audit import SHELL
from tollbridge.people.redeeming import Batch, make_codes
from tollbridge.storage.unit_of_work import working

PATH = "/api/user/wallet"


async def codes(office: Office, count: int = 1) -> list[str]:
    batch = Batch("spring", count, 2_500_000_000, credit_days=30)
    async with working(office.shop.engine) as connection:
        return await make_codes(connection, office.shop.secrets, SHELL, batch, now_ms())


async def test_what_there_is(each_office: Office):
    await each_office.shop.reserve(250_000_000)
    async with client_of(each_office) as client:
        assert (await client.get(PATH)).json() == {
            "currency": "USD", "balance": "5.00", "reserved": "0.25", "free": "4.75",
        }  # fmt: skip
        [lot] = (await client.get(f"{PATH}/lots")).json()["items"]
        [line] = (await client.get(f"{PATH}/lines")).json()["items"]
    assert (lot["amount"], lot["remaining"], lot["expires_at"]) == ("5.00", "5.00", None)
    assert line["amount"] == "5.00"


async def test_a_code_is_redeemed_once(each_office: Office):
    [code] = await codes(each_office)
    async with client_of(each_office) as client, client_of(each_office, "bob") as other:
        reply = await client.post(f"{PATH}/redeem", json={"code": code.lower()})
        assert (reply.status_code, reply.json()["amount"]) == (200, "2.50")
        assert reply.json()["balance"] == "7.50"
        assert kind(await client.post(f"{PATH}/redeem", json={"code": code})) == (409, "conflict")
        refused = await other.post(f"{PATH}/redeem", json={"code": code})
        strange = await other.post(f"{PATH}/redeem", json={"code": "tbr_" + "A" * 24})
        assert problem(refused)["errors"] == problem(strange)["errors"]
        first = (await client.get(f"{PATH}/lines?limit=1")).json()
        rest = (await client.get(first["next"])).json()
        lots = (await client.get(f"{PATH}/lots")).json()["items"]
    lines = first["items"] + rest["items"]
    assert [(one["amount"], one["kind"]) for one in lines] == [("2.50", "code"), ("5.00", "grant")]
    assert [(one["amount"], one["origin"]) for one in lots] == [("2.50", "code"), ("5.00", "grant")]


async def test_a_named_redeeming_is_told_again(each_office: Office):
    [code] = await codes(each_office)
    async with client_of(each_office) as client:
        sent = {"json": {"code": code}, "headers": {HEADER: "a"}}
        replies = await asyncio.gather(*(client.post(f"{PATH}/redeem", **sent) for _ in range(3)))
    assert {reply.status_code for reply in replies} == {200}
    assert len({reply.content for reply in replies}) == 1
    assert sum(REPLAYED in reply.headers for reply in replies) == 2


async def test_guessing_is_stopped(office: Office):
    async with client_of(office) as client:
        told = [
            kind(await client.post(f"{PATH}/redeem", json={"code": f"tbr_{one}"}))
            for one in range(6)
        ]
    assert told == [(422, "invalid")] * 5 + [(429, "too-many-tries")]
