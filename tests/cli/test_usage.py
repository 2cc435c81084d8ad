"""Proof of `tollbridge usage`: a real database becomes a file, whole or not at all."""

import asyncio
import csv
import io
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from pyarrow import parquet
from sqlalchemy import func, insert, select

from tests.storage.usage_writer import make_calls
from tollbridge.cli import main
from tollbridge.core.clock import new_tid, tid_ms
from tollbridge.storage.engine import open_engine
from tollbridge.storage.migrate import migrate
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import working
from tollbridge.storage.usage_export import FIELDS
from tollbridge.storage.work_tables import sink_feed

NOVEMBER = 1_699_920_000_000


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/t.db"


def run(url, *words, **environ):
    return CliRunner().invoke(main, ["usage", *words, "--database", url], env=environ)


async def make(url, *tids, **values):
    await migrate(url)
    engine = open_engine(url)
    async with working(engine) as connection:
        if tids:
            await make_calls(connection, list(tids), **values)
    await engine.dispose()


async def add_user(url, number, email):
    engine = open_engine(url)
    async with working(engine) as connection:
        await connection.execute(
            insert(users).values(
                id=number, email=email, email_norm=email, status="active", role="user",
                group_name="default", wallet_id=number, created_ms=1,
            )
        )  # fmt: skip
    await engine.dispose()


def tid_of(ms, number=0):
    return f"{ms:012x}7{number:019x}"


def read(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_csv_on_standard_output(url):
    tid = tid_of(NOVEMBER)
    asyncio.run(
        make(url, tid, at_ms=NOVEMBER, own_cost=123_456_789_012, account_id=7, key_name="=1+1")
    )
    done = run(url, "export")
    assert (done.exit_code, done.stderr) == (0, "exported 1 calls\n")
    (row,) = read(done.stdout)
    assert list(row) == [field.name for field in FIELDS]
    assert (row["tid"], row["started_at"]) == (tid, "2023-11-14T00:00:00.000Z")
    assert (row["own_cost_usd"], row["charge_usd"]) == ("123.456789012", "0.000000001")
    assert (row["account_id"], row["price_id"], row["key_name"]) == ("7", "", "'=1+1")


def test_spans_meet_without_a_gap(url):
    tids = [tid_of(NOVEMBER + hours * 3_600_000) for hours in range(0, 72, 6)]
    asyncio.run(make(url, *tids))
    found = []
    for first, last in (("2023-11-14", "2023-11-15"), ("2023-11-15T01:00+01:00", "2023-11-16"),
                        ("2023-11-16T00:00:00Z", "2023-11-17")):  # fmt: skip
        found += [
            row["tid"] for row in read(run(url, "export", "--from", first, "--to", last).stdout)
        ]
    assert found == tids


def test_one_user(url):
    asyncio.run(make(url, tid_of(NOVEMBER, 1), user_id=41))
    asyncio.run(make(url, tid_of(NOVEMBER, 2), user_id=42))
    asyncio.run(add_user(url, 42, "ann@example.test"))
    done = run(url, "export", "--user", " ANN@example.test")
    assert [row["user_id"] for row in read(done.stdout)] == ["42"]
    done = run(url, "export", "--user", "bob@example.test")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "tollbridge: there is no user bob@example.test\n"


def test_a_parquet_file_has_types(url, tmp_path):
    tids = [tid_of(NOVEMBER, number) for number in range(2500)]
    asyncio.run(make(url, *tids, own_cost=2**63 - 1, stream=1))
    target = tmp_path / "all.parquet"
    done = run(url, "export", "--format", "parquet", "--output", str(target))
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "exported 2,500 calls\n")
    table = parquet.read_table(target)
    assert table.column_names == [field.name for field in FIELDS]
    assert table["tid"].to_pylist() == tids
    assert set(table["own_cost_usd"].to_pylist()) == {Decimal("9223372036.854775807")}
    assert table["stream"][0].as_py() is True and table["account_id"][0].as_py() is None


def test_parquet_needs_a_file(url):
    asyncio.run(make(url))
    done = run(url, "export", "--format", "parquet")
    assert (done.exit_code, done.stderr) == (
        1, "tollbridge: Parquet needs a file: name one with --output\n"
    )  # fmt: skip


def test_without_its_package_parquet_says_what_to_install(url, tmp_path, monkeypatch):
    asyncio.run(make(url))
    # What Python itself does for a package that must not be found.
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    done = run(url, "export", "--format", "parquet", "--output", str(tmp_path / "x"))
    assert done.exit_code == 1
    assert "pip install 'tollbridge[parquet]'" in done.stderr
    assert [path.name for path in tmp_path.glob("x*")] == []


def test_a_file_is_whole_or_is_not_there(url, tmp_path):
    asyncio.run(make(url, new_tid()))
    target = tmp_path / "usage.csv"
    assert run(url, "export", "--output", str(target)).exit_code == 0
    assert len(read(target.read_bytes().decode())) == 1
    assert target.stat().st_mode & 0o777 == 0o600
    done = run(url, "export", "--output", str(tmp_path / "nowhere" / "x.csv"))
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.endswith("x.csv: cannot be written: No such file or directory\n")
    assert not list(tmp_path.glob("*.part"))


def test_a_full_disk_is_not_the_databases_fault(url):
    asyncio.run(make(url, new_tid()))
    full = Path("/dev/full")
    assert full.is_char_device()
    done = run(url, "export", "--output", str(full))
    said = "tollbridge: /dev/full: cannot be written: No space left on device\n"
    assert (done.exit_code, done.stderr) == (1, said)
    assert full.is_char_device()


@pytest.mark.parametrize(
    "words", [("--from", "yesterday"), ("--to", "1969-12-31"), ("--format", "xls")]
)
def test_what_is_no_choice_is_refused(url, words):
    done = run(url, "export", *words)
    assert done.exit_code == 2 and words[1] in done.stderr


async def waiting(url):
    engine = open_engine(url)
    async with working(engine) as connection:
        count = (await connection.execute(select(func.count()).select_from(sink_feed))).scalar_one()
    await engine.dispose()
    return count


def test_calls_are_sent_again(url):
    tids = [new_tid() for _ in range(3)]
    asyncio.run(make(url, tid_of(NOVEMBER), *tids))
    sink = {"TOLLBRIDGE_SINK_URL": "http://127.0.0.1:1/"}
    done = run(url, "resend", "--from", "2024-01-01", "--to", "2200-01-01", **sink)
    assert (done.exit_code, done.stdout) == (0, "3 calls wait for the sink\n")
    assert asyncio.run(waiting(url)) == 3
    assert tid_ms(tids[0]) > NOVEMBER


def test_without_a_sink_nothing_can_be_sent(url):
    asyncio.run(make(url, new_tid()))
    done = run(url, "resend", "--from", "2024-01-01")
    assert done.stderr == "tollbridge: there is no sink: the settings have no sink_url\n"
    assert asyncio.run(waiting(url)) == 0
