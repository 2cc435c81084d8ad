"""Proof that operators see all of a call, settled or running, and find it by what they know of it."""

from typing import Any

import pytest
from sqlalchemy import insert, update

from tests.api.admin.office import Office, kind
from tests.services.shop import AUTO, DEMO, OTHERS, Shop
from tollbridge.billing.bill import pack
from tollbridge.core.clock import new_tid
from tollbridge.core.money import NANO
from tollbridge.identity.scopes import Scope
from tollbridge.protocols.usage import Usage
from tollbridge.storage.call_index import index_chunk
from tollbridge.storage.ledger_tables import hold, node, usage_feed
from tollbridge.storage.unit_of_work import working

USED = Usage(input=1000, output=301)


async def indexed(shop: Shop, *tids: str) -> None:
    """Bring settled calls into the index, as the writer and the worker do."""
    async with working(shop.engine) as connection:
        await connection.execute(insert(usage_feed), [{"tid": tid} for tid in tids])
    while await index_chunk(shop.engine):
        pass


async def test_a_settled_call_is_shown_to_its_last_account(each_office: Office):
    shop = each_office.shop
    main = shop.services.snapshot().channels_by_name["main"]
    account = main.accounts[0].id
    attempts = f'[[{account},"status_500",3],[17,"ok",4]]'
    tid = await shop.settle(USED, charge=5000, attempts=attempts, flags=("model_mismatch",))
    key = await shop.key()
    shown = await each_office.get(f"/requests/{tid}")
    assert (shown["tid"], shown["state"], shown["hold"]) == (tid, "settled", None)
    assert shown["receipt"] == await shop.get(f"/v1/receipts/{tid}")
    assert shown["operator"] == {
        "user_id": str(key.user_id),
        "key_id": str(key.id),
        "wallet_id": str(key.wallet_id),
        "channel_id": str(main.id),
        "account_id": str(account),
        "account": "hidden-account",
        "platform": "openai",
        "client": "curl",
        "own_cost": "0.000000777",
        "loss": "0.00",
        "held": "0.00",
        "margin": "0.000004223",
        "attempts": [
            {
                "account_id": str(account),
                "account": "hidden-account",
                "outcome": "status_500",
                "took_ms": 3,
            },
            {"account_id": "17", "account": None, "outcome": "ok", "took_ms": 4},
        ],
    }
    assert shown["verdict"].startswith("right")


async def test_a_running_call_shows_what_it_holds_and_where(each_office: Office):
    shop = each_office.shop
    tid = await shop.reserve(NANO)
    async with working(shop.engine) as connection:
        await connection.execute(
            insert(node).values(id=1, name="box:8080", epoch=1, beat=1, dead=False)
        )
        bill = pack(await shop.bill(tid=tid))
        await connection.execute(update(hold).where(hold.c.tid == tid).values(bill=bill))
    shown = await each_office.get(f"/requests/{tid}")
    assert (shown["state"], shown["receipt"], shown["operator"]) == ("running", None, None)
    assert shown["hold"] == {
        "amount": "1.00",
        "charged_if_lost": "0.00",
        "since": "2026-01-01T00:00:00.123Z",
        "node": "box:8080",
        "node_id": "1",
        "node_over": False,
        "model": "gpt-5.4",
        "key_name": "demo",
    }


async def test_calls_that_are_not_there(office: Office):
    async with office.client() as client:
        reply = await client.get(f"/api/admin/requests/{new_tid()}")
        assert kind(reply) == (404, "not-found")
        for tid in ("x", "0" * 31, "0" * 33, "A" * 32):
            reply = await client.get(f"/api/admin/requests/{tid}")
            assert kind(reply) == (422, "invalid")


