"""The twin of storage/archive.py: a backup is whole or is refused, and never half a file."""

import errno
import io
import json
import os
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.storage.archive import (
    FORMAT,
    Archive,
    ArchiveError,
    Column,
    Manifest,
    Writer,
    writing_archive,
)

COLUMNS = (Column("id", "int"), Column("note", "text"), Column("hash", "bytes"),
           Column("on", "bool"))  # fmt: skip
ROWS = [(1, "one", b"\x00\xff", True), (2, None, None, None), (-(2**63), "zwei\n", b"", False)]
VALUES = st.tuples(
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.text(),
    st.none() | st.binary(),
    st.none() | st.booleans(),
)


def manifest(entries, **changes) -> Manifest:
    facts = {
        "product": "tollbridge", "format": FORMAT, "version": "1", "revision": "0003",
        "engine": "sqlite", "incarnation": 1, "at_ms": 2, "key_ids": ("k1",),
    }  # fmt: skip
    return Manifest(**{**facts, **changes}, tables=tuple(entries))


def make(path, parts=(ROWS,), **changes):
    with writing_archive(path) as writer:
        with writer.table("things", COLUMNS) as file:
            for part in parts:
                file.add(part)
        writer.finish(manifest(writer.entries, **changes))
    return path


def read(path):
    archive = Archive(path)
    try:
        archive.check()
        (entry,) = archive.manifest.tables
        return [row for part in archive.rows(entry) for row in part]
    finally:
        archive.close()


@given(st.lists(st.lists(VALUES, max_size=5), max_size=4))
def test_any_rows_come_back(tmp_path_factory, parts):
    path = make(tmp_path_factory.mktemp("a") / "backup", parts)
    assert read(path) == [row for part in parts for row in part]


def test_rows_longer_than_a_piece_come_back(tmp_path):
    rows = [(number, "x" * 700_000, None, None) for number in range(5)]
    assert read(make(tmp_path / "backup", [rows])) == rows


def test_a_backup_is_its_owners_alone_and_leaves_no_draft(tmp_path):
    path = make(tmp_path / "backup")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [tmp_path / "backup"]
    assert Archive(path).manifest.rows == 3


def test_a_later_backup_takes_the_place_of_an_earlier_one(tmp_path):
    make(tmp_path / "backup")
    make(tmp_path / "backup", [ROWS[:1]])
    assert read(tmp_path / "backup") == ROWS[:1]


def test_what_is_no_backup_is_never_overwritten(tmp_path):
    path = tmp_path / "tollbridge.db"
    path.write_bytes(b"SQLite format 3\0 and all my money")
    with pytest.raises(ArchiveError, match="exists and is no backup"):
        make(path)
    assert path.read_bytes().endswith(b"all my money")


def test_an_error_in_the_middle_leaves_the_earlier_backup(tmp_path):
    path = make(tmp_path / "backup")
    before = path.read_bytes()

    def fail() -> None:
        with writing_archive(path) as writer, writer.table("things", COLUMNS) as file:
            file.add(ROWS)
            raise ConnectionResetError(errno.ECONNRESET, "the database went away")

    with pytest.raises(ConnectionResetError):
        fail()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [tmp_path / "backup"]


def test_a_disk_that_refuses_is_a_sentence(tmp_path):
    with pytest.raises(ArchiveError, match="cannot be written: No such file or directory"):
        make(tmp_path / "nowhere" / "backup")
    with Path("/dev/full").open("wb", buffering=0) as full:
        writer = Writer(full, tmp_path / "backup")
        with (
            pytest.raises(ArchiveError, match="cannot be written: No space left"),
            writer.table("things", COLUMNS) as file,
        ):
            file.add([(1, os.urandom(500_000).hex(), None, None)])
        writer.abandon()


@given(st.data())
def test_a_cut_backup_is_refused(tmp_path_factory, data):
    path = make(tmp_path_factory.mktemp("a") / "backup")
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(ArchiveError):
        read(path)


@given(st.data())
def test_a_changed_byte_is_refused_or_changes_nothing(tmp_path_factory, data):
    path = make(tmp_path_factory.mktemp("a") / "backup")
    whole = bytearray(path.read_bytes())
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    try:
        assert read(path) == ROWS
    except ArchiveError as error:
        assert str(path) in str(error)  # noqa: PT017


def repacked(path, change):
    """Pack a backup anew with other members, as somebody might who means no good."""
    with zipfile.ZipFile(path) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return path


def altered(**changes):
    def change(members):
        head = json.loads(members["manifest.json"]) | changes
        members["manifest.json"] = json.dumps(head).encode()

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda members: members.clear(), "no backup of tollbridge"),
        (lambda members: members.pop("manifest.json"), "no backup of tollbridge"),
        (lambda members: members.update({"manifest.json": b"{"}), "no backup of tollbridge"),
        (altered(product="a word processor"), "no backup of tollbridge"),
        (altered(format=FORMAT + 1), "the form of another version"),
        (altered(tables=[5]), "its manifest is damaged"),
        (altered(stray=1), "its manifest is damaged"),
        (altered(tables=[]), "does not have the tables"),
        (lambda members: members.pop("things.jsonl"), "does not have the tables"),
        (lambda members: members.update({"../x": b""}), "does not have the tables"),
        (lambda members: members.update({"things.jsonl": b"[1]\n"}), "is not as when it was made"),
    ],
)
def test_a_foreign_or_altered_file_is_refused(tmp_path, change, reason):
    path = repacked(make(tmp_path / "backup"), change)
    with pytest.raises(ArchiveError, match=reason):
        read(path)


@pytest.mark.parametrize("name", ["things; DROP TABLE users", 'things"', "", "x" * 99])
def test_names_that_are_none_are_refused(tmp_path, name):
    def change(members):
        head = json.loads(members["manifest.json"])
        head["tables"][0]["name"] = name
        members["manifest.json"] = json.dumps(head).encode()
        members[f"{name}.jsonl"] = members.pop("things.jsonl")

    with pytest.raises(ArchiveError, match="its manifest is damaged"):
        Archive(repacked(make(tmp_path / "backup"), change))


@pytest.mark.parametrize(
    "line", [b'["1",null,null,null]', b"[1]", b"{}", b"[1,null,null,null,5]", b"[1,2,3,4", b"x"]
)
def test_values_of_a_wrong_kind_are_refused(tmp_path, line):
    """The SHA-256 is right: whoever packed it computed it."""
    path = make(tmp_path / "backup", [[]])

    def change(members):
        members["things.jsonl"] = line + b"\n"

    repacked(path, change)
    archive = Archive(path)
    (entry,) = archive.manifest.tables
    with pytest.raises(ArchiveError, match="wrong kind"):
        list(archive.rows(entry))
    archive.close()


def test_a_half_row_is_refused(tmp_path):
    path = repacked(
        make(tmp_path / "backup", [[]]), lambda all_: all_.update({"things.jsonl": b"["})
    )
    archive = Archive(path)
    with pytest.raises(ArchiveError, match="in the middle of a row"):
        list(archive.rows(archive.manifest.tables[0]))
    archive.close()


def test_other_files_are_refused(tmp_path):
    with pytest.raises(ArchiveError, match="No such file"):
        Archive(tmp_path / "none")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ArchiveError, match="cannot be read"):
        Archive(tmp_path / "folder")
    plain = io.BytesIO()
    with zipfile.ZipFile(plain, "w") as other:
        other.writestr("letter.txt", "dear reader")
    (tmp_path / "letters.zip").write_bytes(plain.getvalue())
    with pytest.raises(ArchiveError, match="no backup of tollbridge"):
        Archive(tmp_path / "letters.zip")
