"""Proof that keys are recognised from memory, looked up once, and forgotten on a change."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import event, select
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.identity.rows import key_columns, user_columns
from tollbridge.core.errors import ApiError, Kind
from tollbridge.core.secrets import Secrets
from tollbridge.identity.keys import KeyRecord, KeyStore, digest_of, with_hash
from tollbridge.identity.users import add_key, add_user, change_key, change_user, secret_columns
from tollbridge.storage.engine import open_engine
from tollbridge.storage.tables import api_keys
from tollbridge.storage.unit_of_work import reading, writing

SECRET = b"sk-" + b"s" * 40
WRONG = b"sk-" + b"w" * 40


@pytest.fixture
async def store(engine: AsyncEngine, secrets: Secrets) -> AsyncIterator[KeyStore]:
    async with writing(engine) as connection:
        await add_user(connection, 1, "a@b.org", 5, user_columns(wallet_id=11, role="staff"))
        columns = key_columns(
            **secret_columns(secrets, SECRET.decode()),
            limit_nano=3,
            limit_purse_id=12,
            expires_ms=99,
            ips='["10.0.0.0/8"]',
            models='["m"]',
        )
        await add_key(connection, 7, 1, 5, columns)
    return KeyStore(engine, secrets)


@contextmanager
def queries(engine: AsyncEngine) -> Iterator[list[str]]:
    """Collect the look-ups of keys that reach the database."""
    seen: list[str] = []

    def note(_connection, _cursor, statement: str, *_more: object) -> None:
        if "api_keys" in statement:
            seen.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine.sync_engine, "before_cursor_execute", note)


RECORD = KeyRecord(
    id=7,
    user_id=1,
    wallet_id=11,
    limit_purse_id=12,
    name="demo",
    last6="ssssss",
    channel_id=None,
    enabled=True,
    user_active=True,
    user_group="default",
    user_role="staff",
    expires_ms=99,
    ips=("10.0.0.0/8",),
    models=frozenset({"m"}),
    may_pin=False,
    rpm=0,
    tpm=0,
    concurrency=0,
    user_rpm=0,
    user_tpm=0,
    user_concurrency=0,
    budget_nano=None,
    budget_period=None,
)


async def test_a_key_is_looked_up_once(engine: AsyncEngine, store: KeyStore):
    assert store.cached(SECRET) is KeyStore.MISSING
    with queries(engine) as seen:
        assert await store.find(SECRET) == RECORD
        assert await store.find(SECRET) == RECORD
    assert store.cached(SECRET) == store.known(digest_of(SECRET)) == RECORD
    assert store.known(digest_of(WRONG)) is None
    assert len(seen) == 1


async def test_limits_of_the_user_and_the_keys_budget_come_along(
    engine: AsyncEngine, store: KeyStore
):
    async with writing(engine) as connection:
        await change_user(connection, 1, {"rpm": 1, "tpm": 2**40, "concurrency": 3})
        limits = {"rpm": 4, "tpm": 2**41, "concurrency": 6}
        await change_key(connection, 7, {**limits, "budget_nano": 2**60, "budget_period": "week"})
    users = {"user_rpm": 1, "user_tpm": 2**40, "user_concurrency": 3}
    assert await store.find(SECRET) == replace(
        RECORD, **limits, **users, budget_nano=2**60, budget_period="week"
    )


async def test_whether_its_user_is_bound_to_telegram_comes_along(
    engine: AsyncEngine, store: KeyStore
):
    found = await store.find(SECRET)
    assert found is not None and not found.user_telegram
    for telegram_id, bound in ((2**62, True), (None, False)):
        async with writing(engine) as connection:
            await change_user(connection, 1, {"telegram_id": telegram_id})
        store.clear()
        assert await store.find(SECRET) == replace(RECORD, user_telegram=bound)


async def test_a_wrong_key_is_remembered_too(engine: AsyncEngine, store: KeyStore):
    with queries(engine) as seen:
        assert await store.find(WRONG) is None
        assert await store.find(WRONG) is None
    assert store.cached(WRONG) is None
    assert len(seen) == 1


@pytest.mark.parametrize(
    "secret", [b"sk-tb-" + b"A" * 46, b"\xff" * 40, "ключ".encode(), b"x" * 513]
)
async def test_what_cannot_be_a_key_never_reaches_the_database(
    engine: AsyncEngine, store: KeyStore, secret: bytes
):
    with queries(engine) as seen:
        assert await store.find(secret) is None
    assert not seen
    assert store.cached(secret) is KeyStore.MISSING


async def test_a_minted_key_with_its_tag_is_looked_up(
    engine: AsyncEngine, store: KeyStore, secrets: Secrets
):
    with queries(engine) as seen:
        assert await store.find(secrets.mint_key().encode()) is None
    assert len(seen) == 1


async def test_callers_at_the_same_time_share_one_query(engine: AsyncEngine, store: KeyStore):
    with queries(engine) as seen:
        found = await asyncio.gather(*(store.find(SECRET) for _ in range(20)))
    assert found == [RECORD] * 20
    assert len(seen) == 1


async def test_a_caller_that_leaves_does_not_take_the_answer_along(store: KeyStore):
    leaving = asyncio.create_task(store.find(SECRET))
    staying = asyncio.create_task(store.find(SECRET))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == RECORD
    assert leaving.cancelled()


async def test_after_a_change_the_new_state_is_found(engine: AsyncEngine, store: KeyStore):
    await store.find(SECRET)
    await store.find(WRONG)
    async with writing(engine) as connection:
        await change_user(connection, 1, {"status": "suspended"})
        await change_key(connection, 7, {"limit_nano": None, "enabled": False})
    assert store.cached(SECRET) == RECORD
    store.clear()
    assert store.cached(SECRET) is store.cached(WRONG) is KeyStore.MISSING
    found = await store.find(SECRET)
    assert found is not None
    assert (found.user_active, found.enabled, found.limit_purse_id) == (False, False, None)


async def test_an_answer_from_before_a_change_is_not_kept(engine: AsyncEngine, store: KeyStore):
    asked = asyncio.create_task(store.find(SECRET))
    await asyncio.sleep(0)
    store.clear()
    with queries(engine) as seen:
        later = asyncio.create_task(store.find(SECRET))
        assert await asked == await later == RECORD
    assert store.cached(SECRET) == RECORD
    assert len(seen) == 2


async def test_a_secret_that_was_rotated_away_ends_with_its_grace(
    engine: AsyncEngine, store: KeyStore, secrets: Secrets
):
    old = {"old_hash": secrets.key_hash(WRONG.decode()), "old_last6": "wwwwww"}
    for until_ms, expires_ms, ends_ms in ((50, 99, 50), (200, 99, 99), (50, None, 50)):
        async with writing(engine) as connection:
            await change_key(
                connection, 7, {**old, "old_until_ms": until_ms, "expires_ms": expires_ms}
            )
        store.clear()
        with queries(engine) as seen:
            found = await store.find(WRONG)
        assert found == replace(RECORD, last6="wwwwww", expires_ms=ends_ms)
        assert store.cached(WRONG) == found
        assert await store.find(SECRET) == replace(RECORD, expires_ms=expires_ms)
        assert len(seen) == 1


async def test_a_deleted_key_is_nobodys(engine: AsyncEngine, store: KeyStore, secrets: Secrets):
    async with writing(engine) as connection:
        old = {"old_hash": secrets.key_hash(WRONG.decode()), "old_until_ms": 2**60}
        await change_key(connection, 7, {**old, "deleted_ms": 5})
    assert await store.find(SECRET) is None
    assert await store.find(WRONG) is None


async def test_both_secrets_are_looked_up_by_their_indexes(engine: AsyncEngine, secrets: Secrets):
    query = with_hash(select(api_keys.c.id), secrets.key_hash("x"))
    text = str(query.compile(engine.sync_engine))
    plain = engine.dialect.name == "postgresql"
    async with reading(engine) as connection:
        # A table of a few rows is read whole, whatever indexes it has.
        if plain:
            await connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        explain = "EXPLAIN " if plain else "EXPLAIN QUERY PLAN "
        rows = await connection.exec_driver_sql(explain + text, (b"x", b"x"))
        plan = " ".join(str(row) for row in rows)
    assert ("BitmapOr" if plain else "MULTI-INDEX OR") in plan
    assert "uq_api_keys_old_hash" in plan
    assert "SCAN api_keys" not in plan and "Seq Scan" not in plan


async def test_memory_is_bounded_and_keeps_what_is_used(engine: AsyncEngine, secrets: Secrets):
    store = KeyStore(engine, secrets, known_max=2, refused_max=2)
    texts = [f"sk-{number:040d}" for number in range(3)]
    async with writing(engine) as connection:
        await add_user(connection, 1, "a@b.org", 5, user_columns(wallet_id=11))
        for number, text in enumerate(texts):
            columns = key_columns(name=text[-3:], **secret_columns(secrets, text))
            await add_key(connection, number, 1, 5, columns)
    first, second, third = (text.encode() for text in texts)
    await store.find(first)
    await store.find(second)
    store.cached(first)
    await store.find(third)
    assert store.cached(second) is KeyStore.MISSING
    assert isinstance(store.cached(first), KeyRecord)
    for number in range(3):
        await store.find(b"wrong-%d" % number)
    assert store.cached(b"wrong-0") is KeyStore.MISSING
    assert store.cached(b"wrong-2") is None


async def test_without_a_database_nothing_is_decided(secrets: Secrets, tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path}/without-tables.db")
    store = KeyStore(engine, secrets)
    with pytest.raises(ApiError) as caught:
        await store.find(SECRET)
    assert caught.value.kind is Kind.DATABASE_DOWN
    assert store.cached(SECRET) is KeyStore.MISSING
    await engine.dispose()
