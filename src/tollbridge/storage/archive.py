"""Owns the form of a backup: a zip with a file of JSON lines for each table, and a manifest.

The manifest is written last and has the rows and the SHA-256 of every table, so that a backup is
whole or is none. Must not know a database: values are integers, texts, bytes and booleans.
"""

import hashlib
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import IO, Any, Literal

import msgspec

FORMAT = 1
PRODUCT = "tollbridge"
_MANIFEST = "manifest.json"
# Level 1 is three times as quick as the usual one and a fifth larger.
_LEVEL = 1
_CHUNK_BYTES = 1 << 20
_MANIFEST_MAX_BYTES = 1 << 20
_LINE_MAX_BYTES = 1 << 26
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_BROKEN: tuple[type[Exception], ...] = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    KeyError,
    ValueError,
    msgspec.DecodeError,
)

Kind = Literal["int", "text", "bytes", "bool"]
_TYPES: Mapping[str, Any] = {"int": int | None, "text": str | None, "bytes": bytes | None,
                             "bool": bool | None}  # fmt: skip


class ArchiveError(Exception):
    """A file is no backup that can be used, or cannot be made one; the text says why."""


class Column(msgspec.Struct, frozen=True, array_like=True):
    """A column of a table: its name and what its values are, the same on both engines."""

    name: str
    kind: Kind


