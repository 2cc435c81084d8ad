"""Owns the server's own secrets: the key file, hashes of keys, sealed credentials, minted keys.

Keys of customers are stored as HMAC-SHA-256 under a pepper; upstream credentials as AES-256-GCM,
bound to their row, so that a ciphertext copied to another row does not open. Must not know tables.
Messages of SecretsError name files, rows and key ids, never a secret.
"""

import base64
import binascii
import hashlib
import hmac
import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from secrets import choice, token_bytes, token_hex
from typing import NamedTuple, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tollbridge.core.redaction import last6

__all__ = [
    "Secrets",
    "SecretsError",
    "key_id_of",
    "last6",
    "load_or_create",
    "looks_minted",
    "minted_part",
]

MINTED_PREFIX = "sk-tb-"
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_CHARS = 40
_TAG_CHARS = 6
_MINTED_LENGTH = len(MINTED_PREFIX) + _RANDOM_CHARS + _TAG_CHARS
# Separates check tags from key hashes, which use the same pepper. No key can hold a NUL.
_TAG_DOMAIN = b"check tag\0"

_KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
_SEAL_VERSION = "tb1"
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_FILE_LIMIT_BYTES = 65_536
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_FIELDS = frozenset({"pepper", "encryption_keys", "current_key_id"})


class SecretsError(Exception):
    """The key file cannot be used, or a sealed value does not open with it."""


class _Ring(NamedTuple):
    """Encryption keys by their ids, and which of them is current."""

    ciphers: Mapping[str, AESGCM]
    current: str


