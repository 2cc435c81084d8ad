"""Proof that the scanner finds what it must find, wherever and however it is spelt."""

import base64
import contextlib
import hashlib
import json
import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.faults.scanner import (
    digests,
    escaped,
    found_in,
    in_files,
    in_tables,
    new_canary,
    percented,
    spellings,
    written_elsewhere,
)

CANARY = new_canary()
TOLD = f"He said {CANARY}, and left."
PLANTED = {
    "plain": TOLD.encode(),
    "upper case": TOLD.upper().encode(),
    "cut at its end": TOLD.encode()[:24],
    "cut at its start": TOLD.encode()[24:],
    "backwards": TOLD[::-1].encode(),
    "JSON escapes": json.dumps({"a": 1})[:-1].encode() + escaped(TOLD).encode(),
    "JSON escapes, upper case": escaped(TOLD, upper=True).encode(),
    "JSON escapes in JSON": json.dumps(escaped(TOLD)).encode(),
    "URL escapes": percented(TOLD).encode(),
    "URL escapes in a URL": quote(percented(TOLD)).encode(),
    "hexadecimal": TOLD.encode().hex().encode(),
    "UTF-16": TOLD.encode("utf-16"),
    "base64": base64.b64encode(TOLD.encode()),
    "base64 of a URL": base64.urlsafe_b64encode(b"?" + TOLD.encode()),
    "base64 again": base64.b64encode(b"??" + TOLD.encode()),
    "its like": f"I said {new_canary(CANARY)}.".encode(),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_canary_is_found_in_a_file(tmp_path: Path, name: str):
    nest = tmp_path / "a" / "b"
    nest.mkdir(parents=True)
    (nest / "log").write_bytes(os.urandom(4096) + PLANTED[name] + os.urandom(4096))
    (traces,) = {trace.partition(":")[0] for trace in in_files(tmp_path, spellings(CANARY))}
    assert traces == "a/b/log"
    assert in_files(tmp_path, spellings(new_canary())) == []
    assert in_files(tmp_path, spellings(CANARY), apart=[nest / "log"]) == []


@pytest.mark.parametrize("folder", [True, False])
def test_a_canary_in_a_name_is_found(tmp_path: Path, folder: bool):
    place = tmp_path / f"tmp-{CANARY}"
    place.mkdir() if folder else place.touch()
    assert len(in_files(tmp_path, spellings(CANARY))) == 1


@pytest.mark.parametrize(
    "value",
    [TOLD, TOLD.encode(), "x" * 4000 + TOLD + "x" * 4000],
    ids=["text", "bytes", "long"],
)
def test_a_canary_in_a_table_is_found(tmp_path: Path, value: object):
    database = tmp_path / "a.db"
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute('CREATE TABLE "a table" (id INTEGER, value)')
        connection.execute('INSERT INTO "a table" VALUES (1, ?)', (value,))
        connection.commit()
    assert in_tables(database, spellings(CANARY)) == ["table a table: plain"]
    assert in_tables(database, spellings(new_canary())) == []


def test_a_row_that_is_still_in_the_log_of_the_database_is_found(tmp_path: Path):
    database = tmp_path / "a.db"
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE a (value)")
        connection.execute("INSERT INTO a VALUES (?)", (TOLD,))
        connection.commit()
        assert in_files(tmp_path, spellings(CANARY)) == ["a.db-wal: plain"]


def test_a_file_that_is_written_elsewhere_is_seen(tmp_path: Path):
    inside = tmp_path / "inside"
    inside.mkdir()
    with (tmp_path / "out").open("w"), (inside / "in").open("w"):
        elsewhere = written_elsewhere(os.getpid(), inside)
    assert str(tmp_path / "out") in elsewhere
    assert str(inside / "in") not in elsewhere


@pytest.mark.parametrize("name", ["md5", "sha1", "sha256"])
def test_a_digest_without_a_key_is_found(name: str):
    digest = hashlib.new(name, CANARY.encode())
    for spelt in (digest.digest(), digest.hexdigest().encode(), base64.b64encode(digest.digest())):
        assert found_in(b"key " + spelt, digests(CANARY)) == [name]
        assert found_in(spelt, digests(new_canary())) == []


def test_what_has_nothing_of_it_is_clean():
    assert found_in(os.urandom(1 << 16), spellings(CANARY)) == []
