"""Owns a small shop for tests of the API: a catalogue, two users with keys, and calls in the books.

Everything is written as the product writes it: configuration by `apply`, usage rows from bills.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.services.control_plane import the_secrets
from tollbridge.api.app import make_api
from tollbridge.api.apply import apply
from tollbridge.api.services import ApiServices
from tollbridge.billing.bill import Bill, Ending, usage_row
from tollbridge.catalog.loader import load_snapshot
from tollbridge.core.clock import new_id, new_tid
from tollbridge.core.metrics import Metrics
from tollbridge.core.secrets import Secrets
from tollbridge.identity.access_tokens import TokenStore
from tollbridge.identity.keys import KeyRecord, KeyStore
from tollbridge.protocols.usage import Usage
from tollbridge.storage.engine import open_engine
from tollbridge.storage.ledger_items import USAGE_COLUMNS
from tollbridge.storage.ledger_tables import hold, journal, purse, usage
from tollbridge.storage.tables import api_keys, channels, prices
from tollbridge.storage.unit_of_work import reading, writing

DEMO, AUTO, LIMITED, OTHERS = (
    f"sk-{name}-{'x' * 32}" for name in ("demo", "auto", "limited", "others")
)
NOTHING = Usage()
AT_MS = 1_767_225_600_123
RELAY_PATHS = frozenset(
    {"/v1/chat/completions", "/v1/completions", "/v1beta/models/x:generateContent"}
)

CATALOGUE = f"""
[site]
allow_private_upstreams = true

[[model]]
name = "gpt-5.4"
context = 400000
max_output = 128000
input = "2.50"
cache_read = "0.25"
output = "10.00"

[[model]]
name = "GPT-small"
context = 1000
max_output = 100
input = "1.00"
output = "1.00"

[[model]]
name = "o9-*"
context = 1000
max_output = 100
input = "1.00"
output = "1.00"

[[model]]
name = "unpriced"
context = 1000
max_output = 100

[[model]]
name = "worthless"
context = 1000
max_output = 100
input = "0"
output = "0"

[[channel]]
name = "main"
platform = "openai"
models = ["gpt-5.4", "o9-*", "unpriced", "worthless"]
multiplier = "0.15"
[[channel.account]]
name = "hidden-account"
base_url = "http://127.0.0.1:9"
secret = "upstream"

[[channel]]
name = "small"
platform = "openai"
models = ["GPT-small", "gpt-5.4"]
[[channel.account]]
name = "hidden-account"
base_url = "http://127.0.0.1:9"
secret = "upstream"

[[channel]]
name = "vip"
platform = "openai"
models = ["o9-vip"]
groups = ["vip"]
[[channel.account]]
name = "hidden-account"
base_url = "http://127.0.0.1:9"
secret = "upstream"

[[user]]
email = "ada@example.com"
credit = "5.00"
[[user.key]]
name = "demo"
secret = "{DEMO}"
channel = "main"
[[user.key]]
name = "auto"
secret = "{AUTO}"
channel = "auto"
[[user.key]]
name = "limited"
secret = "{LIMITED}"
channel = "main"
limit = "2.00"

