"""Proof that a database that cannot be asked is a 503 that says so, and nothing more."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.services.shop import Shop
from tollbridge.api.database import asking
from tollbridge.core.errors import ApiError, Kind, message_of
from tollbridge.storage.engine import open_engine
from tollbridge.storage.tables import users

PATHS = ["/v1/balance", f"/v1/receipts/{'0' * 32}", "/v1/dashboard/billing/usage"]


@pytest.fixture
async def down() -> AsyncIterator[AsyncEngine]:
    """Return an engine on a port where nobody listens."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    engine = open_engine(f"postgresql://postgres@127.0.0.1:{port}/none")
    yield engine
    await engine.dispose()


@pytest.mark.parametrize("path", PATHS)
async def test_a_database_that_is_down(shop: Shop, down: AsyncEngine, path: str):
    await shop.key()
    async with shop.client(engine=down) as client:
        reply = await client.get(path)
    assert reply.status_code == 503
    assert reply.json()["error"]["code"] == "service_unavailable"
    assert reply.headers["x-should-retry"] == "true"
    assert "retry-after" in reply.headers


async def test_lists_need_no_database_once_the_key_is_known(shop: Shop, down: AsyncEngine):
    await shop.key()
    async with shop.client(engine=down) as client:
        assert (await client.get("/v1/models")).status_code == 200


async def test_a_failing_statement_counts_as_down_and_shows_nothing(engine: AsyncEngine):
    with pytest.raises(ApiError) as caught:
        async with asking(engine) as connection:
            await connection.execute(text("SELECT * FROM canary"))
    assert caught.value.kind is Kind.DATABASE_DOWN
    assert caught.value.__suppress_context__
    assert isinstance(caught.value.__context__, SQLAlchemyError)


@pytest.mark.parametrize(("column", "value"), [("email", "\ud800"), ("id", 2**63)])
async def test_a_value_that_no_database_holds_is_the_callers_fault(
    engine: AsyncEngine, column: str, value: object
):
    with pytest.raises(ApiError) as caught:
        async with asking(engine) as connection:
            await connection.execute(select(users.c.id).where(users.c[column] == value))
    assert caught.value.kind is Kind.INVALID_REQUEST
    assert str(value) not in message_of(caught.value)


async def test_other_errors_pass(engine: AsyncEngine):
    with pytest.raises(ZeroDivisionError):
        async with asking(engine):
            raise ZeroDivisionError
