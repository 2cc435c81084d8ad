"""Owns what an access token may be for, and what each role may do at most.

A token never gives more than its user's role does at the moment of the call. Must not know who asks.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType


class Scope(StrEnum):
    """One thing that an access token may be good for."""

    OWN_READ = "own:read"
    """What is one's own: keys (never their secrets), usage, wallet, profile."""
    OWN_WRITE = "own:write"
    """Changing what is one's own: keys, budgets, redeeming codes."""
    ACCOUNTS_READ = "accounts:read"
    ACCOUNTS_WRITE = "accounts:write"
    ANNOUNCEMENTS_READ = "announcements:read"
    ANNOUNCEMENTS_WRITE = "announcements:write"
    AUDIT_READ = "audit:read"
    CHANNELS_READ = "channels:read"
    CHANNELS_WRITE = "channels:write"
    CODES_READ = "codes:read"
    CODES_WRITE = "codes:write"
    LEDGER_READ = "ledger:read"
    PRICES_READ = "prices:read"
    PRICES_WRITE = "prices:write"
    REQUESTS_READ = "requests:read"
    REQUESTS_REVERSE = "requests:reverse"
    SETTINGS_READ = "settings:read"
    SETTINGS_WRITE = "settings:write"
    STATISTICS_READ = "statistics:read"
    TOKENS_READ = "tokens:read"
    TOKENS_WRITE = "tokens:write"
    USERS_READ = "users:read"
    USERS_WRITE = "users:write"
    ALL = "*"
    """Whatever an admin may do, in this version and in later ones."""


SINGLE = frozenset(Scope) - {Scope.ALL}
OWN = frozenset({Scope.OWN_READ, Scope.OWN_WRITE})
"""What everybody may do with what is theirs; none of it opens the back office."""
_READS = frozenset(scope for scope in SINGLE if scope.endswith(":read"))

ROLE_SCOPES: Mapping[str, frozenset[Scope]] = MappingProxyType(
    {
        "admin": SINGLE,
        # Staff look, give back what calls cost, and make or revoke tokens of their own.
        "staff": _READS | OWN | {Scope.TOKENS_WRITE, Scope.REQUESTS_REVERSE},
        "user": OWN,
    }
)


def sees_own_cost(role: str) -> bool:
    """Tell whether a role may be told what calls cost the operator, and so the margin."""
    return role == "admin"


def effective(role: str, scopes: Iterable[str]) -> frozenset[Scope]:
    """Return what a token is good for in the hands of a role; words of other versions give nothing."""
    given = set(scopes)
    allowed = ROLE_SCOPES.get(role, frozenset())
    return allowed if Scope.ALL in given else frozenset(one for one in allowed if one in given)


def beyond(role: str, scopes: Iterable[Scope]) -> frozenset[Scope]:
    """Return those of the scopes that a token of this role must not be made with."""
    asked = frozenset(scopes)
    return asked - ROLE_SCOPES.get(role, frozenset()) - ({Scope.ALL} if role == "admin" else set())