[[user]]
email = "bob@example.com"
credit = "1.00"
[[user.key]]
name = "others"
secret = "{OTHERS}"
channel = "auto"
"""


@dataclass
class Shop:
    """The shop's parts; `services` is what its API is made of."""

    engine: AsyncEngine
    secrets: Secrets
    services: ApiServices

    @asynccontextmanager
    async def client(
        self, secret: str = DEMO, **services: Any
    ) -> AsyncIterator[httpx2.AsyncClient]:
        """Open a client with a key; `services` replace parts of the wiring."""
        app = make_api(replace(self.services, **services))
        headers = {"authorization": f"Bearer {secret}"} if secret else {}
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://shop.test", headers=headers
        ) as client:
            yield client

    async def get(self, path: str, secret: str = DEMO) -> Any:
        """Return the JSON of a successful answer."""
        async with self.client(secret) as client:
            reply = await client.get(path)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def key(self, secret: str = DEMO) -> KeyRecord:
        """Return the record of a key."""
        record = await self.services.keys.find(secret.encode())
        assert record is not None
        return record

    async def change_key(self, secret: str, *, heard: bool = True, **columns: Any) -> None:
        """Change columns of a key, as the console does; the server has `heard` of it or not yet."""
        record = await self.key(secret)
        async with writing(self.engine) as connection:
            await connection.execute(
                update(api_keys).where(api_keys.c.id == record.id).values(**columns)
            )
        if heard:
            self.services.keys.clear()

    async def change_channel(self, name: str, **columns: Any) -> None:
        """Change columns of a channel and take the new snapshot."""
        async with writing(self.engine) as connection:
            await connection.execute(
                update(channels).where(channels.c.name == name).values(**columns)
            )
        snapshot = await load_snapshot(self.engine, self.secrets)
        self.services = replace(self.services, snapshot=lambda: snapshot)

    async def bill(self, secret: str = DEMO, **values: Any) -> Bill:
        """Return the bill of a call of this key to gpt-5.4 on `main`."""
        record = await self.key(secret)
        snapshot = self.services.snapshot()
        price = snapshot.models["gpt-5.4"].price
        main = snapshot.channels_by_name["main"]
        assert price is not None
        facts = {
            "tid": new_tid(), "at_ms": AT_MS, "user_id": record.user_id, "key_id": record.id,
            "key_name": record.name, "wallet_id": record.wallet_id, "channel_id": main.id,
            "channel_name": "main", "account_id": main.accounts[0].id, "model_asked": "gpt-5.4",
            "model_sent": "gpt-5.4", "surface": "chat", "platform": "openai", "stream": True,
            "price_id": price.id, "num": main.multiplier.num, "den": main.multiplier.den,
            "client": "curl",
        }  # fmt: skip
        return Bill(**{**facts, **values})

    async def settle(
        self,
        used: Usage = NOTHING,
        *,
        state: str = "complete",
        charge: int = 0,
        loss: int = 0,
        secret: str = DEMO,
        price_id: int | None = None,
        **ending: Any,
    ) -> str:
        """Write a settled call into the books and return its tid."""
        bill = await self.bill(secret, **({} if price_id is None else {"price_id": price_id}))
        row = usage_row(bill, Ending(state=state, usage=used, own_cost=777, **ending))
        record = await self.key(secret)
        async with writing(self.engine) as connection:
            values = dict(zip(USAGE_COLUMNS, (*row, charge, loss), strict=True))
            await connection.execute(insert(usage).values(values))
            for purse_id in (record.wallet_id, record.limit_purse_id):
                await connection.execute(
                    update(purse)
                    .where(purse.c.id == purse_id)
                    .values(available=purse.c.available - charge)
                )
            if charge:
                await connection.execute(
                    insert(journal).values(
                        id=new_id(), at_ms=AT_MS, debit=f"wallet:{record.wallet_id}",
                        credit="revenue", amount=charge, kind="charge", ref=bill.tid,
                    )
                )  # fmt: skip
        return bill.tid

    async def reserve(self, amount: int, secret: str = DEMO) -> str:
        """Let a call run that holds `amount`, and return its tid."""
        record = await self.key(secret)
        tid = new_tid()
        async with writing(self.engine) as connection:
            await connection.execute(
                insert(hold).values(
                    tid=tid, wallet_id=record.wallet_id, key_purse_id=record.limit_purse_id,
                    amount=amount, covered=0, node_id=1, epoch=1, at_ms=AT_MS, bill="[]",
                )
            )  # fmt: skip
            await connection.execute(
                update(purse)
                .where(purse.c.id.in_([record.wallet_id, record.limit_purse_id]))
                .values(held=purse.c.held + amount)
            )
        return tid

    async def forget_price(self, price_id: int) -> None:
        """Delete a price row, which the product never does."""
        async with writing(self.engine) as connection:
            await connection.execute(prices.delete().where(prices.c.id == price_id))

    async def charged(self, secret: str = DEMO) -> int:
        """Return the sum of all charges of the key's wallet."""
        record = await self.key(secret)
        async with reading(self.engine) as connection:
            query = select(usage.c.charge).where(usage.c.wallet_id == record.wallet_id)
            return sum((await connection.execute(query)).scalars())


async def open_shop(engine: AsyncEngine, secrets: Secrets) -> Shop:
    """Return the shop, just opened, in a migrated database."""
    await apply(engine, secrets, CATALOGUE, environ={})
    return await reopen_shop(engine, secrets)


async def reopen_shop(engine: AsyncEngine, secrets: Secrets) -> Shop:
    """Return the shop of a database that it is in."""
    snapshot = await load_snapshot(engine, secrets)
    services = ApiServices(
        engine=engine,
        secrets=secrets,
        keys=KeyStore(engine, secrets),
        access_tokens=TokenStore(engine, secrets),
        snapshot=lambda: snapshot,
        ready=lambda: True,
        draining=lambda: False,
        relayed=lambda method, path: method == "POST" and path in RELAY_PATHS,
        metrics=Metrics(),
        refresh_gauges=lambda: None,
    )
    return Shop(engine, secrets, services)


@pytest.fixture(scope="session")
def shop_template(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a SQLite file with the shop in it, to be copied: opening one takes its time."""
    file = tmp_path_factory.mktemp("shop") / "shop.db"

    async def open_it() -> None:
        engine = open_engine(f"sqlite:///{shutil.copyfile(sqlite_template, file)}")
        await open_shop(engine, the_secrets())
        await engine.dispose()

    asyncio.run(open_it())
    return file


@pytest.fixture
async def shop(tmp_path: Path, secrets: Secrets, shop_template: Path) -> AsyncIterator[Shop]:
    """Return the shop on SQLite, for tests that are not about the database."""
    engine = open_engine(f"sqlite:///{shutil.copyfile(shop_template, tmp_path / 'shop.db')}")
    yield await reopen_shop(engine, secrets)
    await engine.dispose()


@pytest.fixture
async def each_shop(engine: AsyncEngine, secrets: Secrets) -> Shop:
    """Return the shop on each engine."""
    return await open_shop(engine, secrets)
