"""A running gateway's calls are on their user's statement and in the statistics, to the last cent."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.services.gateway import chat, running
from tollbridge.core.money import format_usd

SMALL = chat(fake={"prompt_tokens": 100, "tokens": 10}, max_tokens=10)


async def test_calls_come_to_the_statement(tmp_path: Path):
    async with running(tmp_path) as (gateway, _), gateway.client() as client:
        for _ in range(3):
            reply = await client.post("/v1/chat/completions", json=SMALL)
            assert reply.status_code == 200, reply.text
        gateway.wait_settled()
        # All that is due and all that will be, without waiting for its turn.
        await asyncio.to_thread(gateway.run, "rollup", "rebuild")
        (usage,) = gateway.rows("SELECT sum(charge) AS charge, min(at_ms) AS at_ms FROM usage")
        day = datetime.fromtimestamp(usage["at_ms"] // 1000, UTC).date()
        month = f"/v1/statements/{day:%Y-%m}"
        shown = (await client.get(month)).json()
        while sum(each["calls"] for each in shown["days"]) < 3:
            await asyncio.sleep(0.05)
            shown = (await client.get(month)).json()
        balance = (await client.get("/v1/balance")).json()["balance"]
        assert shown["charges"] == format_usd(usage["charge"])
        assert (shown["credits"], shown["closing"]) == ("20.00", balance)
        until = day + timedelta(days=2)
        asked = {"from": f"{day}", "to": f"{until}", "zone": "UTC", "group": "model"}
        rows = (await client.get("/v1/statistics", params=asked)).json()["rows"]
        assert sum(row["calls"] for row in rows) == 3
        pdf = await client.get(month, params={"format": "pdf"})
        assert pdf.content.startswith(b"%PDF-")
    gateway.verify()
