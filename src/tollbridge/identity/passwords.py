"""Owns hashing passwords (argon2id). Hashing and checking take tens of milliseconds: never on the loop."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_hasher = PasswordHasher()


def hash_password(password: str) -> str:
    """Return the hash to store, salt and parameters included."""
    return _hasher.hash(password)


def password_matches(stored: str, password: str) -> bool:
    """Tell whether a password is the one of a stored hash; False for a damaged hash too."""
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def password_outdated(stored: str) -> bool:
    """Tell whether a hash was made with other parameters than today's; takes no time."""
    try:
        return _hasher.check_needs_rehash(stored)
    except InvalidHashError:
        return True