class Secrets:
    """The pepper and the encryption keys of one installation. Its repr shows key ids alone."""

    __slots__ = ("_pepper", "_ring")

    def __init__(self, pepper: bytes, keys: Mapping[str, bytes], current: str) -> None:
        """Take raw bytes. SecretsError when a length is wrong or the current key is not there."""
        if len(pepper) < _KEY_BYTES:
            raise SecretsError(f"the pepper must have at least {_KEY_BYTES} bytes")
        for key_id, key in keys.items():
            if not _KEY_ID.fullmatch(key_id):
                raise SecretsError("a key id has 1 to 32 letters, digits, hyphens or underscores")
            if len(key) != _KEY_BYTES:
                raise SecretsError(f"encryption key {key_id} must have {_KEY_BYTES} bytes")
        if current not in keys:
            raise SecretsError("current_key_id names no encryption key")
        self._pepper = pepper
        # One value, so that another thread never sees a current key without its cipher.
        self._ring = _Ring({key_id: AESGCM(key) for key_id, key in keys.items()}, current)

    def __repr__(self) -> str:
        return f"Secrets(key_ids={self.key_ids}, current={self.current_key_id!r})"

    @property
    def key_ids(self) -> list[str]:
        """The ids of all encryption keys, sorted."""
        return sorted(self._ring.ciphers)

    @property
    def current_key_id(self) -> str:
        """The id of the key that new values are sealed with."""
        return self._ring.current

    @classmethod
    def parse(cls, text: str | bytes) -> Self:
        """Read the JSON of a key file; SecretsError says what is wrong with it."""
        try:
            table = json.loads(text)
        except (ValueError, RecursionError):
            raise SecretsError("the keys are not JSON") from None
        if not isinstance(table, dict) or table.keys() != _FIELDS:
            raise SecretsError(f"the keys must be an object with {', '.join(sorted(_FIELDS))}")
        keys, current = table["encryption_keys"], table["current_key_id"]
        if not isinstance(keys, dict) or not isinstance(current, str):
            raise SecretsError("encryption_keys must be an object and current_key_id a text")
        decoded = {key_id: _from_base64(key, "an encryption key") for key_id, key in keys.items()}
        return cls(_from_base64(table["pepper"], "the pepper"), decoded, current)

    def key_hash(self, secret: str) -> bytes:
        """Return the 32 bytes under which a customer's key is stored and looked up."""
        return hmac.digest(self._pepper, _encoded(secret), "sha256")

    def mark(self, domain: str, text: str) -> bytes:
        """Return 32 bytes that stand for a text and tell nothing of it; `domain` is what it is."""
        return hmac.digest(self._pepper, _encoded(f"{domain}\0{text}"), "sha256")

    def seal(self, plaintext: str, row: str) -> str:
        """Encrypt for one row, named like `account:123:secret`; ASCII text comes back."""
        ciphers, current = self._latest()
        nonce = token_bytes(_NONCE_BYTES)
        sealed = ciphers[current].encrypt(nonce, _encoded(plaintext), _associated(current, row))
        return f"{_SEAL_VERSION}.{current}.{_to_base64(nonce + sealed)}"

    def open(self, sealed: str, row: str) -> str:
        """Decrypt what was sealed for `row`.

        SecretsError when the key is not in the key file, or the value was changed or moved.
        """
        version, _, rest = sealed.partition(".")
        key_id, _, payload = rest.partition(".")
        if version != _SEAL_VERSION or not payload:
            raise SecretsError(f"the sealed value of {row} has an unknown form")
        cipher = self._ring.ciphers.get(key_id) or self._latest().ciphers.get(key_id)
        if cipher is None:
            raise SecretsError(f"the value of {row} was sealed with a key that the file lacks")
        data = _from_base64(payload, f"the sealed value of {row}")
        if len(data) < _NONCE_BYTES + _TAG_BYTES:
            raise SecretsError(f"the sealed value of {row} is too short")
        try:
            plain = cipher.decrypt(
                data[:_NONCE_BYTES], data[_NONCE_BYTES:], _associated(key_id, row)
            )
        except InvalidTag:
            raise SecretsError(
                f"the sealed value of {row} was changed, or belongs to another row or key file"
            ) from None
        return plain.decode("utf-8", "surrogatepass")

    def _latest(self) -> "_Ring":
        """Return the keys as they are now; these never change (see `load_or_create`)."""
        return self._ring

    def mint_key(self) -> str:
        """Return a new key of a customer: prefix, 40 random characters, 6 of check tag."""
        random = "".join(choice(_BASE62) for _ in range(_RANDOM_CHARS))
        stem = MINTED_PREFIX + random
        return stem + self._check_tag(stem)

    def check_tag_ok(self, secret: str) -> bool:
        """Tell whether we minted this key; a random guess never gets as far as the database."""
        if not looks_minted(secret):
            return False
        expected = self._check_tag(secret[:-_TAG_CHARS])
        return hmac.compare_digest(expected.encode(), _encoded(secret[-_TAG_CHARS:]))

    def _check_tag(self, stem: str) -> str:
        digest = hmac.digest(self._pepper, _TAG_DOMAIN + _encoded(stem), "sha256")
        number = int.from_bytes(digest, "big")
        tag = ""
        for _ in range(_TAG_CHARS):
            number, digit = divmod(number, len(_BASE62))
            tag += _BASE62[digit]
        return tag


class _FromFile(Secrets):
    """Secrets that follow their file, so that a rotation needs no restart.

    The file is read again when a value comes that none of the known keys sealed, and before
    anything is sealed: what a dropped key seals could never be opened.
    """

    __slots__ = ("_path",)

    _path: Path

    @classmethod
    def of(cls, path: Path, content: bytes) -> Self:
        """Return what a file holds; SecretsError when it is damaged."""
        try:
            secrets = cls.parse(content)
        except SecretsError as error:
            raise SecretsError(f"the key file {path} is damaged: {error}") from None
        secrets._path = path  # noqa: SLF001 -- its own class
        return secrets

    def _latest(self) -> _Ring:
        content = read_key_file(self._path)
        if content is None:
            raise SecretsError(f"the key file {self._path} has gone; put it back")
        now = type(self).of(self._path, content)
        if now._pepper != self._pepper:  # noqa: SLF001 -- its own class
            raise SecretsError(f"the key file {self._path} became another installation's")
        self._ring = now._ring  # noqa: SLF001 -- its own class
        return self._ring


