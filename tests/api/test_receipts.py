"""Proof that a receipt can be recomputed by hand and that only its owner sees it."""

import math
import re
from fractions import Fraction
from typing import Any

import pytest
from sqlalchemy import delete

from tests.services.shop import AUTO, DEMO, OTHERS, Shop
from tollbridge.billing.receipt_fields import time_text
from tollbridge.billing.reversals import reverse
from tollbridge.core.clock import new_tid, now_ms, tid_ms
from tollbridge.core.money import NANO, format_usd
from tollbridge.protocols.usage import Usage
from tollbridge.storage.ledger_tables import usage
from tollbridge.storage.unit_of_work import working
from tollbridge.storage.usage_floor import raise_usage_floor

# 1000 x 2.50 + 200 x 0.25 + 301 x 10.00 dollars a million, times 0.15.
USED = Usage(input=1000, cache_read=200, output=301, reasoning=100)
COST = 834_000


def recomputed(receipt: dict[str, Any]) -> int:
    """Work out the charge from what the receipt shows alone, in nano-dollars."""
    total = Fraction(0)
    for line in receipt["lines"]:
        amount = line["count"] * Fraction(line["rate"])
        if line["unit"] == "per_million_tokens":
            amount /= 1_000_000
        assert amount == Fraction(line["amount"])
        total += amount
    assert total == Fraction(receipt["subtotal"])
    cost = math.ceil(total * Fraction(receipt["multiplier"]) * NANO)
    assert format_usd(cost) == receipt["cost"]
    nano = cost + sum(Fraction(each["amount"]) * NANO for each in receipt["adjustments"])
    assert format_usd(int(nano)) == receipt["charge"]
    return int(nano)


async def test_a_receipt_shows_its_arithmetic(each_shop: Shop):
    tid = await each_shop.settle(
        USED,
        charge=COST,
        list_cost=5_560_000,
        model_answered="gpt-5.4-2026",
        flags=("model_mismatch",),
        first_token_ms=12,
        total_ms=34,
    )
    receipt = await each_shop.get(f"/v1/receipts/{tid}")
    assert recomputed(receipt) == COST
    receipt.pop("how")
    assert receipt == {
        "object": "receipt",
        "tid": tid,
        "time": "2026-01-01T00:00:00.123Z",
        "key_id": str((await each_shop.key()).id),
        "key": "demo",
        "model_asked": "gpt-5.4",
        "model_sent": "gpt-5.4",
        "model_answered": "gpt-5.4-2026",
        "channel": "main",
        "surface": "chat",
        "platform": "openai",
        "stream": True,
        "client": "curl",
        "status": 200,
        "end_state": "complete",
        "error": None,
        "why": None,
        "flags": ["model_mismatch"],
        "counts": {"input": 1000, "cache_read": 200, "output": 301, "reasoning": 100},
        "currency": "USD",
        "lines": [
            {"item": "input", "count": 1000, "unit": "per_million_tokens", "rate": "2.50",
             "amount": "0.0025"},
            {"item": "cache_read", "count": 200, "unit": "per_million_tokens", "rate": "0.25",
             "amount": "0.00005"},
            {"item": "output", "count": 301, "unit": "per_million_tokens", "rate": "10.00",
             "amount": "0.00301"},
        ],
        "tier_above_tokens": None,
        "service_tier": None,
        "subtotal": "0.00556",
        "multiplier": "0.15",
        "multipliers": [{"of": "channel", "factor": "0.15"}],
        "cost": "0.000834",
        "adjustments": [],
        "charge": "0.000834",
        "given_back": "0.00",
        "list_cost": "0.00556",
        "first_token_ms": 12,
        "total_ms": 34,
    }  # fmt: skip


async def test_what_was_not_charged_is_a_line(each_shop: Shop):
    tid = await each_shop.settle(USED, charge=800_000, flags=("estimated",), held=800_000)
    receipt = await each_shop.get(f"/v1/receipts/{tid}")
    assert recomputed(receipt) == 800_000
    assert [(one["item"], one["amount"]) for one in receipt["adjustments"]] == [
        ("not_charged", "-0.000034")
    ]
    assert "estimate" in receipt["adjustments"][0]["reason"]


