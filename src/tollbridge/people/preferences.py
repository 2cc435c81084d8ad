"""Owns what users choose for themselves: language, time zone, and when they are told of spending.

Functions over the caller's transaction (`working`). Amounts are nano-dollars. Must not know pages.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.language import LANGUAGES
from tollbridge.core.zones import zone_of
from tollbridge.identity.users import change_user
from tollbridge.people.user_changes import locked_user
from tollbridge.storage.rows import differing
from tollbridge.storage.user_alerts import forget_marks

PERIODS: Final = ("day", "week", "month")
ALERT_MAX: Final = 1_000_000 * 10**9
_BUDGET_KINDS: Final = tuple(f"budget_{period}_{part}" for period in PERIODS for part in (80, 100))
_LOW_KINDS: Final = ("low_balance", "balance_well")


@dataclass(frozen=True, slots=True)
class Alerts:
    """When to write: at 80 and 100 % of `budget` in each `period`, and when the balance is below `low`.

    `budget` None: never. `low` None: at the site's own mark, 0: never. ValueError when an amount is
    out of range or the period is none.
    """

    budget: int | None
    period: str | None
    low: int | None

    def __post_init__(self) -> None:
        """Refuse what the worker could not read."""
        if (self.budget is None) is not (self.period is None):
            raise ValueError("a budget and its period come together")
        if self.budget is not None and not 0 < self.budget <= ALERT_MAX:
            raise ValueError("a budget is out of range")
        if self.period is not None and self.period not in PERIODS:
            raise ValueError("not a period")
        if self.low is not None and not 0 <= self.low <= ALERT_MAX:
            raise ValueError("a balance is out of range")


async def choose_place(
    connection: AsyncConnection, user_id: int, language: str | None, zone: str | None
) -> None:
    """Set language and time zone; None: the browser's, and UTC. ValueError, NoSuchUser."""
    if language is not None and language not in LANGUAGES:
        raise ValueError("not a language of this site")
    if zone is not None:
        zone_of(zone)
    await locked_user(connection, user_id)
    await change_user(connection, user_id, {"language": language, "zone": zone})


async def choose_alerts(connection: AsyncConnection, user_id: int, alerts: Alerts) -> bool:
    """Set what a user is told of; tell whether anything differs. NoSuchUser.

    What was told about another amount counts no longer: the new one is told anew.
    """
    row = await locked_user(connection, user_id)
    wanted = {
        "budget_nano": alerts.budget,
        "budget_period": alerts.period,
        "low_balance_nano": alerts.low,
    }
    changes = differing(row, wanted)
    await change_user(connection, user_id, changes)
    if not changes.keys().isdisjoint(("budget_nano", "budget_period")):
        await forget_marks(connection, user_id, 0, _BUDGET_KINDS)
    if "low_balance_nano" in changes:
        await forget_marks(connection, user_id, 0, _LOW_KINDS)
    return bool(changes)
