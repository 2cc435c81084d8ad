"""Proof of `tollbridge jobs`: the dead are listed and come back to life."""

import asyncio

import pytest
from click.testing import CliRunner
from sqlalchemy import update

from tollbridge.cli import main
from tollbridge.storage.engine import open_engine
from tollbridge.storage.migrate import migrate
from tollbridge.storage.queue import enqueue
from tollbridge.storage.unit_of_work import working
from tollbridge.storage.work_tables import job


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/t.db"


def run(url, *words):
    return CliRunner().invoke(main, ["jobs", *words, "--database", url])


async def make(url: str, **values) -> None:
    await migrate(url)
    engine = open_engine(url)
    async with working(engine) as connection:
        await enqueue(connection, "mail", {})
        if values:
            await connection.execute(update(job).values(**values))
    await engine.dispose()


def test_a_dead_job_is_listed_and_revived(url):
    asyncio.run(
        make(
            url,
            state="dead",
            id=77,
            error="TimeoutError",
            attempts=12,
            created_ms=1_700_000_000_000,
        )
    )
    assert run(url, "list").stdout == "77 mail 2023-11-14 22:13:20 12 x TimeoutError\n"
    done = run(url, "revive", "77")
    assert (done.exit_code, done.stdout) == (0, "job 77 is due now\n")
    assert run(url, "list").stdout == "there are no dead jobs\n"


def test_only_dead_jobs_are_revived(url):
    asyncio.run(make(url, id=77))
    for number in ("77", "78"):
        done = run(url, "revive", number)
        assert (done.exit_code, done.stderr) == (1, f"tollbridge: there is no dead job {number}\n")


def test_no_database_and_another_schema_are_a_sentence(url, tmp_path):
    assert run(url, "list").stderr == f"tollbridge: there is no database {tmp_path}/t.db\n"
    (tmp_path / "t.db").touch()
    done = run(url, "list")
    assert (done.exit_code, "run tollbridge migrate" in done.stderr) == (1, True)
