"""Proof that staff give a call back once, and are told why they cannot."""

import asyncio
import json

import pytest

from tests.api.admin.office import Office, kind, problem
from tests.api.admin.test_requests import indexed
from tests.services.shop import LIMITED
from tollbridge.billing.funds import read_balance
from tollbridge.billing.verify import verify
from tollbridge.core.clock import new_tid
from tollbridge.identity.audit import Wanted, lines
from tollbridge.identity.scopes import Scope
from tollbridge.storage.unit_of_work import reading

REASON = {"reason": "The answer was garbled."}


async def ask(office: Office, tid: str, role: str = "staff", **more):
    async with office.client(Scope.REQUESTS_REVERSE, role=role) as client:
        return await client.post(f"/api/admin/requests/{tid}/reverse", **{"json": REASON, **more})


@pytest.mark.parametrize("role", ["staff", "admin"])
async def test_a_call_is_given_back_and_said_so_again(each_office: Office, role: str):
    shop = each_office.shop
    tid = await shop.settle(charge=5000, secret=LIMITED)
    key = await shop.key(LIMITED)
    expected = {
        "tid": tid, "state": "reversed", "amount": "0.000005", "user_id": str(key.user_id),
        "wallet_id": str(key.wallet_id), "repeated": False,
    }  # fmt: skip
    reply = await ask(each_office, tid, role)
    assert (reply.status_code, reply.json()) == (200, expected)
    again = await ask(each_office, tid, role)
    assert (again.status_code, again.json()) == (200, expected | {"repeated": True})
    async with reading(shop.engine) as connection:
        [line] = await lines(connection, Wanted(action="call.reverse"))
    assert (line["actor"], line["via"], line["subject"]) == (f"{role}@example.com", "api", tid)
    assert json.loads(line["detail"]) == {
        "reason": REASON["reason"], "amount": "0.000005", "user_id": key.user_id,
    }  # fmt: skip
    async with reading(shop.engine) as connection:
        purses = (key.wallet_id, key.id, key.limit_purse_id, 0)
        balance = await read_balance(connection, *purses)
    assert (balance.balance, balance.limit.remaining) == (5 * 10**9, 2 * 10**9)
    shown = await each_office.get(f"/requests/{tid}")
    assert shown["receipt"]["given_back"] == "0.000005"
    assert shown["operator"]["margin"] == "-0.000000777"
    assert shown["verdict"].startswith("right: $0.000005 was given back")
    await indexed(shop, tid)
    [listed] = (await each_office.get("/requests"))["items"]
    assert (listed["charge"], listed["margin"]) == ("0.00", "-0.000000777")
    assert await verify(shop.engine) == []


async def test_two_at_once_move_it_once(each_office: Office):
    tid = await each_office.shop.settle(charge=5000)
    replies = await asyncio.gather(*(ask(each_office, tid) for _ in range(4)))
    assert [reply.status_code for reply in replies] == [200] * 4
    assert sorted(reply.json()["repeated"] for reply in replies) == [False, True, True, True]
    assert await verify(each_office.shop.engine) == []


async def test_what_cannot_be_given_back(office: Office):
    shop = office.shop
    assert kind(await ask(office, new_tid())) == (404, "not-found")
    running = await ask(office, await shop.reserve(7))
    assert kind(running) == (409, "conflict")
    assert "still running" in problem(running)["detail"]
    free = await ask(office, await shop.settle())
    assert kind(free) == (409, "conflict")
    assert "charged nothing" in problem(free)["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": ""},
        {"reason": "  "},
        {"reason": "x" * 501},
        {"reason": "a\nb"},
        {"reason": "a", "amount": "1"},
    ],
)
async def test_a_reason_is_a_line_of_text(office: Office, body: dict[str, str]):
    tid = await office.shop.settle(charge=5000)
    assert kind(await ask(office, tid, json=body)) == (422, "invalid")
    assert kind(await ask(office, "0" * 31)) == (422, "invalid")
