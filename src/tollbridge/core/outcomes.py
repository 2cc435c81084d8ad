"""Owns what a call's end says of its channel: answered, a fault of the client, or a failure. Pure.

Success is answered / (calls - client faults): what the client caused counts neither way. Must not
know where ends are stored; `answered` and `client_fault` are the one table, and SQL is made from
the same sets (storage/endings.py).
"""

from enum import StrEnum
from typing import Final

from tollbridge.core.errors import Kind

ANSWERED: Final = frozenset({"complete", "limited"})
"""End states of an answer that had a proper end; one that ended for lack of money is one of them."""

LEFT: Final = frozenset({"client_gone"})
"""End states of a call that its client gave up, before or in the middle of the answer."""

CLIENT_KINDS: Final = frozenset(
    {
        Kind.KEY_MISSING,
        Kind.KEY_INVALID,
        Kind.KEY_EXPIRED,
        Kind.KEY_DISABLED,
        Kind.USER_SUSPENDED,
        Kind.ROLE_FORBIDDEN,
        Kind.IP_DENIED,
        Kind.VERIFICATION_REQUIRED,
        Kind.CLIENT_NOT_ALLOWED,
        Kind.SURFACE_NOT_ALLOWED,
        Kind.PIN_FORBIDDEN,
        Kind.PIN_BAD_ID,
        Kind.BALANCE_INSUFFICIENT,
        Kind.KEY_LIMIT_REACHED,
        Kind.BUDGET_REACHED,
        Kind.MODEL_UNKNOWN,
        Kind.MODEL_NOT_ALLOWED,
        Kind.IMAGES_NOT_ENABLED,
        Kind.UPSTREAM_BAD_REQUEST,
        Kind.INVALID_REQUEST,
        Kind.CONTEXT_TOO_LONG,
        Kind.BODY_TOO_LARGE,
        Kind.NOT_FOUND,
        Kind.METHOD_NOT_ALLOWED,
    }
)
"""Errors that the client caused: its key, its money, its request.

Not among them is `rate_limited`: a client over its own limits is refused before there is a call to
count, so in a row it says that no account of the channel had room.
"""


class Ended(StrEnum):
    """How a call ended: each call in one of these ways."""

    ANSWERED = "answered"
    CLIENT = "client"
    FAILED = "failed"


def ended(end_state: str, error_kind: str | None) -> Ended:
    """Return how a call with this end ended."""
    if answered(end_state):
        return Ended.ANSWERED
    return Ended.CLIENT if client_fault(end_state, error_kind) else Ended.FAILED


def answered(end_state: str) -> bool:
    """Tell whether a call with this end was answered."""
    return end_state in ANSWERED


def client_fault(end_state: str, error_kind: str | None) -> bool:
    """Tell whether a call came to nothing by its client; never true of one that was answered."""
    if end_state in ANSWERED:
        return False
    return end_state in LEFT or error_kind in CLIENT_KINDS
