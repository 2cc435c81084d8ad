"""Makes calls of a user of a site: usage rows as the relay writes them, at the prices of a catalogue."""

from typing import Any

from sqlalchemy import insert, select

from tests.services.pages import House
from tests.services.shop import CATALOGUE
from tests.storage.rollup_oracle import catch_up, tid_at
from tests.storage.usage_writer import feed
from tollbridge.api.apply import apply
from tollbridge.billing.bill import Bill, Ending, usage_row
from tollbridge.billing.pricing import charge, list_cost
from tollbridge.core.clock import now_ms
from tollbridge.protocols.usage import Usage
from tollbridge.storage.ledger_items import USAGE_COLUMNS
from tollbridge.storage.ledger_tables import usage
from tollbridge.storage.tables import api_keys, users
from tollbridge.storage.unit_of_work import reading, writing

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
USED = Usage(input=1000, cache_read=200, output=301, reasoning=100)


class Till:
    """A site with the catalogue of the shop, whose two users make calls."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.now = now_ms()

    async def open(self) -> "Till":
        """Apply the catalogue."""
        await apply(self.house.engine, self.house.secrets, CATALOGUE, environ={})
        await self.house.refresh()
        return self

    async def user(self, email: str = "ada@example.com") -> Any:
        """Return a row of users."""
        async with reading(self.house.engine) as connection:
            query = select(users).where(users.c.email == email)
            return (await connection.execute(query)).mappings().one()

    async def call(
        self,
        used: Usage = USED,
        *,
        key: str = "demo",
        at_ms: int | None = None,
        state: str = "complete",
        given: dict[str, Any] | None = None,
        **ending: Any,
    ) -> str:
        """Write a call and what the feed is told of it; `given` are columns to differ."""
        async with reading(self.house.engine) as connection:
            query = select(api_keys, users.c.wallet_id).join(users)
            row = (await connection.execute(query.where(api_keys.c.name == key))).mappings().one()
        snapshot = self.house.snapshot
        channel, price = snapshot.channels_by_name["main"], snapshot.models["gpt-5.4"].price
        assert price is not None
        at = self.now if at_ms is None else at_ms
        facts: dict[str, Any] = {
            "tid": tid_at(at), "at_ms": at, "user_id": row["user_id"], "key_id": row["id"],
            "key_name": row["name"], "wallet_id": row["wallet_id"], "channel_id": channel.id,
            "channel_name": "main", "account_id": channel.accounts[0].id, "model_asked": "gpt-5.4",
            "model_sent": "gpt-5.4", "surface": "chat", "platform": "openai", "stream": True,
            "price_id": price.id, "num": channel.multiplier.num, "den": channel.multiplier.den,
            "client": "curl",
        }  # fmt: skip
        bill = Bill(**{**facts, **(given or {})})
        ending = {"list_cost": list_cost(used, price), "own_cost": 777, **ending}
        end = usage_row(bill, Ending(state=state, usage=used, **ending))
        paid = charge(used, price, channel.multiplier) if state == "complete" else 0
        async with writing(self.house.engine) as connection:
            values = dict(zip(USAGE_COLUMNS, (*end, paid, 0), strict=True))
            await connection.execute(insert(usage).values(values))
            await feed(connection, [bill.tid])
        return bill.tid

    async def catch_up(self) -> None:
        """Do what the worker does in the end."""
        await catch_up(self.house.engine)
