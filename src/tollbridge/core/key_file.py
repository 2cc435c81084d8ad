"""Owns changing the set of encryption keys: one more, or one less, in a key file or in its text.

The file is replaced as a whole and keeps its rights and owner; whoever dies in the middle leaves
the old one. The pepper is never touched: every key of a customer is stored under it. Must not know
what the keys have sealed.
"""

import fcntl
import json
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any, NamedTuple

from tollbridge.core.secrets import Secrets, SecretsError, fresh_key, read_key_file, sync_folder


class WithNewKey(NamedTuple):
    """The content of a key file that has one key more, which is the current one, and its id."""

    text: str
    key_id: str


def with_new_key(text: str | bytes) -> WithNewKey:
    """Return the content of a key file with a new current key; SecretsError when it is damaged."""
    table = _table(text)
    key_id, key = fresh_key()
    table["encryption_keys"][key_id] = key
    table["current_key_id"] = key_id
    return WithNewKey(_text(table), key_id)


def without_keys(text: str | bytes, key_ids: Collection[str]) -> str:
    """Return the content of a key file without some keys; SecretsError when one is the current."""
    table = _table(text)
    if table["current_key_id"] in key_ids:
        raise SecretsError("the current key cannot be dropped")
    kept = {name: key for name, key in table["encryption_keys"].items() if name not in key_ids}
    return _text(table | {"encryption_keys": kept})


def add_key(path: Path) -> str:
    """Add a new current key to a key file and return its id; on the disk when this returns.

    SecretsError when there is no such file, or it cannot be read or replaced.
    """
    added: list[str] = []

    def change(content: bytes) -> str:
        text, key_id = with_new_key(content)
        added.append(key_id)
        return text

    _change(path, change)
    return added[0]


def drop_keys(path: Path, key_ids: Collection[str]) -> None:
    """Take keys out of a key file. SecretsError as for `add_key` and for the current key."""
    _change(path, lambda content: without_keys(content, key_ids))


def _change(path: Path, change: Callable[[bytes], str]) -> None:
    # The name may be a link, for instance to where an orchestrator puts secrets.
    path = path.resolve()
    try:
        with _alone(path.parent):
            content = read_key_file(path)
            if content is None:
                raise SecretsError(f"the key file {path} is missing")
            _replace(path, change(content).encode())
    except OSError as error:
        raise SecretsError(
            f"the key file {path} cannot be replaced: {error.strerror}; when it is mounted alone,"
            " mount its folder instead"
        ) from None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep a second rotation out: of two that read one file the later would undo the first."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _replace(path: Path, content: bytes) -> None:
    for left in path.parent.glob(f".{path.name}.new-*"):
        left.unlink()
    draft = path.with_name(f".{path.name}.new-{token_hex(8)}")
    was = path.stat()
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(handle, was.st_mode & 0o777)
            # An administrator's rotation must not take the file away from the server's user.
            if (was.st_uid, was.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(handle, was.st_uid, was.st_gid)
            file.flush()
            os.fsync(handle)
        draft.replace(path)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    sync_folder(path.parent)


def _table(text: str | bytes) -> dict[str, Any]:
    Secrets.parse(text)
    table: dict[str, Any] = json.loads(text)
    return table


def _text(table: dict[str, Any]) -> str:
    return json.dumps(table, indent=2) + "\n"