async def test_lists_are_found_by_every_filter(each_office: Office):
    shop = each_office.shop
    good = await shop.settle(USED, charge=5000)
    bad = await shop.settle(state="upstream_error", status=502, error_kind="upstream_failed")
    other = await shop.settle(USED, charge=7000, secret=OTHERS)
    await indexed(shop, good, bad, other)
    demo, others = await shop.key(DEMO), await shop.key(OTHERS)
    main = shop.services.snapshot().channels_by_name["main"].id
    ms = int(bad[:12], 16)

    async def tids(**asked: Any) -> list[str]:
        shown = await each_office.get("/requests", **asked)
        assert shown["next"] is None
        return [one["tid"] for one in shown["items"]]

    newest = sorted((good, bad, other), reverse=True)
    assert await tids() == newest
    assert await tids(user=str(others.user_id)) == [other]
    assert await tids(key=str(demo.id)) == [tid for tid in newest if tid != other]
    assert await tids(key=str((await shop.key(AUTO)).id)) == []
    assert await tids(channel=str(main), status_class=5) == [bad]
    assert await tids(model="gpt-5.4", user=str(demo.user_id), status_class=2) == [good]
    assert await tids(model="gpt-5") == []
    assert await tids(since=moment(ms + 60_000)) == []
    assert await tids(since=moment(ms - 60_000), until=moment(ms + 60_000)) == newest
    assert await tids(until=moment(ms - 60_000)) == []


def moment(at_ms: int) -> str:
    from tollbridge.billing.receipt_fields import time_text

    return time_text(at_ms)


async def test_a_line_of_a_list(office: Office):
    shop = office.shop
    tid = await shop.settle(
        USED, charge=5000, loss=1, flags=("estimated", "partial"), list_cost=9000, total_ms=34
    )
    await indexed(shop, tid)
    [line] = (await office.get("/requests"))["items"]
    assert line | {"user_id": "", "key_id": "", "channel_id": "", "account_id": ""} == {
        "tid": tid,
        "time": "2026-01-01T00:00:00.123Z",
        "user_id": "",
        "key_id": "",
        "key_name": "demo",
        "channel_id": "",
        "channel": "main",
        "account_id": "",
        "account": "hidden-account",
        "platform": "openai",
        "model_asked": "gpt-5.4",
        "model_sent": "gpt-5.4",
        "model_answered": None,
        "surface": "chat",
        "stream": True,
        "status": 200,
        "error": None,
        "end_state": "complete",
        "flags": ["estimated", "partial"],
        "client": "curl",
        "charge": "0.000005",
        "list_cost": "0.000009",
        "own_cost": "0.000000777",
        "loss": "0.000000001",
        "margin": "0.000004223",
        "first_token_ms": None,
        "total_ms": 34,
    }


@pytest.mark.parametrize(
    ("role", "earned"), [("staff", (None, None)), ("admin", ("0.000000777", "0.000004223"))]
)
async def test_own_cost_is_told_to_admins_only(office: Office, role: str, earned: Any):
    tid = await office.shop.settle(USED, charge=5000)
    await indexed(office.shop, tid)
    async with office.client(Scope.REQUESTS_READ, role=role) as client:
        [line] = (await client.get("/api/admin/requests")).json()["items"]
        call = (await client.get(f"/api/admin/requests/{tid}")).json()["operator"]
    for shown in (line, call):
        assert (shown["own_cost"], shown["margin"]) == earned


async def test_pages_of_calls_go_back_in_time(each_office: Office):
    shop = each_office.shop
    tids = [await shop.settle(USED) for _ in range(5)]
    await indexed(shop, *tids)
    seen, path = [], "/api/admin/requests?limit=2&status_class=2"
    async with each_office.client() as client:
        while path:
            shown = (await client.get(path)).json()
            seen += [one["tid"] for one in shown["items"]]
            path = shown["next"]
    assert seen == sorted(tids, reverse=True)


@pytest.mark.parametrize(
    "query",
    ["user=x", "key=-1", "channel=1.5", "status_class=0", "status_class=6", "since=yesterday",
     "until=1767225600000", "model=", "model=a%00b", "user=99999999999999999999"],
)  # fmt: skip
async def test_wrong_filters(office: Office, query: str):
    async with office.client() as client:
        assert kind(await client.get(f"/api/admin/requests?{query}")) == (422, "invalid")
