"""Owns which purses pay for a call and what is said when one of them is short.

The wallet comes first, then the key's limit and the key's budget of the period, where it has them.
Must not know what is in them.
"""

from datetime import UTC, datetime
from typing import NamedTuple

from tollbridge.billing.budgets import Budgets, period_of
from tollbridge.core.errors import ApiError, Kind
from tollbridge.identity.keys import KeyRecord
from tollbridge.storage.engine import DATABASE_ERRORS


class Shortage(NamedTuple):
    """What is short, in an error's words; `retry_after_s` None: it does not fill up by itself."""

    kind: Kind
    whose: str
    advice: str = ""
    retry_after_s: int | None = None


class Purses:
    """Finds the purses of calls."""

    def __init__(self, budgets: Budgets) -> None:
        self._budgets = budgets

    def known(self, key: KeyRecord, at_ms: int) -> tuple[int, ...] | None:
        """Return the purses of a call that began at `at_ms`, None when `find` must look."""
        if key.budget_nano is None:
            return _lasting(key)
        budget = self._budgets.purse_of(key, at_ms)
        return None if budget is None else (*_lasting(key), budget)

    async def find(self, key: KeyRecord, at_ms: int) -> tuple[int, ...]:
        """Return the purses of a call that began at `at_ms`; ApiError database_down."""
        if key.budget_nano is None:
            return _lasting(key)
        try:
            budget = await self._budgets.open(key, at_ms)
        except DATABASE_ERRORS:
            raise ApiError(Kind.DATABASE_DOWN) from None
        return (*_lasting(key), budget)


def shortage(key: KeyRecord, purse: int, at_ms: int) -> Shortage:
    """Return what to say of the purse of a call that is short."""
    if purse == key.wallet_id:
        return Shortage(Kind.BALANCE_INSUFFICIENT, "The balance")
    if purse == key.limit_purse_id:
        return Shortage(Kind.KEY_LIMIT_REACHED, "The key's spending limit")
    end_ms = period_of(key, at_ms).end_ms
    end = datetime.fromtimestamp(end_ms // 1000, UTC)
    return Shortage(
        Kind.BUDGET_REACHED,
        f"The key's budget of this {key.budget_period}",
        f" The next {key.budget_period} begins at {end:%Y-%m-%dT%H:%M:%SZ}.",
        -(-(end_ms - at_ms) // 1000),
    )


def _lasting(key: KeyRecord) -> tuple[int, ...]:
    wallet, limit = key.wallet_id, key.limit_purse_id
    return (wallet,) if limit is None else (wallet, limit)
