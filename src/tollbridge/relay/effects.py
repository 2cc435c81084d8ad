"""Owns what a failure does to the account that failed: one table, and how long each row lasts.

Evidence for the durations is in the research on account pools: a plain 5xx parks nobody, a limit
without a reset lasts seconds, and every cooldown is capped, because stale ones outlive their cause.
Pure; must not know where states are kept.
"""

from enum import StrEnum
from typing import Final, NamedTuple


class Trouble(StrEnum):
    """Why an account, or one model of it, is not asked for a while."""

    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    QUARANTINED = "quarantined"
    MODEL_BLOCKED = "model_blocked"
    FAILING = "failing"
    """Too many of its last calls failed: it is asked once in a while, to see."""
    PROXY_DOWN = "proxy_down"
    SIGNED_OUT = "signed_out"
    """It signs in, and that failed; how long it lasts is in the database."""


class Scope(StrEnum):
    """What a cause concerns."""

    ACCOUNT = "account"
    MODEL = "model"
    PROXY = "proxy"


class Effect(NamedTuple):
    """What to do. `for_s` None: count it as a failure, and let the breaker decide.

    `transient` causes never park the last account that is left.
    """

    trouble: Trouble
    scope: Scope
    for_s: float | None
    transient: bool


COOLDOWN_MAX_S: Final = 6 * 3600.0
QUARANTINE_S: Final = 600.0
LIMIT_S: Final = 5.0
OVERLOAD_S: Final = 30.0
MODEL_S: Final = 600.0
PROXY_S: Final = 30.0

FAILING: Final = Effect(Trouble.FAILING, Scope.ACCOUNT, None, transient=True)
OVERLOADED: Final = Effect(Trouble.OVERLOADED, Scope.ACCOUNT, OVERLOAD_S, transient=True)
QUARANTINED: Final = Effect(Trouble.QUARANTINED, Scope.ACCOUNT, QUARANTINE_S, transient=False)
MODEL_GONE: Final = Effect(Trouble.MODEL_BLOCKED, Scope.MODEL, MODEL_S, transient=False)
PROXY_DOWN: Final = Effect(Trouble.PROXY_DOWN, Scope.PROXY, PROXY_S, transient=True)


def signed_out(for_s: float) -> Effect | None:
    """Return the effect of having no token for so long: nobody asks earlier; None when not known."""
    return Effect(Trouble.SIGNED_OUT, Scope.ACCOUNT, for_s, transient=False) if for_s else None


def rate_limited(reset_s: float | None) -> Effect:
    """Return the effect of a 429: until its reset, or for seconds where the vendor names none.

    The limit is mostly one of the model, so others of the account may go on.
    """
    if reset_s is None:
        return Effect(Trouble.RATE_LIMITED, Scope.MODEL, LIMIT_S, transient=True)
    for_s = min(max(reset_s, 1.0), COOLDOWN_MAX_S)
    return Effect(Trouble.RATE_LIMITED, Scope.MODEL, for_s, transient=for_s <= LIMIT_S)
