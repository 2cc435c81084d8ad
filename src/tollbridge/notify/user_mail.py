"""Owns what users are written about their spending: the figures of a letter, in the language they chose.

Who chose none gets every language of ours, one below the other. Keys go by their names, amounts are
dollars to the last digit; never a secret, never a body. Must not know what makes it true. Pure.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from tollbridge.core.money import format_usd
from tollbridge.core.redaction import clipped, mask_secrets, one_line
from tollbridge.notify.letters import letter
from tollbridge.notify.mail import Mail

_NAME_MAX = 64


@dataclass(frozen=True, slots=True)
class Spending:
    """So many percent of a limit or budget are spent. `what` is key_limit, key_budget or budget.

    `call` is the call that took it there; None: it was the limit that moved. Times in milliseconds.
    """

    what: str
    percent: int
    key: str
    spent: int
    limit: int
    call: str | None
    period: str = ""
    begins_ms: int = 0
    ends_ms: int = 0


@dataclass(frozen=True, slots=True)
class LowBalance:
    """A balance went below what its owner wants to be told of; `days` None: no pace to tell by."""

    balance: int
    low: int
    call: str | None
    days: int | None


def spending_mail(
    to: str, told: Spending, language: str | None = None, site_name: str = "Tollbridge"
) -> Mail:
    """Return the mail about a limit or budget; ValueError when `to` is no address."""
    return letter(
        "spending",
        language,
        to,
        site_name,
        what=told.what,
        percent=told.percent,
        key=clipped(one_line(mask_secrets(told.key)), _NAME_MAX),
        spent=_usd(told.spent),
        limit=_usd(told.limit),
        period=told.period,
        begins=_day(told.begins_ms),
        ends=_day(told.ends_ms),
        call=told.call,
    )


def low_balance_mail(
    to: str, told: LowBalance, language: str | None = None, site_name: str = "Tollbridge"
) -> Mail:
    """Return the mail about a balance that is low; ValueError when `to` is no address."""
    return letter(
        "low_balance",
        language,
        to,
        site_name,
        balance=_usd(told.balance),
        low=_usd(told.low),
        call=told.call,
        days=told.days,
    )


def _usd(nano: int) -> str:
    return f"${format_usd(nano)}"


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%d")
