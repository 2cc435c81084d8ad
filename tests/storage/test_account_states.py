"""Proof of what operators see of accounts and change in their states, on both engines."""

import pytest
from sqlalchemy import insert, select, update

from tollbridge.storage.account_states import (
    disable,
    enable,
    find_account,
    one_account,
    recover,
    some_accounts,
)
from tollbridge.storage.account_tables import account_tokens
from tollbridge.storage.account_troubles import Held, database_ms, troubles_of, write_troubles
from tollbridge.storage.ledger_tables import node
from tollbridge.storage.tables import accounts, change, channels
from tollbridge.storage.unit_of_work import reading, working, writing

_CHANNEL = {
    "platform": "openai", "surfaces": "[]", "models": "[]", "multiplier_num": 1,
    "rpm": 0, "tpm": 0, "concurrency": 0, "multiplier_den": 1, "capabilities": "[]",
    "client_policy": "any", "groups": '["*"]',
    "enabled": True, "proxy": "", "created_ms": 1,
}  # fmt: skip
_ACCOUNT = {
    "base_url": "http://127.0.0.1:9", "secret": "sealed", "weight": 1, "priority": 0,
    "compatible": False, "proxy": "", "cost_num": 1, "cost_den": 1, "stops_on_abort": True,
    "enabled": True, "created_ms": 1,
}  # fmt: skip
_TOKEN = {
    "token_url": "u", "client_id": "", "client_secret": "", "scope": "", "style": "form",
    "refresh": "sealed", "access": "", "expires_ms": 0, "version": 1, "holder": 0,
    "held_until_ms": 0, "quarantined_until_ms": 0, "failure": "",
}  # fmt: skip


@pytest.fixture
async def stocked(engine):
    """Two channels; `one`, `two` and `bare` in the first, `signed` in the second."""
    async with working(engine) as connection:
        for number, name in ((1, "main"), (2, "other")):
            await connection.execute(
                insert(channels).values(_CHANNEL | {"id": number, "name": name})
            )
        for number, channel, name, facts in (
            (11, 1, "one", {}),
            (12, 1, "two", {}),
            (13, 1, "bare", {"secret": ""}),
            (14, 2, "signed", {"secret": "", "auth": "oauth"}),
        ):
            row = {"id": number, "channel_id": channel, "name": name, **facts}
            await connection.execute(insert(accounts).values(_ACCOUNT | row))
        await connection.execute(insert(node).values(id=1, name="n", epoch=1, beat=1, dead=False))
    return engine


async def states(engine, **wish) -> dict[str, str]:
    async with reading(engine) as connection:
        rows = await some_accounts(connection, **wish)
    return {row["name"]: row["state"] for row in rows}


async def holds(engine, account_id: int) -> None:
    async with working(engine) as connection:
        later = await database_ms(connection) + 60_000
        await write_troubles(
            connection, 1, [], [Held(account_id, "m", "rate_limited", "why", "mark", 1, later)]
        )


async def version(engine) -> int:
    async with reading(engine) as connection:
        return (await connection.execute(select(change.c.version))).scalar_one()


async def signs_in(engine, **values) -> None:
    async with working(engine) as connection:
        await connection.execute(
            insert(account_tokens).values(_TOKEN | {"account_id": 14} | values)
        )


async def test_each_account_has_one_state(stocked):
    bare = {"bare": "no_credential", "signed": "no_credential"}
    assert await states(stocked) == {"one": "active", "two": "active", **bare}
    await holds(stocked, 11)
    assert await states(stocked) == {"one": "parked", "two": "active", **bare}
    async with working(stocked) as connection:
        await connection.execute(update(node).values(dead=True))
        await connection.execute(update(accounts).where(accounts.c.id == 12).values(enabled=False))
    assert await states(stocked) == {"one": "active", "two": "disabled", **bare}
    async with reading(stocked) as connection:
        later = await database_ms(connection) + 60_000
    await signs_in(stocked, quarantined_until_ms=later, failure="refused")
    assert (await states(stocked))["signed"] == "parked"
    async with reading(stocked) as connection:
        row = await one_account(connection, 14)
        assert (row["failure"], row["channel"], row["platform"]) == ("refused", "other", "openai")
        assert not {"secret", "refresh", "access", "proxy"} & row.keys()
        assert await one_account(connection, 99) is None


async def test_lists_are_filtered_and_paged(stocked):
    await holds(stocked, 12)
    assert list(await states(stocked, channel="main")) == ["one", "two", "bare"]
    assert list(await states(stocked, state="parked")) == ["two"]
    assert list(await states(stocked, state="active", channel="other")) == []
    assert list(await states(stocked, limit=2)) == ["one", "two"]
    assert list(await states(stocked, limit=2, after_id=12)) == ["bare", "signed"]


async def test_a_recovery_moves_what_gateways_compare_and_clears_what_is_shown(stocked):
    await holds(stocked, 11)
    await signs_in(stocked, quarantined_until_ms=2**50, failure="refused")
    before = await version(stocked)
    seen = []
    for _ in range(3):
        async with writing(stocked) as connection:
            assert await recover(connection, 11) and await recover(connection, 14)
            seen.append((await one_account(connection, 11))["recovered_ms"])
            assert await troubles_of(connection, [11]) == {}
            assert (await one_account(connection, 14))["failure"] == ""
    assert 0 < seen[0] < seen[1] < seen[2]
    assert await version(stocked) == before + 3
    assert (await states(stocked))["one"] == (await states(stocked))["signed"] == "active"


async def test_a_recovery_moves_on_whatever_the_clock_says(stocked):
    async with writing(stocked) as connection:
        await connection.execute(update(accounts).values(recovered_ms=2**60))
        await recover(connection, 11)
        assert (await one_account(connection, 11))["recovered_ms"] == 2**60 + 1


async def test_disabled_with_a_reason_and_enabled_with_nothing_held(stocked):
    async with writing(stocked) as connection:
        assert await disable(connection, 11, " the card expired ")
    assert (await states(stocked))["one"] == "disabled"
    async with writing(stocked) as connection:
        row = await one_account(connection, 11)
        assert (row["disabled_reason"], row["recovered_ms"]) == ("the card expired", 0)
        assert await enable(connection, 11)
        row = await one_account(connection, 11)
        assert (row["disabled_reason"], row["state"]) == ("", "active")
        assert row["recovered_ms"] > 0


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201])
async def test_a_reason_is_needed(stocked, reason):
    async with reading(stocked) as connection:
        with pytest.raises(ValueError, match="1 to 200"):
            await disable(connection, 11, reason)


async def test_an_account_that_is_not_there(stocked):
    async with working(stocked) as connection:
        assert await find_account(connection, "main", "one") == 11
        assert await find_account(connection, "other", "one") is None
        for change_of in (recover, enable):
            assert not await change_of(connection, 99)
        assert not await disable(connection, 99, "why")