async def test_what_was_given_back_is_a_line(each_shop: Shop):
    tid = await each_shop.settle(USED, charge=COST)
    async with working(each_shop.engine) as connection:
        await reverse(connection, tid, "a mistake", "test", 1)
    receipt = await each_shop.get(f"/v1/receipts/{tid}")
    assert recomputed(receipt) == 0
    assert (receipt["charge"], receipt["given_back"], receipt["cost"]) == (
        "0.00", "0.000834", "0.000834",
    )  # fmt: skip
    [line] = receipt["adjustments"]
    assert (line["item"], line["amount"]) == ("given_back", "-0.000834")
    assert line["reason"] == receipt["why"] == "Given back: the charge of this call was reversed."
    assert receipt["flags"] == ["reversed"]


async def test_a_failed_call_costs_nothing_and_says_why(each_shop: Shop):
    tid = await each_shop.settle(state="upstream_error", status=502, error_kind="upstream_failed")
    receipt = await each_shop.get(f"/v1/receipts/{tid}")
    assert recomputed(receipt) == 0
    assert (receipt["charge"], receipt["status"]) == ("0.00", 502)
    assert receipt["error"] == "upstream_failed"
    assert receipt["why"].startswith("Service temporarily unavailable")
    assert "costs nothing" in receipt["why"]


async def test_nothing_of_the_operators_is_shown(shop: Shop):
    tid = await shop.settle(USED, charge=COST, attempts='[["hidden-account","status_500",3]]')
    async with shop.client() as client:
        text = (await client.get(f"/v1/receipts/{tid}")).text
    assert "hidden-account" not in text
    assert "own_cost" not in text
    # As a value: a tid is random hex and may well hold these digits.
    assert not re.search(r'[":]777[",}]', text)


async def refused(shop: Shop, tid: str, secret: str = DEMO) -> str:
    async with shop.client(secret) as client:
        reply = await client.get(f"/v1/receipts/{tid}")
    assert reply.status_code == 404
    message: str = reply.json()["error"]["message"]
    return message


async def test_another_key_of_the_user_sees_it_and_another_user_does_not(each_shop: Shop):
    tid = await each_shop.settle(USED, charge=COST)
    assert (await each_shop.get(f"/v1/receipts/{tid}", AUTO))["tid"] == tid
    unknown = tid[:12] + new_tid()[12:]
    assert (await refused(each_shop, tid, OTHERS)).replace(tid, "") == (
        await refused(each_shop, unknown, OTHERS)
    ).replace(unknown, "")


async def test_a_running_call_is_not_settled_yet(each_shop: Shop):
    tid = await each_shop.reserve(NANO)
    assert "not settled yet" in await refused(each_shop, tid)
    assert "not settled" not in await refused(each_shop, tid, OTHERS)


async def test_a_failed_call_of_this_moment_may_not_be_written_down_yet(each_shop: Shop):
    assert "has one in a moment" in await refused(each_shop, new_tid())
    for hours in (-1, 1):
        other = f"{now_ms() + hours * 3_600_000:012x}{new_tid()[12:]}"
        assert "moment" not in await refused(each_shop, other)


async def test_a_call_that_is_kept_no_longer_is_told_as_such(each_shop: Shop):
    tid = await each_shop.settle(USED, charge=COST)
    day_ms = 86_400_000
    floor_ms = (tid_ms(tid) // day_ms + 1) * day_ms
    async with working(each_shop.engine) as connection:
        await raise_usage_floor(connection, floor_ms)
    # What has not gone yet is shown.
    assert (await each_shop.get(f"/v1/receipts/{tid}"))["tid"] == tid
    async with working(each_shop.engine) as connection:
        await connection.execute(delete(usage).where(usage.c.tid == tid))
    gone = f"calls before {time_text(floor_ms)} are not kept any more"
    assert gone in await refused(each_shop, tid)
    assert "not kept" not in await refused(each_shop, "f" * 32)


@pytest.mark.parametrize("tid", ["x", "0" * 31, "0" * 33, "A" * 32, "0" * 31 + "%00", "٣" * 32])
async def test_what_is_no_trace_id_is_not_looked_up(shop: Shop, tid: str):
    assert "trace id" in await refused(shop, tid)
