"""Proof of `tollbridge rollup rebuild`: figures that were wrong are those of the rows again."""

import asyncio

import pytest
from click.testing import CliRunner
from sqlalchemy import select, update

from tests.storage.rollup_oracle import call
from tollbridge.cli import main
from tollbridge.storage.engine import open_engine
from tollbridge.storage.migrate import migrate
from tollbridge.storage.query_tables import rollup
from tollbridge.storage.unit_of_work import working

# 2023-11-14 and the day after it.
DAYS = (1_699_920_000_000, 1_700_006_400_000)


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/t.db"


def run(url, *words):
    return CliRunner().invoke(main, ["rollup", "rebuild", *words, "--database", url])


async def make(url):
    await migrate(url)
    engine = open_engine(url)
    for ms in DAYS:
        await call(engine, ms)
    await engine.dispose()


async def counts(url, change=None):
    engine = open_engine(url)
    async with working(engine) as connection:
        if change is not None:
            await connection.execute(update(rollup).values(calls=change))
        query = select(rollup.c.start_ms, rollup.c.calls).where(rollup.c.span == 86_400)
        found = dict((await connection.execute(query)).all())
    await engine.dispose()
    return found


def test_all_figures_are_made_anew(url):
    asyncio.run(make(url))
    done = run(url)
    # Hours so old are not kept.
    said = "made 2 spans of five minutes, hours and days anew\n"
    assert (done.exit_code, done.stdout) == (0, said)
    assert asyncio.run(counts(url)) == dict.fromkeys(DAYS, 1)
    assert asyncio.run(counts(url, change=7)) == dict.fromkeys(DAYS, 7)
    assert run(url, "--since", "2023-11-15").stdout.startswith("made 1 spans")
    assert asyncio.run(counts(url)) == {DAYS[0]: 7, DAYS[1]: 1}


def test_a_day_that_is_none_is_refused(url):
    asyncio.run(make(url))
    done = run(url, "--since", "yesterday")
    assert done.exit_code == 2
    assert "yesterday" in done.stderr


def test_no_database_is_a_sentence(url):
    done = run(url)
    assert done.exit_code == 1
    assert done.stderr.startswith("tollbridge: there is no database ")
