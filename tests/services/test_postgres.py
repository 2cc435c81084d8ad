"""Proof that the throw-away PostgreSQL is real, fresh for each test, and gone afterwards."""

import os
import select
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from tests.services import postgres


async def test_a_database_is_empty_and_works(postgres_url: str):
    connection = await asyncpg.connect(postgres_url)
    try:
        tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        assert await connection.fetchval(tables) == 0
        await connection.execute("CREATE TABLE t (n BIGINT CHECK (n >= 0))")
        await connection.execute("INSERT INTO t VALUES ($1)", 2**62)
        assert await connection.fetchval("SELECT n FROM t") == 2**62
    finally:
        await connection.close()


async def test_the_next_test_gets_a_fresh_one(postgres_url: str):
    connection = await asyncpg.connect(postgres_url)
    try:
        assert await connection.fetchval("SELECT to_regclass('t')") is None
    finally:
        await connection.close()


async def test_two_databases_are_strangers(postgres_server: postgres.Server):
    with postgres_server.database() as one, postgres_server.database() as other:
        assert one != other
        postgres_server.execute("CREATE TABLE t (n INT)", one.rpartition("/")[2])
        found = postgres_server.execute("SELECT to_regclass('t')", other.rpartition("/")[2])
        assert found == ""


async def test_a_database_is_dropped_under_an_open_connection(postgres_server: postgres.Server):
    with postgres_server.database() as url:
        connection = await asyncpg.connect(url)
        name = url.rpartition("/")[2]
    connection.terminate()
    listed = postgres_server.execute("SELECT datname FROM pg_database").split("\n")
    assert name not in listed


def test_a_failing_statement_is_loud(postgres_server: postgres.Server):
    with pytest.raises(postgres.NotStartedError, match="no_such_table"):
        postgres_server.execute("SELECT * FROM no_such_table")


def test_stop_leaves_neither_process_nor_folder():
    server = postgres.Server()
    server.start()
    pid = int((server.folder / "data" / "postmaster.pid").read_text().split("\n")[0])
    port = server.port
    server.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not server.folder.exists()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


_STARTER = """
import sys, time
from tests.services import postgres
server = postgres.Server()
server.start()
print(server.folder, flush=True)
time.sleep(120)
"""


def test_it_ends_when_its_starter_is_killed():
    root = Path(__file__).resolve().parents[2]
    starter = subprocess.Popen([sys.executable, "-c", _STARTER], cwd=root, stdout=subprocess.PIPE)
    assert starter.stdout is not None
    with starter.stdout:
        folder = Path(starter.stdout.readline().decode().strip())
    pid_file = folder / "data" / "postmaster.pid"
    server = os.pidfd_open(int(pid_file.read_text().split("\n")[0]))
    starter.kill()
    starter.wait()
    ended, _, _ = select.select([server], [], [], 30)
    os.close(server)
    assert ended
    assert not pid_file.exists()
    shutil.rmtree(folder)
