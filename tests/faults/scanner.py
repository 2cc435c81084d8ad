"""Owns the search for traces: every spelling of a text in every file and table of a folder.

It must not know of gateways. A trace is also a piece of a text that was cut at either end.
"""

import base64
import contextlib
import hashlib
import secrets
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from urllib.parse import quote_from_bytes

# No hexadecimal digits, so that no id can be taken for a piece of a canary.
_LETTERS = "ghjkmnpqrstuvwxyz"
_LENGTH = 32
_PIECE = 12

Needles = dict[bytes, str]


def new_canary(like: str = "") -> str:
    """Return a text that nothing else contains.

    One that is like another begins and ends as it does: whoever looks for one finds all.
    """
    new = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
    return like[:_PIECE] + new[_PIECE:-_PIECE] + like[-_PIECE:] if like else new


def escaped(text: str, *, upper: bool = False) -> str:
    """Return a text as JSON's escapes, every character of it."""
    return "".join(f"\\u{ord(one):04X}" if upper else f"\\u{ord(one):04x}" for one in text)


def percented(text: str) -> str:
    """Return a text as a URL's escapes, every character of it."""
    return "".join(f"%{ord(one):02x}" for one in text)


def spellings(text: str) -> Needles:
    """Return what to look for: the bytes of each spelling, with its name."""
    needles: Needles = {}
    for piece in (text[:_PIECE], text[-_PIECE:]):
        raw = piece.encode()
        needles |= {
            raw: "plain",
            raw.upper(): "upper case",
            raw[::-1]: "backwards",
            escaped(piece).encode(): "JSON escapes",
            escaped(piece, upper=True).encode(): "JSON escapes, upper case",
            escaped(piece).replace("\\", "\\\\").encode(): "JSON escapes, escaped",
            percented(piece).encode(): "URL escapes",
            percented(piece).upper().encode(): "URL escapes, upper case",
            quote_from_bytes(percented(piece).encode()).encode(): "URL escapes, escaped",
            raw.hex().encode(): "hexadecimal",
            raw.hex().upper().encode(): "hexadecimal, upper case",
            piece.encode("utf-16-le"): "UTF-16",
            piece.encode("utf-16-be"): "UTF-16, big end first",
        }
        needles |= dict.fromkeys(_base64s(raw), "base64")
    return needles


def digests(text: str) -> Needles:
    """Return the unkeyed digests of a whole text: whoever guesses it could tell it by them."""
    needles: Needles = {}
    for name in ("md5", "sha1", "sha256"):
        digest = hashlib.new(name, text.encode(), usedforsecurity=False)
        needles |= {digest.digest(): name, digest.hexdigest().encode(): name}
        needles[base64.b64encode(digest.digest()).rstrip(b"=")] = name
    return needles


def _base64s(raw: bytes) -> Iterator[bytes]:
    """Yield the characters that a text becomes wherever it begins, without its neighbours' bits."""
    for before in range(3):
        padded = bytes(before) + raw
        whole = len(padded) // 3 * 4
        plain = base64.b64encode(padded)[4 if before else 0 : whole]
        yield plain
        yield plain.translate(bytes.maketrans(b"+/", b"-_"))


def found_in(data: bytes, needles: Needles) -> list[str]:
    """Return the names of the spellings that are in there."""
    return sorted({name for needle, name in needles.items() if needle in data})


def in_files(folder: Path, needles: Needles, apart: Collection[Path] = ()) -> list[str]:
    """Return each trace in a file's bytes or name, in the folder and all below it."""
    traces = []
    for file in sorted(folder.rglob("*")):
        if file in apart:
            continue
        # A file may go while the gateway runs.
        with contextlib.suppress(FileNotFoundError):
            data = file.read_bytes() if file.is_file() else b""
            name = str(file.relative_to(folder))
            found = found_in(name.encode() + b"\0" + data, needles)
            traces += [f"{name}: {spelling}" for spelling in found]
    return traces


def in_tables(database: Path, needles: Needles) -> list[str]:
    """Return each trace in a value of any table: a value may be torn over pages of the file."""
    traces = []
    with contextlib.closing(sqlite3.connect(database)) as connection:
        named = "SELECT name FROM sqlite_master WHERE type = 'table'"
        for (table,) in connection.execute(named).fetchall():
            rows = connection.execute(f'SELECT * FROM "{table}"').fetchall()
            data = b"\0".join(one for row in rows for one in _as_bytes(row))
            traces += [f"table {table}: {spelling}" for spelling in found_in(data, needles)]
    return traces


def _as_bytes(row: Iterable[object]) -> Iterator[bytes]:
    for value in row:
        yield value if isinstance(value, bytes) else str(value).encode()


def written_elsewhere(pid: int, folder: Path) -> list[str]:
    """Return the regular files outside the folder that a process holds open for writing."""
    elsewhere = []
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            target = handle.readlink()
            flags = Path(f"/proc/{pid}/fdinfo/{handle.name}").read_text().partition("flags:")[2]
            writable = int(flags.split()[0], 8) & 0o3
            if writable and target.is_file() and not target.is_relative_to(folder):
                elsewhere.append(str(target))
    return elsewhere
