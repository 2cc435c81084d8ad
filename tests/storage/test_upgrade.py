"""Upgrades of a shop that is full: all data stays, the books are right, a failure changes nothing.

For a new revision: add it to FROM and its columns to the rows of `shop_books.Shop`.
"""

import stat
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage import books
from tests.storage.old_shops import OldShop, OldShops, named
from tests.storage.rollup_oracle import by_hand, catch_up, in_the_table
from tests.storage.shop_books import SECRETS, Shop, write
from tests.storage.test_migrate import check
from tests.storage.test_restore import findings, in_one
from tollbridge.catalog.loader import load_snapshot
from tollbridge.core.clock import now_ms
from tollbridge.storage.engine import DATABASE_ERRORS, open_engine
from tollbridge.storage.migrate import migrate, schema_is_current
from tollbridge.storage.rollup_marks import DAY
from tollbridge.storage.rollups import begin
from tollbridge.storage.saved_tables import known_revisions

FROM = ["0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010"]
_SCHEMAS = {
    "sqlite": "SELECT name || ' ' || COALESCE(sql, '') FROM sqlite_master ORDER BY 1",
    "postgresql": "SELECT table_name || ' ' || column_name || ' ' || data_type || ' '"
    " || COALESCE(column_default, '') || is_nullable FROM information_schema.columns"
    " WHERE table_schema = 'public'"
    " UNION ALL SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint"
    " UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
}


def schema(connection):
    """Return all that a schema says of itself."""
    found = connection.execute(text(_SCHEMAS[connection.dialect.name])).scalars().all()
    version = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    return found, version


def key_of(row):
    return row.get("tid") or row.get("id") or row.get("key")


@pytest.fixture(params=FROM)
def revision(request):
    return request.param


@pytest.fixture(scope="module")
def old_shops(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[OldShops]:
    with ExitStack() as stack:
        yield OldShops(tmp_path_factory.mktemp("old"), request, stack)


@pytest.fixture(params=["sqlite", "postgresql"])
def old_shop(request: pytest.FixtureRequest, old_shops: OldShops, revision: str) -> OldShop:
    return old_shops.find(request.param, revision)


@pytest.fixture
def old_url(old_shops: OldShops, old_shop: OldShop) -> Iterator[str]:
    """Give a database of the revision with the shop in it."""
    with old_shops.copied(old_shop.old) as url:
        yield url


@pytest.fixture
def url(old_shops: OldShops, old_shop: OldShop) -> Iterator[str]:
    """Give such a database after the upgrade."""
    with old_shops.copied(old_shop.upgraded) as url:
        yield url


on_sqlite = pytest.mark.parametrize("old_shop", ["sqlite"], indirect=True)


def test_every_step_but_the_first_two_has_an_upgrade_to_it():
    assert known_revisions()[1:-1] == FROM


async def test_all_data_stays_and_the_books_are_right(url, old_shop, revision):
    shop, before = old_shop.shop, old_shop.before
    assert len(before["usage"]) == 200 and before["hold"]
    after = await in_one(url, named)
    for table, rows in before.items():
        now = {key_of(row): row for row in after[table]}
        assert len(now) == len(rows), table
        for row in rows:
            assert row.items() <= now[key_of(row)].items(), table
    assert await findings(url) == []
    await in_one(url, check)
    fed = await in_one(url, lambda connection: connection.execute(
        text("SELECT tid FROM usage_feed ORDER BY id")).scalars().all())  # fmt: skip
    # From 0003 on the feed is there, and its rows are data like others.
    assert fed == (sorted(row["tid"] for row in shop.rows["usage"]) if revision == "0002" else [])


@pytest.mark.parametrize("revision", [one for one in FROM if one < "0008"])
async def test_what_wallets_had_is_their_first_lot(url, old_shop):
    """The step to 0008; what was spent before is of no lot."""
    after = await in_one(url, named)
    had = {
        one["id"]: one["available"]
        for one in old_shop.shop.rows["purse"]
        if one["kind"] == "wallet"
    }
    opening = {one["wallet_id"]: one for one in after["lot"]}
    assert len(after["lot"]) == len(opening)
    for wallet, amount in had.items():
        lot = opening.pop(wallet, {"amount": 0, "remaining": 0})
        assert lot["amount"] == lot["remaining"] == amount
    assert (opening, after["lot_use"]) == ({}, [])


async def test_the_roll_ups_have_every_call_of_before(url):
    engine = open_engine(url)
    await begin(engine, now_ms())
    await catch_up(engine)
    assert await in_the_table(engine) == await by_hand(engine)
    assert len({slot for slot in await in_the_table(engine) if slot[0] == DAY}) > 9
    await engine.dispose()


async def test_the_catalogue_of_before_is_read(url, old_shop):
    engine = open_engine(url)
    snapshot = await load_snapshot(engine, SECRETS)
    await engine.dispose()
    assert len(snapshot.channels) == len(old_shop.shop.rows["channels"])
    assert {one.secret for channel in snapshot.channels.values() for one in channel.accounts} == {
        "hush"
    }


async def test_new_rows_fit_after_the_upgrade(url):
    """Checks and defaults are those of the new schema, not leftovers of the old."""
    await in_one(url, write, Shop(22).rows)
    assert await findings(url) == []


@pytest.mark.parametrize("revision", [one for one in FROM if one < "0005"])
async def test_a_failure_in_the_middle_leaves_the_old_schema(old_url):
    """A table in the way of one that the upgrade makes late: what was done before is undone."""
    await in_one(old_url, lambda connection: connection.execute(
        text("CREATE TABLE sink_feed (in_the_way BIGINT)")) and None)  # fmt: skip
    before = await in_one(old_url, schema), await in_one(old_url, named_but_foreign)
    failed = True
    with suppress(*DATABASE_ERRORS):
        await migrate(old_url)
        failed = False
    assert failed
    assert (await in_one(old_url, schema), await in_one(old_url, named_but_foreign)) == (before)
    await in_one(old_url, lambda connection: connection.execute(
        text("DROP TABLE sink_feed")) and None)  # fmt: skip
    await migrate(old_url)
    await in_one(old_url, check)
    assert await findings(old_url) == []


def named_but_foreign(connection):
    """Return the rows of the tables that carry data at every revision."""
    tables = ("users", "api_keys", "channels", "accounts", "purse", "hold", "usage", "journal")
    return [
        sorted(map(repr, connection.execute(text(f'SELECT * FROM "{table}"')).all()))
        for table in tables
    ]


@on_sqlite
async def test_the_rights_of_a_file_stay(old_url):
    path = Path(old_url.removeprefix("sqlite:///"))
    path.chmod(0o640)
    await migrate(old_url)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@on_sqlite
async def test_calls_of_the_old_process_are_recovered(url, old_shop):
    path = Path(url.removeprefix("sqlite:///"))
    books.open_book(path).close()
    charged = books.query(path, "SELECT tid, charge FROM usage WHERE end_state = 'reclaimed'")
    holds = old_shop.shop.rows["hold"]
    assert sorted(charged) == sorted((row["tid"], row["covered"]) for row in holds)
    assert books.query(path, "SELECT count(*) FROM hold") == [(0,)]
    assert await findings(url) == []


async def test_the_newest_schema_is_current(engine: AsyncEngine):
    assert await schema_is_current(engine)
