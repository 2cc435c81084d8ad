"""Proof that users get their own months in every form, and nobody else does."""

import csv
import io
from typing import Any

import httpx2
import pytest

from tests.api.test_statistics import USED, counted
from tests.services.shop import DEMO, LIMITED, OTHERS, Shop
from tollbridge.billing.receipt_fields import time_text
from tollbridge.billing.statement_html import POLICY
from tollbridge.core.clock import now_ms


def this_month() -> str:
    return time_text(now_ms())[:7]


async def get(
    shop: Shop, month: str, secret: str = DEMO, status: int = 200, **asked: str
) -> httpx2.Response:
    async with shop.client(secret) as client:
        reply = await client.get(f"/v1/statements/{month}", params=asked)
    assert reply.status_code == status, reply.text
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"
    return reply


async def test_a_month(each_shop: Shop):
    tids = [
        await each_shop.settle(USED, charge=834_000),
        await each_shop.settle(USED, charge=166_001, secret=LIMITED),
        await each_shop.settle(USED, charge=7, secret=OTHERS),
    ]
    await counted(each_shop, *tids)
    month = this_month()
    shown: dict[str, Any] = (await get(each_shop, month)).json()
    assert shown["email"] == "ada@example.com"
    sums = {name: shown[name] for name in ("opening", "credits", "debits", "charges", "closing")}
    assert sums == {
        "opening": "0.00", "credits": "5.00", "debits": "0.00", "charges": "0.001000001",
        "closing": "4.998999999",
    }  # fmt: skip
    balance = await each_shop.get("/v1/balance")
    assert balance["balance"] == shown["closing"]
    assert [row["calls"] for row in shown["days"]] == [2]
    assert [(row["model"], row["channel"]["name"]) for row in shown["models"]] == [
        ("gpt-5.4", "main")
    ]
    assert not shown["is_final"]
    others = (await get(each_shop, month, OTHERS)).json()
    assert (others["email"], others["charges"]) == ("bob@example.com", "0.000000007")


async def test_every_form(shop: Shop):
    await counted(shop, await shop.settle(USED, charge=834_000))
    month = this_month()
    forms = {}
    for name in ("json", "csv", "html", "pdf"):
        reply = await get(shop, month, format=name, zone="Europe/Berlin")
        kept = f'inline; filename="statement-{month}-Europe-Berlin.{name}"'
        assert reply.headers["content-disposition"] == kept
        assert reply.headers["content-security-policy"] == POLICY
        assert int(reply.headers["content-length"]) == len(reply.content)
        forms[name] = reply
    types = {name: reply.headers["content-type"].partition(";")[0] for name, reply in forms.items()}
    assert types == {
        "json": "application/json", "csv": "text/csv", "html": "text/html", "pdf": "application/pdf"
    }  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(forms["csv"].text)))
    amounts = {row["what"]: row["amount"] for row in rows if row["section"] == "Summary"}
    assert amounts["Charges of calls"] == "-0.000834"
    assert amounts["Closing balance"] == forms["json"].json()["closing"] == "4.999166"
    assert "4.999166" in forms["html"].text
    assert forms["pdf"].content.startswith(b"%PDF-")


async def test_a_key_with_nothing_left_may_ask(shop: Shop):
    await counted(shop, await shop.settle(USED, charge=2_000_000_000, secret=LIMITED))
    assert (await get(shop, this_month(), LIMITED)).json()["closing"] == "3.00"


@pytest.mark.parametrize(
    ("month", "asked", "param"),
    [
        ("2026-13", {}, "month"),
        ("last", {}, "month"),
        ("2099-12", {}, "month"),
        ("2026-01", {"zone": "Mars"}, "zone"),
        ("2026-01", {"format": "docx"}, "format"),
        ("2026-01", {"colour": "red"}, "query"),
    ],
)
async def test_what_there_is_not(shop: Shop, month: str, asked: dict[str, str], param: str):
    reply = await get(shop, month, status=400, **asked)
    assert reply.json()["error"]["param"] == param


async def test_strangers_see_nothing(shop: Shop):
    await get(shop, this_month(), "", status=401)
