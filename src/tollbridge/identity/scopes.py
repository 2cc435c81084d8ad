"""Owns what an access token may be for, and what each role may do at most.

A token never gives more than its user's role does at the moment of the call. Must not know who asks.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType


class Scope(StrEnum):
    """One thing that an access token may be good for."""

    ACCOUNTS_READ = "accounts:read"
    ACCOUNTS_WRITE = "accounts:write"
    CHANNELS_READ = "channels:read"
    CHANNELS_WRITE = "channels:write"
    REQUESTS_READ = "requests:read"
    REQUESTS_REVERSE = "requests:reverse"
    STATISTICS_READ = "statistics:read"
    TOKENS_READ = "tokens:read"
    TOKENS_WRITE = "tokens:write"
    USERS_READ = "users:read"
    ALL = "*"
    """Whatever an admin may do, in this version and in later ones."""


SINGLE = frozenset(Scope) - {Scope.ALL}
_READS = frozenset(scope for scope in SINGLE if scope.endswith(":read"))

ROLE_SCOPES: Mapping[str, frozenset[Scope]] = MappingProxyType(
    {
        "admin": SINGLE,
        # Staff look, give back what calls cost, and make or revoke tokens of their own.
        "staff": _READS | {Scope.TOKENS_WRITE, Scope.REQUESTS_REVERSE},
        "user": frozenset(),
    }
)


def effective(role: str, scopes: Iterable[str]) -> frozenset[Scope]:
    """Return what a token is good for in the hands of a role; words of other versions give nothing."""
    given = set(scopes)
    allowed = ROLE_SCOPES.get(role, frozenset())
    return allowed if Scope.ALL in given else frozenset(one for one in allowed if one in given)


def beyond(role: str, scopes: Iterable[Scope]) -> frozenset[Scope]:
    """Return those of the scopes that a token of this role must not be made with."""
    asked = frozenset(scopes)
    return asked - ROLE_SCOPES.get(role, frozenset()) - ({Scope.ALL} if role == "admin" else set())
