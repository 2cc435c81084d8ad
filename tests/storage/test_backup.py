"""The twin of storage/backup.py: one moment of a database that others write to meanwhile."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from sqlalchemy import text

from tests.storage import books
from tests.storage.shop_books import SECRETS, Shop, write
from tests.storage.test_restore import bring_back, findings, in_one, opened, save
from tollbridge.core.secrets import Secrets
from tollbridge.storage.archive import Archive, ArchiveError
from tollbridge.storage.backup import backup
from tollbridge.storage.migrate import create_file, migrate


async def test_the_manifest_says_what_is_needed(database_url, tmp_path):
    await migrate(database_url)
    await in_one(database_url, write, Shop(3).rows)
    other = Secrets(b"p" * 32, {"k7": b"7" * 32}, "k7")
    proxy = other.seal("http://proxy", "account:1:proxy")
    await in_one(database_url, lambda connection: connection.execute(
        text("UPDATE accounts SET proxy = :proxy"), {"proxy": proxy}) and None)  # fmt: skip
    async with opened(database_url) as engine:
        manifest = await backup(engine, tmp_path / "backup", {"accounts": ("secret", "proxy")})
        factors = await backup(engine, tmp_path / "backup", {"users": ("totp_secret",)})
        without = await backup(engine, tmp_path / "backup", {})
    assert manifest.key_ids == (SECRETS.current_key_id, "k7")
    # Who has no second factor has nothing sealed there.
    assert factors.key_ids == (SECRETS.current_key_id,)
    assert without.key_ids == ()
    assert (manifest.revision, manifest.incarnation) == ("0011", 1)
    assert manifest.engine in database_url
    archive = Archive(tmp_path / "backup")
    archive.check()
    assert archive.manifest == without
    archive.close()


async def test_an_empty_or_later_database_is_refused(database_url, tmp_path):
    create_file(database_url)
    with pytest.raises(ArchiveError, match="there is nothing to back up"):
        await save(database_url, tmp_path / "backup")
    await migrate(database_url)
    later = "UPDATE alembic_version SET version_num = '9999'"
    await in_one(database_url, lambda connection: connection.execute(text(later)) and None)
    with pytest.raises(ArchiveError, match="belongs to a newer version"):
        await save(database_url, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()


_WRITER = """
import sys
from pathlib import Path
from tests.storage import books
book = books.open_book(Path(sys.argv[1]))
live = []
while True:
    fresh = [books.tid() for _ in range(4)]
    items = [books.hold(tid, 5) for tid in fresh] + [books.settle(tid, 3) for tid in live]
    book.apply(items)
    live = fresh
    print(".", end="", flush=True)
"""


async def test_a_backup_beside_a_writer_is_of_one_moment(tmp_path):
    """Books that change all the time have holds, charges and balances that fit in every copy."""
    path = books.fresh(tmp_path, 10**9)
    url = f"sqlite:///{path}"
    command = [sys.executable, "-c", _WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:  # noqa: ASYNC220
        try:
            sizes = []
            for number in range(4):
                child.stdout.read(20)
                await save(url, tmp_path / f"backup{number}")
        finally:
            child.send_signal(signal.SIGKILL)
    for number in range(4):
        copy = f"sqlite:///{tmp_path}/copy{number}.db"
        done = await bring_back(copy, tmp_path / f"backup{number}")
        assert done.voided == 4
        assert await findings(copy) == []
        with closing(sqlite3.connect(tmp_path / f"copy{number}.db")) as connection:
            sizes.append(connection.execute("SELECT count(*) FROM usage").fetchone()[0])
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


async def test_a_backup_beside_a_writer_is_of_one_moment_on_postgresql(tmp_path, postgres_url):
    await migrate(postgres_url)
    await in_one(postgres_url, write, Shop(4, calls=300).rows)
    stop = asyncio.Event()

    async def keep_charging() -> int:
        rounds = 0
        async with opened(postgres_url) as engine:
            while not stop.is_set():
                async with engine.begin() as connection:
                    await connection.execute(text(
                        "WITH paid AS (UPDATE purse SET available = available + 1"
                        " WHERE kind = 'wallet' RETURNING id)"
                        " INSERT INTO journal (id, at_ms, debit, credit, amount, kind, ref)"
                        " SELECT :n * 1000 + row_number() OVER (), 0, 'promo', 'wallet:' || id, 1,"
                        " 'grant', :n || ':' || id FROM paid"
                    ).bindparams(n=rounds + 1))  # fmt: skip
                rounds += 1
        return rounds

    charging = asyncio.create_task(keep_charging())
    try:
        for number in range(3):
            await save(postgres_url, tmp_path / f"backup{number}")
    finally:
        stop.set()
    assert await charging > 3
    for number in range(3):
        copy = f"sqlite:///{tmp_path}/copy{number}.db"
        await bring_back(copy, tmp_path / f"backup{number}")
        assert await findings(copy) == []
