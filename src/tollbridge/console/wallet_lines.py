"""Owns how a month of a wallet becomes lines of a page, each with the balance after it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from typing import Final, NamedTuple, Self

from tollbridge.billing.statements import Entry, Statement
from tollbridge.core.zones import day_at, first_ms, next_month, zone_of
from tollbridge.web.wallet_words import text_of

AT_ONCE: Final = 100
FORM_OF_MONTH: Final = "%Y-%m"
_DAY: Final = timedelta(days=1)


class Line(NamedTuple):
    """One line. `day` and `calls` are of calls of a day, `at_ms` and `ref` of all else.

    `amount` and `balance`, what was there after it, are nano-dollars; a debit is below zero.
    """

    kind: str
    day: str
    at_ms: int
    ref: str
    calls: int
    amount: int
    balance: int

    @property
    def text(self) -> str:
        """What it is, as a msgid."""
        return text_of(self.kind, self.ref)

    @property
    def tid(self) -> str:
        """The call that it is about, "" for none."""
        return self.ref if self.kind == "reversal" else ""


@dataclass(frozen=True, slots=True)
class Page:
    """Lines, the newest first. `older` is where the next ones end, counted from the oldest; 0: none."""

    lines: Sequence[Line]
    older: int


@dataclass(frozen=True, slots=True)
class Months:
    """The month shown and those beside it, as 2026-03; None where there is none."""

    this: str
    older: str | None
    newer: str | None

    @classmethod
    def around(cls, one: Statement, first: date, now_ms: int) -> Self:
        """Find the months beside a statement's; `first` is the first day of the first month."""
        day = one.span.day.replace(day=1)
        older, newer = (day - _DAY).replace(day=1), next_month(day)
        today = day_at(zone_of(one.zone), now_ms)
        return cls(
            one.month,
            older.strftime(FORM_OF_MONTH) if older >= first else None,
            newer.strftime(FORM_OF_MONTH) if newer <= today else None,
        )


def lines_of(one: Statement) -> list[Line]:
    """Return all lines of a month, the oldest first; what calls cost stands at the end of each day."""
    rows = sorted((*(_entry(entry) for entry in one.entries), *_days(one)), key=lambda row: row[0])
    balances = accumulate((line.amount for _, line in rows), initial=one.opening)
    next(balances)
    return [
        line._replace(balance=balance) for (_, line), balance in zip(rows, balances, strict=True)
    ]


def page_of(one: Statement, upto: int | None) -> Page:
    """Return AT_ONCE lines, the newest or those before a place; new ones move no place."""
    every = lines_of(one)
    end = len(every) if upto is None else min(upto, len(every))
    start = max(0, end - AT_ONCE)
    return Page(every[start:end][::-1], start)


def _entry(entry: Entry) -> tuple[int, Line]:
    return entry.at_ms, Line(entry.kind, "", entry.at_ms, entry.ref, 0, entry.amount, 0)


def _days(one: Statement) -> list[tuple[int, Line]]:
    zone = zone_of(one.zone)
    return [
        (
            first_ms(zone, date.fromisoformat(each.day) + _DAY) - 1,
            Line("charges", each.day, 0, "", each.calls, -each.charge, 0),
        )
        for each in one.days
    ]
