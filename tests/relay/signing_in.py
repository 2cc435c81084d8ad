"""Owns a stage for tests of tokens: a database with accounts that sign in, a clock, a token endpoint."""

import asyncio
from collections.abc import Callable
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.relay.calls import account, channel, snapshot
from tests.services.token_server import TokenServer
from tests.storage.shop_books import Shop
from tollbridge.catalog.plan import OAuthPlan
from tollbridge.catalog.snapshot import Account
from tollbridge.catalog.token_rows import TokenRow, read_token, set_oauth
from tollbridge.core.secrets import Secrets
from tollbridge.notify.kinds import Kind
from tollbridge.relay.tokens import Tokens
from tollbridge.storage.tables import accounts, change, channels
from tollbridge.storage.unit_of_work import reading, writing

START_MS = 2_000_000_000_000
HOUR_MS = 3_600_000


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now_ms = START_MS

    def __call__(self) -> int:
        return self.now_ms


class Stage:
    """One account in a database, and as many processes as a test makes."""

    def __init__(self, engine: AsyncEngine, secrets: Secrets, server: TokenServer) -> None:
        self.engine = engine
        self.secrets = secrets
        self.server = server
        self.clock = Clock()
        self.alarms: list[tuple[Kind, str, str]] = []
        self.private = True
        self.account = account(auth="oauth", secret="")
        self._made: list[Tokens] = []

    async def put(self, **values: Any) -> None:
        """Write the account and how it signs in, over what there is."""
        rows = Shop(3, users=0, calls=0, holds=0).rows
        async with writing(self.engine) as connection:
            if (await connection.execute(select(channels.c.id))).first() is None:
                await connection.execute(
                    insert(channels).values(**{**rows["channels"][0], "id": 1})
                )
                row = {**rows["accounts"][0], "id": 1, "channel_id": 1}
                await connection.execute(insert(accounts).values(**row))
            plan = OAuthPlan(self.server.url, "client", **{"refresh_token": "refresh-0", **values})
            await set_oauth(connection, self.secrets, 1, plan, at_ms=self.clock())
            # That an operator said so is a thing of its own.
            await connection.execute(update(accounts).values(recovered_ms=0))

    async def put_good(self, for_ms: int = HOUR_MS) -> None:
        """Let the account have a token for so long."""
        await self.put(access_token="access-0", expires_ms=self.clock() + for_ms)

    def process(self, engine: AsyncEngine | None = None, **values: Any) -> Tokens:
        """Return what another process would have."""
        catalogue = snapshot(
            channel(accounts=(self.account,)), allow_private_upstreams=self.private
        )
        made = Tokens(
            engine or self.engine,
            self.secrets,
            lambda: catalogue,
            lambda *alarm: self.alarms.append(alarm),
            **{"clock": self.clock, **values},
        )
        self._made.append(made)
        return made

    async def row(self) -> TokenRow:
        """Return how the account stands in the database."""
        async with reading(self.engine) as connection:
            row = await read_token(connection, self.secrets, 1)
        assert row is not None
        return row

    async def standing(self) -> tuple[str, int]:
        """Return why the account is disabled, and the version of the catalogue."""
        async with reading(self.engine) as connection:
            reason = (await connection.execute(select(accounts.c.disabled_reason))).scalar_one()
            version = (await connection.execute(select(change.c.version))).scalar_one()
        return reason, version

    async def close(self) -> None:
        """End all processes."""
        self.server.gate.set()
        await asyncio.gather(*(one.close() for one in self._made))


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something to become true; the suite's time limit ends it."""
    while not condition():
        await asyncio.sleep(0.005)


async def value(tokens: Tokens, of: Account) -> str:
    """Return the token that a call would send."""
    return (await tokens.token(of)).value
