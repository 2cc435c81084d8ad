"""The twin of catalog/token_rows.py: sealed to its row, and a rotated token outlives a second apply."""

from dataclasses import replace

import pytest
from sqlalchemy import insert, select, update

from tests.storage.shop_books import Shop
from tollbridge.catalog.plan import OAuthPlan
from tollbridge.catalog.sealed import keys_in_use, reseal
from tollbridge.catalog.token_rows import forget_oauth, keep_token, read_token, set_oauth
from tollbridge.core.secrets import Secrets, SecretsError
from tollbridge.storage.account_tables import account_tokens
from tollbridge.storage.tables import accounts, channels
from tollbridge.storage.unit_of_work import reading, writing

PLAN = OAuthPlan(
    "https://vendor.example/token", "client", "refresh-0", "hush", "scope", access_token="access-0",
    expires_ms=7,
)  # fmt: skip
SECRET = ("refresh-0", "hush", "access-0", "access-1", "refresh-1")


@pytest.fixture
async def account_ids(engine):
    shop = Shop(3, users=0, calls=0, holds=0).rows
    async with writing(engine) as connection:
        await connection.execute(insert(channels), shop["channels"])
        await connection.execute(insert(accounts), shop["accounts"])
    return [one["id"] for one in shop["accounts"]]


async def put(engine, secrets, account_id, plan=PLAN, **values):
    async with writing(engine) as connection:
        return await set_oauth(connection, secrets, account_id, plan, at_ms=50, **values)


async def got(engine, secrets, account_id):
    async with reading(engine) as connection:
        return await read_token(connection, secrets, account_id)


async def rotate(engine, secrets, account_id):
    row = await got(engine, secrets, account_id)
    async with writing(engine) as connection:
        return await keep_token(
            connection, secrets, row, access="access-1", refresh="refresh-1", expires_ms=99
        )


async def test_everything_comes_back_and_nothing_lies_open(engine, secrets, account_ids):
    one, other = account_ids
    assert await got(engine, secrets, one) is None
    changed = await put(engine, secrets, one)
    assert set(changed) == {
        *("token_url", "client_id", "scope", "style", "client_secret", "refresh_token")
    }
    row = await got(engine, secrets, one)
    assert (row.token_url, row.client_id, row.scope, row.style) == (
        *("https://vendor.example/token", "client", "scope", "form"),
    )
    assert (row.client_secret, row.refresh, row.access) == ("hush", "refresh-0", "access-0")
    assert (row.expires_ms, row.version, row.held, row.failure) == (7, 50, False, "")
    async with writing(engine) as connection:
        stored = (await connection.execute(select(account_tokens))).mappings().one()
        assert not any(secret in repr((stored, row)) for secret in SECRET)
        await connection.execute(insert(account_tokens).values(**{**stored, "account_id": other}))
    with pytest.raises(SecretsError):
        await got(engine, secrets, other)


async def test_the_same_again_changes_nothing_even_after_a_rotation(engine, secrets, account_ids):
    await put(engine, secrets, account_ids[0])
    assert await put(engine, secrets, account_ids[0]) == ()
    assert await rotate(engine, secrets, account_ids[0])
    assert await put(engine, secrets, account_ids[0]) == ()
    row = await got(engine, secrets, account_ids[0])
    assert (row.refresh, row.access, row.expires_ms, row.version) == (
        *("refresh-1", "access-1", 99, 51),
    )
    assert row.given == (await got(engine, secrets, account_ids[0])).given != ""


async def test_one_that_is_not_rotated_stays(engine, secrets, account_ids):
    await put(engine, secrets, account_ids[0])
    row = await got(engine, secrets, account_ids[0])
    async with writing(engine) as connection:
        kept = await keep_token(connection, secrets, row, access="a", refresh="", expires_ms=1)
        late = await keep_token(connection, secrets, row, access="b", refresh="", expires_ms=1)
    row = await got(engine, secrets, account_ids[0])
    assert (kept, late, row.refresh, row.access) == (True, False, "refresh-0", "a")


@pytest.mark.parametrize(
    ("change", "names", "refresh"),
    [
        ({"scope": "other"}, ["scope"], "refresh-1"),
        ({"client_secret": ""}, ["client_secret"], "refresh-1"),
        ({"style": "json", "client_id": "x"}, ["client_id", "style"], "refresh-1"),
        ({"refresh_token": "refresh-9"}, ["refresh_token"], "refresh-9"),
        # What was rotated there is nobody else's business.
        ({"token_url": "https://other.example"}, ["refresh_token", "token_url"], "refresh-0"),
    ],
)
async def test_what_an_operator_changes_counts_at_once(
    engine, secrets, account_ids, change, names, refresh
):
    await put(engine, secrets, account_ids[0])
    await rotate(engine, secrets, account_ids[0])
    async with writing(engine) as connection:
        await connection.execute(
            update(account_tokens).values(quarantined_until_ms=9**9, failure="x", holder=3,
                                          held_until_ms=2**60)
        )  # fmt: skip
        await connection.execute(update(accounts).values(disabled_reason="oauth: invalid_grant"))
    assert sorted(await put(engine, secrets, account_ids[0], replace(PLAN, **change))) == names
    row = await got(engine, secrets, account_ids[0])
    assert (row.refresh, row.version, row.quarantined_until_ms, row.failure, row.held) == (
        *(refresh, 52, 0, "", False),
    )
    assert row.access == ("access-1" if refresh == "refresh-1" else "access-0")
    async with reading(engine) as connection:
        query = select(accounts).where(accounts.c.id == account_ids[0])
        account = (await connection.execute(query)).mappings().one()
    assert (account["auth"], account["disabled_reason"], account["recovered_ms"]) == (
        "oauth",
        "",
        50,
    )


async def test_another_address_takes_the_rotated_token_away(engine, secrets, account_ids):
    await put(engine, secrets, account_ids[0])
    await rotate(engine, secrets, account_ids[0])
    assert await put(engine, secrets, account_ids[0], moved=True) == ["refresh_token"]
    row = await got(engine, secrets, account_ids[0])
    assert (row.refresh, row.access) == ("refresh-0", "access-0")
    async with writing(engine) as connection:
        assert await forget_oauth(connection, account_ids[0])
        assert not await forget_oauth(connection, account_ids[0])
    assert await got(engine, secrets, account_ids[0]) is None


async def test_a_row_of_a_lost_key_file_is_written_anew(engine, secrets, account_ids):
    await put(engine, Secrets(b"q" * 32, {"k2": b"x" * 32}, "k2"), account_ids[0])
    assert "refresh_token" in await put(engine, secrets, account_ids[0])
    assert (await got(engine, secrets, account_ids[0])).refresh == "refresh-0"


async def test_a_new_key_seals_tokens_too(engine, secrets, account_ids):
    await put(engine, secrets, account_ids[0])
    both = Secrets(b"p" * 32, {"k1": b"k" * 32, "k2": b"n" * 32}, "k2")
    before = await got(engine, secrets, account_ids[0])
    await reseal(engine, both)
    assert set(await keys_in_use(engine)) == {"k2"}
    only = Secrets(b"p" * 32, {"k2": b"n" * 32}, "k2")
    assert await got(engine, only, account_ids[0]) == before