def key_id_of(sealed: str) -> str:
    """Return the id of the key that a value was sealed with; "" for what is not sealed."""
    version, _, rest = sealed.partition(".")
    key_id, _, payload = rest.partition(".")
    return key_id if version == _SEAL_VERSION and payload else ""


def minted_part(secret: str) -> str:
    """Return as much of a text as a minted key would be long."""
    return secret[:_MINTED_LENGTH]


def looks_minted(secret: str) -> bool:
    """Tell whether a key has the prefix and length of a minted one; says nothing of its tag."""
    return len(secret) == _MINTED_LENGTH and secret.startswith(MINTED_PREFIX)


def load_or_create(path: Path, *, may_create: bool = True) -> Secrets:
    """Read the key file, or make it when it is missing and `may_create`.

    Two processes that start at once agree on one file. What comes back follows the file when keys
    are added or dropped. SecretsError when the file is missing and may not be made, is open to
    group or others, or is damaged.
    """
    content = read_key_file(path)
    if content is None:
        if not may_create:
            raise SecretsError(
                f"the key file {path} is missing; put it back, for what it sealed cannot be read"
                " without it"
            )
        _create(path)
        content = read_key_file(path)
    if content is None:
        raise SecretsError(f"the key file {path} vanished while it was made")
    return _FromFile.of(path, content)


def read_key_file(path: Path) -> bytes | None:
    """Return the content, None when there is no such file. Rights are those of the opened file.

    SecretsError when it cannot be read or others than its owner may.
    """
    try:
        # Without O_NONBLOCK a named pipe would stop the start for ever.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SecretsError(f"the key file {path} cannot be read: {error.strerror}") from None
    try:
        _refuse_unsafe(path, os.fstat(handle).st_mode)
        return os.read(handle, _FILE_LIMIT_BYTES)
    finally:
        os.close(handle)


def _refuse_unsafe(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise SecretsError(f"the key file {path} is not a regular file")
    if mode & _OTHERS:
        raise SecretsError(f"the key file {path} is open to other users; run: chmod 600 {path}")


def _create(path: Path) -> None:
    """Write a new file whole under another name, then link it: it appears complete or not at all."""
    draft = path.with_name(f".{path.name}.{token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_fresh())
                file.flush()
                os.fsync(handle)
            path.hardlink_to(draft)
        except FileExistsError:
            # Another process was quicker: its file is the one.
            return
        finally:
            draft.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise SecretsError(f"the key file {path} cannot be made: {error.strerror}") from None


def sync_folder(folder: Path) -> None:
    """Make the new name last: data sealed under a key that a crash takes away is lost."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def fresh_key() -> tuple[str, str]:
    """Return the id and the base64 of a new encryption key, as a key file has them."""
    key = token_bytes(_KEY_BYTES)
    # Derived from the key, so that two key files never use one id for different keys.
    key_id = "k" + hashlib.sha256(b"key id\0" + key).hexdigest()[:8]
    return key_id, base64.b64encode(key).decode()


def _fresh() -> bytes:
    key_id, key = fresh_key()
    table = {
        "pepper": base64.b64encode(token_bytes(_KEY_BYTES)).decode(),
        "encryption_keys": {key_id: key},
        "current_key_id": key_id,
    }
    return json.dumps(table, indent=2).encode() + b"\n"


def _associated(key_id: str, row: str) -> bytes:
    return _encoded(f"{_SEAL_VERSION}.{key_id}.{row}")


def _encoded(text: str) -> bytes:
    """Encode any text, also what a client sent as broken UTF-8: a look-up must not raise."""
    return text.encode("utf-8", "surrogatepass")


def _to_base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _from_base64(text: object, what: str) -> bytes:
    """Decode either alphabet, with or without padding, in its one canonical spelling."""
    try:
        if not isinstance(text, str):
            raise TypeError
        plain = text.rstrip("=").replace("-", "+").replace("_", "/")
        data = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
        canonical = base64.b64encode(data).decode().rstrip("=")
    except (TypeError, ValueError, binascii.Error):
        raise SecretsError(f"{what} is not base64") from None
    if canonical != plain:
        raise SecretsError(f"{what} is not base64")
    return data
