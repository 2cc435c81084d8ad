"""The twin of storage/account_tokens.py: one lease of all processes, and nothing written too late."""

import asyncio

import pytest
from sqlalchemy import insert, select, update

from tests.storage.shop_books import Shop
from tollbridge.core.clock import now_ms
from tollbridge.storage import account_tokens as rows
from tollbridge.storage.account_tables import account_tokens
from tollbridge.storage.tables import accounts, channels
from tollbridge.storage.unit_of_work import reading, working, writing

PLAIN = {
    "token_url": "https://vendor.example/token", "client_id": "c", "client_secret": "", "scope": "",
    "style": "form", "refresh": "sealed", "access": "", "expires_ms": 0,
    "quarantined_until_ms": 0, "failure": "",
}  # fmt: skip
WHILE_MS = 60_000


@pytest.fixture
async def account_id(engine):
    """Return an account that signs in, at version 5."""
    shop = Shop(3, users=0, calls=0, holds=0).rows
    async with writing(engine) as connection:
        await connection.execute(insert(channels).values(**shop["channels"][0]))
        await connection.execute(insert(accounts).values(**shop["accounts"][0]))
        number = shop["accounts"][0]["id"]
        await rows.put_row(connection, number, {**PLAIN, "version": 5}, exists=False)
    return number


async def row(engine, account_id):
    async with reading(engine) as connection:
        return await rows.read_row(connection, account_id)


async def leased(engine, account_id, version=5, *, holder=1, for_ms=WHILE_MS, at_ms=1000):
    async with working(engine) as connection:
        return await rows.lease(
            connection, account_id, version, holder=holder, for_ms=for_ms, at_ms=at_ms
        )


async def test_of_many_that_want_the_lease_one_gets_it(engine, account_id):
    got = await asyncio.gather(*(leased(engine, account_id, holder=n) for n in range(1, 9)))
    assert got.count(True) == 1
    read = await row(engine, account_id)
    assert (read["held"], read["holder"]) == (True, got.index(True) + 1)
    # Not even its holder gets it twice: it may have died in between.
    assert not await leased(engine, account_id, holder=read["holder"])


async def test_a_lease_ends_by_itself(engine, account_id):
    assert await leased(engine, account_id, for_ms=-1)
    assert not (await row(engine, account_id))["held"]
    assert await leased(engine, account_id, holder=2)


async def test_there_is_no_lease_of_another_version_nor_in_quarantine(engine, account_id):
    assert not await leased(engine, account_id, 4)
    assert not await leased(engine, account_id + 1)
    async with working(engine) as connection:
        assert await rows.quarantine(connection, account_id, 5, until_ms=2000, failure="status_500")
    assert not await leased(engine, account_id, at_ms=1999)
    assert await leased(engine, account_id, at_ms=2000)


async def test_what_is_stored_moves_the_version_and_ends_the_rest(engine, account_id):
    await leased(engine, account_id)
    values = {"access": "a", "refresh": "r", "expires_ms": 9, "failure": ""}
    async with working(engine) as connection:
        await rows.quarantine(connection, account_id, 5, until_ms=2000, failure="status_500")
        assert await rows.store(connection, account_id, 5, values)
        assert not await rows.store(connection, account_id, 5, {**values, "access": "late"})
        assert not await rows.quarantine(connection, account_id, 5, until_ms=1, failure="late")
        assert not await rows.disable(connection, account_id, 5, failure="late", reason="late")
    read = await row(engine, account_id)
    assert values.items() <= read.items()
    assert (read["version"], read["held"], read["quarantined_until_ms"]) == (6, False, 0)


async def test_one_that_is_disabled_keeps_the_reason_of_before(engine, account_id):
    query = select(accounts.c.disabled_reason).where(accounts.c.id == account_id)
    async with writing(engine) as connection:
        assert await rows.disable(connection, account_id, 5, failure="x", reason="oauth: x")
        assert (await connection.execute(query)).scalar_one() == "oauth: x"
        assert await rows.disable(connection, account_id, 5, failure="y", reason="oauth: y")
        assert (await connection.execute(query)).scalar_one() == "oauth: x"
    assert (await row(engine, account_id))["failure"] == "y"


@pytest.mark.parametrize(("reason", "after"), [("oauth: x", ""), ("by hand", "by hand")])
async def test_a_new_sign_in_comes_before_what_runs_and_mends_what_is_its_own(
    engine, account_id, reason, after
):
    await leased(engine, account_id)
    at_ms = now_ms()
    async with writing(engine) as connection:
        await connection.execute(update(accounts).values(disabled_reason=reason))
        await rows.put_row(connection, account_id, {**PLAIN, "access": "new"}, exists=True)
        await rows.mend_account(connection, account_id, at_ms=at_ms, prefix="oauth: ")
        found = (await connection.execute(select(accounts))).mappings().one()
    assert (found["auth"], found["recovered_ms"], found["disabled_reason"]) == (
        "oauth",
        at_ms,
        after,
    )
    read = await row(engine, account_id)
    assert (read["access"], read["version"], read["held"]) == ("new", 6, False)


async def test_a_row_can_be_taken_away(engine, account_id):
    async with writing(engine) as connection:
        assert await rows.drop_row(connection, account_id)
        assert not await rows.drop_row(connection, account_id)
        assert (await connection.execute(select(account_tokens))).all() == []
    assert await row(engine, account_id) is None
