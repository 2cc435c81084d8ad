"""Proof that users see the figures of their own calls, exactly, and nothing of ours or of others."""

from typing import Any

import pytest
from sqlalchemy import insert

from tests.services.shop import DEMO, LIMITED, OTHERS, Shop
from tests.storage.rollup_oracle import catch_up
from tollbridge.api.statistics import rate_text
from tollbridge.billing.receipt_fields import time_text
from tollbridge.core.clock import now_ms, tid_ms
from tollbridge.protocols.usage import Usage
from tollbridge.storage.ledger_tables import usage_feed
from tollbridge.storage.rollups import begin
from tollbridge.storage.unit_of_work import working

USED = Usage(input=1000, cache_read=200, output=301, reasoning=100)


async def counted(shop: Shop, *tids: str) -> None:
    """Bring settled calls into the figures, as the worker does."""
    async with working(shop.engine) as connection:
        await connection.execute(insert(usage_feed), [{"tid": tid} for tid in tids])
    await begin(shop.engine, now_ms())
    await catch_up(shop.engine)


def around(tid: str, **more: str) -> dict[str, str]:
    """Return the query for the days of UTC around a call."""
    at = tid_ms(tid)
    return {
        "from": time_text(at - 86_400_000)[:10],
        "to": time_text(at + 86_400_000)[:10],
        "zone": "UTC",
        **more,
    }


async def ask(shop: Shop, asked: dict[str, str], secret: str = DEMO, status: int = 200) -> Any:
    async with shop.client(secret) as client:
        reply = await client.get("/v1/statistics", params=asked)
    assert reply.status_code == status, reply.text
    assert reply.headers["cache-control"] == "no-store"
    return reply.json()


async def test_a_users_figures(each_shop: Shop):
    tids = [
        await each_shop.settle(
            USED, charge=834_000, list_cost=5_560_000, first_token_ms=12, total_ms=20
        ),
        await each_shop.settle(USED, charge=1, secret=LIMITED, total_ms=31),
        await each_shop.settle(state="upstream_error", status=502, error_kind="upstream_failed"),
        await each_shop.settle(USED, charge=7_000, secret=OTHERS),
    ]
    await counted(each_shop, *tids)
    key = await each_shop.key()
    main = each_shop.services.snapshot().channels_by_name["main"].id
    shown = await ask(each_shop, around(tids[0], group="key,channel,model,status"))
    assert shown.pop("complete_until") > time_text(tid_ms(tids[-1]))
    row = shown.pop("rows")[0]
    assert shown == {
        "object": "statistics", "currency": "USD", "by": "day",
        "group": ["key", "channel", "model", "status"], **around(tids[0]),
    }  # fmt: skip
    buckets = dict.fromkeys(row["tokens"], 0)
    assert row == {
        "start": f"{time_text(tid_ms(tids[0]))[:10]}T00:00:00+00:00",
        "seconds": 86_400,
        "key": {"id": str(key.id), "name": "demo"},
        "channel": {"id": str(main), "name": "main"},
        "model": "gpt-5.4",
        "status_class": 2,
        "calls": 1,
        "answered": 1,
        "client_faults": 0,
        "success_rate": "1.0000",
        "tokens": {**buckets, "input": 1000, "cache_read": 200, "output": 301, "reasoning": 100},
        "items": dict.fromkeys(row["items"], 0),
        "charge": "0.000834",
        "list_cost": "0.00556",
        "first_token_ms": {"calls": 1, "sum": 12, "p50": 12, "p95": 12},
        "total_ms": {"calls": 1, "sum": 20, "p50": 20, "p95": 20},
    }
    [together] = (await ask(each_shop, around(tids[0])))["rows"]
    assert (together["calls"], together["charge"]) == (3, "0.000834001")
    assert together["success_rate"] == "0.6666"
    hours = (await ask(each_shop, around(tids[0], by="hour")))["rows"]
    assert sum(hour["calls"] for hour in hours) == 3
    assert {hour["seconds"] for hour in hours} == {3600}


async def test_filters(shop: Shop):
    tids = [
        await shop.settle(USED, charge=5),
        await shop.settle(USED, charge=70, secret=LIMITED),
        await shop.settle(state="upstream_error", status=502, error_kind="upstream_failed"),
    ]
    await counted(shop, *tids)
    limited, others = await shop.key(LIMITED), await shop.key(OTHERS)
    main = shop.services.snapshot().channels_by_name["main"].id

    async def calls(**more: str) -> int:
        shown = await ask(shop, around(tids[0], **more))
        return sum(row["calls"] for row in shown["rows"])

    assert await calls() == 3
    assert await calls(key_id=str(limited.id)) == 1
    # Somebody else's key is no way to see their calls.
    assert await calls(key_id=str(others.id)) == 0
    assert await calls(channel_id=str(main), status_class="5") == 1
    assert await calls(model="gpt-5.4") == 3
    assert await calls(model="x") == 0


async def test_a_key_with_nothing_left_may_ask(shop: Shop):
    tid = await shop.settle(USED, charge=2_000_000_000, secret=LIMITED)
    await counted(shop, tid)
    shown = await ask(shop, around(tid, group="key"), LIMITED)
    assert [row["key"]["name"] for row in shown["rows"]] == ["limited"]


async def test_before_anything_was_added_up_the_answer_says_so(shop: Shop):
    tid = await shop.settle(USED, charge=1)
    shown = await ask(shop, around(tid))
    assert (shown["complete_until"], shown["rows"]) == ("1970-01-01T00:00:00.000Z", [])


@pytest.mark.parametrize(
    ("param", "change"),
    [
        ("zone", {"zone": "Mars"}),
        ("from", {"from": "today"}),
        ("to", {"to": ""}),
        ("by", {"by": "minute"}),
        ("group", {"group": "user"}),
        ("group", {"group": "account"}),
        ("key_id", {"key_id": "x"}),
        ("status_class", {"status_class": "-1"}),
        ("model", {"model": "a\x00b"}),
        ("query", {"until": "2026-01-01"}),
    ],
)
async def test_questions_that_cannot_be_answered(shop: Shop, param: str, change: dict[str, str]):
    asked = {"from": "2026-01-01", "to": "2026-01-02", "zone": "UTC", **change}
    error = (await ask(shop, asked, status=400))["error"]
    assert error["param"] == param
    assert "Mars" not in error["message"]


async def test_strangers_see_nothing(shop: Shop):
    asked = {"from": "2026-01-01", "to": "2026-01-02", "zone": "UTC"}
    await ask(shop, asked, "", status=401)
    await ask(shop, asked, "sk-unknown", status=401)


def test_rates_are_cut():
    assert [rate_text(*of) for of in ((2, 3), (1, 1), (0, 7), (9999, 10_001))] == [
        "0.6666", "1.0000", "0.0000", "0.9998"
    ]  # fmt: skip
    assert rate_text(0, 0) is None
