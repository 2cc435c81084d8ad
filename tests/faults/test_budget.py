"""A key with a limit and a budget in a running gateway: three purses pay, the books stay right, and
a budget that is used up ends calls until the operator raises it.
"""

import asyncio
from pathlib import Path

from tests.services.gateway import Gateway, catalogue, chat, running
from tollbridge.core.periods import period_at

SMALL = chat(fake={"prompt_tokens": 100, "tokens": 10}, max_tokens=10)


def budgeted(vendor: str, budget: str) -> str:
    """Return a catalogue whose key, the last thing in it, has a limit and a budget."""
    extra = f'limit = "3.00"\nbudget = "{budget}"\nbudget_period = "month"\n'
    return f"{catalogue(vendor).rstrip()}\n{extra}"


def budget_row(gateway: Gateway) -> dict[str, int]:
    (row,) = gateway.rows("SELECT * FROM purse WHERE kind = 'key_budget'")
    return row


async def test_a_budget_is_spent_used_up_and_raised(tmp_path: Path):
    async with running(tmp_path) as (gateway, _):
        (account,) = gateway.rows("SELECT base_url FROM accounts")
        report = await asyncio.to_thread(gateway.apply, budgeted(account["base_url"], "1.00"))
        assert "budget" in report
        async with gateway.client() as client:
            while (await client.get("/v1/balance")).json().get("key_budget") != "1.00":
                await asyncio.sleep(0.01)
            reply = await client.post("/v1/chat/completions", json=SMALL)
            assert reply.status_code == 200, reply.text
            gateway.wait_settled()
            (usage,) = gateway.rows("SELECT charge, at_ms FROM usage")
            spent, row = usage["charge"], budget_row(gateway)
            assert spent > 0
            assert (row["granted"], row["available"], row["held"]) == (*(10**9, 10**9 - spent, 0),)
            assert row["period_start"] == period_at("month", usage["at_ms"]).start_ms
            (limit,) = gateway.rows("SELECT * FROM purse WHERE kind = 'key_limit'")
            assert limit["available"] == 3 * 10**9 - spent

            await asyncio.to_thread(gateway.apply, budgeted(account["base_url"], "0.000000001"))
            row = budget_row(gateway)
            assert (row["available"], row["granted"]) == (0, spent)
            refused = await client.post("/v1/chat/completions", json=SMALL)
            while refused.status_code == 200:
                refused = await client.post("/v1/chat/completions", json=SMALL)
            assert refused.status_code == 402
            error = refused.json()["error"]
            assert (error["type"], error["code"]) == ("insufficient_quota", "budget_reached")
            assert "budget of this month" in error["message"]
            assert refused.headers["x-should-retry"] == "false"

            await asyncio.to_thread(gateway.apply, budgeted(account["base_url"], "1.00"))
            reply = await client.post("/v1/chat/completions", json=SMALL)
            assert reply.status_code == 200, reply.text
        gateway.wait_settled()
        (charged,) = gateway.rows("SELECT sum(charge) AS total FROM usage")
        row = budget_row(gateway)
        assert row["granted"] - row["available"] == charged["total"]
        assert row["granted"] == 10**9
        gateway.verify()