class Entry(msgspec.Struct, frozen=True):
    """A table in the backup: `rows` lines, `size` bytes of them, with their SHA-256 in hex."""

    name: str
    columns: tuple[Column, ...]
    rows: int
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a backup says of itself. `key_ids` are the encryption keys that its secrets need."""

    product: str
    format: int
    version: str
    revision: str
    engine: str
    incarnation: int
    at_ms: int
    key_ids: tuple[str, ...]
    tables: tuple[Entry, ...]

    @property
    def rows(self) -> int:
        """How many rows there are in all tables."""
        return sum(entry.rows for entry in self.tables)


class TableFile:
    """One table on its way into a backup."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file = file
        self._path = path
        self._digest = hashlib.sha256()
        self._encoder = msgspec.json.Encoder()
        self._rows = self._size = 0

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Write rows, each a list of values in the order of the columns."""
        lines = self._encoder.encode_lines(rows)
        self._digest.update(lines)
        with _on_disk(self._path):
            self._file.write(lines)
        self._rows += len(rows)
        self._size += len(lines)

    def entry(self, name: str, columns: Sequence[Column]) -> Entry:
        """Return what the manifest says of the table."""
        digest = self._digest.hexdigest()
        return Entry(name, tuple(columns), self._rows, self._size, digest)


class Writer:
    """A backup that is being written: tables one after the other, then the manifest."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._path = path
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)
        self.entries: list[Entry] = []

    @contextmanager
    def table(self, name: str, columns: Sequence[Column]) -> Iterator[TableFile]:
        """Yield the file of a table; it counts once the block ends without an error."""
        with _on_disk(self._path):
            file = self._zip.open(_member(name), "w", force_zip64=True)
        table = TableFile(file, self._path)
        try:
            yield table
        finally:
            with _on_disk(self._path):
                file.close()
        self.entries.append(table.entry(name, columns))

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest and the end of the file."""
        with _on_disk(self._path):
            self._zip.writestr(_MANIFEST, msgspec.json.encode(manifest))
            self._zip.close()

    def abandon(self) -> None:
        """Let go of the file as it is; harmless after `finish`."""
        with suppress(OSError, ValueError):
            self._zip.close()


@contextmanager
def writing_archive(path: Path) -> Iterator[Writer]:
    """Yield a writer of a new backup: `path` is whole and on the disk, or as it was before.

    Readable by its owner alone. A file that is there is replaced only when it is a backup too.
    ArchiveError, with the reason, when that is not so or the disk refuses.
    """
    _refuse_other_file(path)
    draft = path.with_name(f".{path.name}.{token_hex(8)}")
    with _on_disk(path):
        handle = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "w+b") as file:
            writer = Writer(file, path)
            try:
                yield writer
            finally:
                writer.abandon()
            with _on_disk(path):
                file.flush()
                os.fsync(file.fileno())
        with _on_disk(path):
            draft.replace(path)
            _sync_folder(path.parent)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


@contextmanager
def _on_disk(path: Path) -> Iterator[None]:
    """Say in a sentence what the disk refused."""
    try:
        yield
    except OSError as error:
        raise ArchiveError(f"{path} cannot be written: {error.strerror}") from error


def _refuse_other_file(path: Path) -> None:
    if path.exists():
        try:
            Archive(path).close()
        except ArchiveError as error:
            raise ArchiveError(f"{path} exists and is no backup; choose another name") from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Archive:
    """A backup that is being read. Its manifest is sane; `check` proves the rest."""

    def __init__(self, path: Path) -> None:
        """Open the file; ArchiveError when it is no backup, is cut off, or is of a later form."""
        self._path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except OSError as error:
            raise ArchiveError(f"{path} cannot be read: {error.strerror}") from error
        except _BROKEN as error:
            raise self._bad("it is no backup, or its end is missing") from error
        try:
            self.manifest = self._manifest()
        except ArchiveError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._zip.close()

    def check(self) -> None:
        """Read all of it; ArchiveError when a byte, a row or a table is not as when it was made."""
        for entry in self.manifest.tables:
            digest = hashlib.sha256()
            size = rows = 0
            for chunk in self._chunks(entry.name):
                digest.update(chunk)
                size += len(chunk)
                rows += chunk.count(b"\n")
                if size > entry.size:
                    break
            if (size, rows, digest.hexdigest()) != (entry.size, entry.rows, entry.sha256):
                raise self._bad(f"its table {entry.name} is not as when it was made")

    def rows(self, entry: Entry) -> Iterator[list[tuple[Any, ...]]]:
        """Yield a table's rows in lists of a megabyte or so; ArchiveError for a wrong value."""
        kinds = tuple(_TYPES[column.kind] for column in entry.columns)
        decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(tuple.__class_getitem__(kinds))
        rest = b""
        try:
            for chunk in self._chunks(entry.name):
                lines, end, rest = (rest + chunk).rpartition(b"\n")
                if len(rest) > _LINE_MAX_BYTES:
                    raise self._bad(f"a row of its table {entry.name} is too long")
                if end:
                    yield decoder.decode_lines(lines)
        except msgspec.DecodeError as error:
            raise self._bad(f"a value of its table {entry.name} is of a wrong kind") from error
        if rest:
            raise self._bad(f"its table {entry.name} ends in the middle of a row")

    def _chunks(self, table: str) -> Iterator[bytes]:
        try:
            with self._zip.open(_member(table)) as file:
                while chunk := file.read(_CHUNK_BYTES):
                    yield chunk
        except OSError as error:
            raise self._bad(error.strerror or "it cannot be read") from error
        except _BROKEN as error:
            raise self._bad(f"its table {table} is damaged") from error

    def _manifest(self) -> Manifest:
        try:
            with self._zip.open(_MANIFEST) as file:
                text = file.read(_MANIFEST_MAX_BYTES)
            head = msgspec.json.decode(text, type=dict[str, Any])
        except OSError as error:
            raise self._bad(error.strerror or "it cannot be read") from error
        except _BROKEN as error:
            raise self._bad("it is no backup of tollbridge") from error
        if head.get("product") != PRODUCT:
            raise self._bad("it is no backup of tollbridge")
        if head.get("format") != FORMAT:
            raise self._bad("it has the form of another version; restore it with that one")
        try:
            manifest = msgspec.convert(head, Manifest)
        except msgspec.ValidationError as error:
            raise self._bad("its manifest is damaged") from error
        self._check_names(manifest)
        return manifest

    def _check_names(self, manifest: Manifest) -> None:
        tables = [entry.name for entry in manifest.tables]
        members = sorted([_MANIFEST, *map(_member, tables)])
        if sorted(self._zip.namelist()) != members:
            raise self._bad("it does not have the tables that its manifest names")
        for entry in manifest.tables:
            names = [column.name for column in entry.columns]
            sane = all(_NAME.fullmatch(name) for name in (entry.name, *names))
            if not names or len({*names}) != len(names) or not sane:
                raise self._bad("its manifest is damaged")

    def _bad(self, reason: str) -> ArchiveError:
        return ArchiveError(f"{self._path} cannot be restored: {reason}")


def _member(table: str) -> str:
    return f"{table}.jsonl"
