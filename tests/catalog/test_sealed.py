"""The twin of catalog/sealed.py: credentials stay readable at every moment of a rotation."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from tests.storage.shop_books import Shop
from tollbridge.catalog.channel_rows import open_sealed
from tollbridge.catalog.loader import load_snapshot
from tollbridge.catalog.sealed import SEALED_COLUMNS, keys_in_use, reseal
from tollbridge.core.key_file import add_key, drop_keys
from tollbridge.core.secrets import Secrets, load_or_create
from tollbridge.storage.tables import accounts, change, channels
from tollbridge.storage.unit_of_work import reading, writing

NUMBER = 7


@pytest.fixture
def path(tmp_path):
    load_or_create(tmp_path / "tollbridge.keys")
    return tmp_path / "tollbridge.keys"


async def stock(engine, secrets, number=NUMBER):
    """Store channels with a proxy and accounts with a secret, one of each without."""
    rows = Shop(1, users=0, calls=0, holds=0).rows
    async with writing(engine) as connection:
        for at in range(number):
            channel = {**rows["channels"][0], "id": at, "name": f"c{at}", "models": '["m"]'}
            channel["proxy"] = secrets.seal("http://proxy:1", f"channel:{at}:proxy") if at else ""
            account = {**rows["accounts"][0], "id": at, "channel_id": at, "name": f"a{at}"}
            account["secret"] = secrets.seal(f"s{at}", f"account:{at}:secret") if at else ""
            await connection.execute(insert(channels).values(**channel))
            await connection.execute(insert(accounts).values(**account))


async def plain(engine, secrets):
    """Return every stored credential as it opens."""
    found = []
    async with reading(engine) as connection:
        for table, kind in ((channels, "channel"), (accounts, "account")):
            for row in (await connection.execute(select(table).order_by(table.c.id))).mappings():
                found += [
                    open_sealed(secrets, kind, row, name) for name in SEALED_COLUMNS[table.name]
                ]
    return found


async def version(engine):
    async with reading(engine) as connection:
        return (await connection.execute(select(change.c.version))).scalar_one()


async def test_everything_is_sealed_again_and_running_servers_see_it(engine, path):
    running = load_or_create(path)
    await stock(engine, running)
    old, before = running.current_key_id, await plain(engine, running)
    assert await keys_in_use(engine) == {old: 2 * (NUMBER - 1)}
    started = await version(engine)
    new = add_key(path)
    done = await reseal(engine, load_or_create(path), at_once=2)
    assert done == (2 * (NUMBER - 1), ())
    assert await keys_in_use(engine) == {new: 2 * (NUMBER - 1)}
    # Each transaction is a change that servers load.
    assert await version(engine) > started
    assert await plain(engine, running) == before
    drop_keys(path, [old])
    assert await plain(engine, load_or_create(path)) == before
    assert (await load_snapshot(engine, running)).version == await version(engine)


async def test_a_second_time_there_is_nothing_to_do(engine, path):
    await stock(engine, load_or_create(path))
    started = await version(engine)
    assert await reseal(engine, load_or_create(path)) == (0, ())
    assert await version(engine) == started


async def test_what_does_not_open_is_named_and_left(engine, path):
    secrets = load_or_create(path)
    await stock(engine, secrets)
    foreign = Secrets(b"q" * 32, {"kx": b"x" * 32}, "kx").seal("CANARY", "account:3:secret")
    moved = secrets.seal("CANARY", "account:1:secret")
    async with writing(engine) as connection:
        for at, value in ((3, foreign), (4, moved)):
            await connection.execute(
                update(accounts).where(accounts.c.id == at).values(secret=value)
            )
    add_key(path)
    done = await reseal(engine, load_or_create(path), at_once=2)
    assert done.values == 2 * (NUMBER - 1) - 2
    assert [line.partition(":")[0] for line in done.left] == ["account a3", "account a4"]
    assert "CANARY" not in str(done)
    used = await keys_in_use(engine)
    assert (used["kx"], used[secrets.key_ids[0]] + used[secrets.key_ids[-1]] > 0) == (1, True)


_CHILD = """
import asyncio, sys
from pathlib import Path
from tollbridge.catalog.sealed import keys_in_use, reseal
from tollbridge.core.key_file import add_key, drop_keys
from tollbridge.core.secrets import load_or_create
from tollbridge.storage.engine import open_engine

async def rotate(url, path):
    engine = open_engine(url)
    print("ready", flush=True)
    while True:
        add_key(path)
        await reseal(engine, load_or_create(path), at_once=1)
        secrets, used = load_or_create(path), await keys_in_use(engine)
        drop_keys(path, [one for one in secrets.key_ids if one != secrets.current_key_id
                         and not used[one]])

asyncio.run(rotate(sys.argv[1], Path(sys.argv[2])))
"""


async def test_killed_at_any_moment_everything_opens(engine, database_url, path: Path):
    await stock(engine, load_or_create(path))
    before = await plain(engine, load_or_create(path))
    chance = random.Random(5)
    for _ in range(6):
        command = [sys.executable, "-c", _CHILD, database_url, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:  # noqa: ASYNC220
            assert child.stdout.readline() == "ready\n"
            time.sleep(chance.uniform(0, 0.2))  # noqa: ASYNC251
            child.kill()
        assert await plain(engine, load_or_create(path)) == before
    await reseal(engine, load_or_create(path))
    assert [*await keys_in_use(engine)] == [load_or_create(path).current_key_id]
