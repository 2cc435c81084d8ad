"""Owns a statement as lines of plain text, the same in every format. Pure.

Everything is English; names of models and channels are shown as they are. Must not know formats.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from tollbridge.billing.credit_kinds import kind_of
from tollbridge.billing.receipt_fields import time_text
from tollbridge.billing.statements import Entry, Statement
from tollbridge.core import zones
from tollbridge.core.money import format_usd
from tollbridge.core.zones import zone_of

COLUMNS: Final = ("when", "what", "detail", "calls", "amount")
"""The cells of a line besides its section."""

_KINDS = {
    "grant": "Credit",
    "adjustment": "Adjustment",
    "order": "Payment",
    "bonus": "Bonus",
    "rebate": "Rebate",
    "code": "Redeemed code",
    "reversal": "Charge given back",
    "expiry": "Credit expired",
    "refund": "Refund",
    "chargeback": "Chargeback",
}
_UNREFERRED = frozenset({"grant", "adjustment"})
"""What refers to marks and forms of ours, which say nothing to who reads."""
_REMOVED = "(removed)"


class Line(NamedTuple):
    """One line. `amount` is in dollars, as all sums of the statement are; below zero is a debit."""

    section: str
    when: str
    what: str
    detail: str
    calls: str
    amount: str


def title(one: Statement) -> str:
    """Return what the statement is."""
    return f"Statement {one.month}"


def head(one: Statement) -> list[tuple[str, str]]:
    """Return what stands above the lines: names and values."""
    end = zones.text_at(zone_of(one.zone), one.span.end_ms)
    return [
        ("Account", one.account.email),
        ("Period", f"{one.span.text()} to {end}"),
        ("Time zone", one.zone),
        ("Currency", "USD"),
        ("State", _state(one)),
    ]


def _state(one: Statement) -> str:
    if one.is_final:
        return "complete"
    return (
        "not complete: calls that run are still missing, and those that began after"
        f" {time_text(one.complete_until_ms)} may be"
    )


def lines(one: Statement) -> Iterator[Line]:
    """Return all lines, section by section."""
    yield from _summary(one)
    yield from _entries(one, "Credits", above=True)
    yield from _entries(one, "Debits", above=False)
    for day in one.days:
        yield Line("Charges by day", day.day, "", "", str(day.calls), format_usd(-day.charge))
    for each in one.models:
        channel = each.channel or (str(each.channel_id) if each.channel_id else _REMOVED)
        amount = format_usd(-each.charge)
        model = each.model or _REMOVED
        yield Line("Charges by model", "", model, channel, str(each.calls), amount)


def _summary(one: Statement) -> Iterator[Line]:
    calls = str(sum(day.calls for day in one.days))
    for what, count, amount in (
        ("Opening balance", "", one.opening),
        ("Credits", "", one.credited),
        ("Debits", "", -one.debited),
        ("Charges of calls", calls, -one.charged),
        ("Closing balance", "", one.closing),
    ):
        yield Line("Summary", "", what, "", count, format_usd(amount))


def _entries(one: Statement, section: str, *, above: bool) -> Iterator[Line]:
    zone = zone_of(one.zone)
    for entry in one.entries:
        if (entry.amount > 0) is above:
            when = zones.text_at(zone, entry.at_ms)
            amount = format_usd(entry.amount)
            yield Line(section, when, kind_text(entry), _detail(entry), "", amount)


def _detail(entry: Entry) -> str:
    """Return the reference where it says something to who reads: a call, an order, a lot."""
    return "" if entry.kind in _UNREFERRED else entry.ref


def kind_text(entry: Entry) -> str:
    """Return what an entry is, in words."""
    kind = kind_of(entry.kind, entry.ref)
    return _KINDS.get(kind, kind)


def statement_fields(one: Statement) -> dict[str, Any]:
    """Return a statement as plain values: amounts are exact decimal texts, in dollars."""
    return {
        "object": "statement",
        "month": one.month,
        "zone": one.zone,
        "from": time_text(one.span.start_ms),
        "to": time_text(one.span.end_ms),
        "email": one.account.email,
        "currency": "USD",
        "is_final": one.is_final,
        "complete_until": None if one.is_final else time_text(one.complete_until_ms),
        "opening": format_usd(one.opening),
        "credits": format_usd(one.credited),
        "debits": format_usd(one.debited),
        "charges": format_usd(one.charged),
        "closing": format_usd(one.closing),
        "entries": [
            {
                "time": time_text(entry.at_ms),
                "kind": kind_of(entry.kind, entry.ref),
                "ref": entry.ref,
                "amount": format_usd(entry.amount),
            }
            for entry in one.entries
        ],
        "days": [
            {"day": day.day, "calls": day.calls, "charge": format_usd(day.charge)}
            for day in one.days
        ],
        "models": [
            {
                "model": each.model,
                "channel": {"id": str(each.channel_id), "name": each.channel},
                "calls": each.calls,
                "charge": format_usd(each.charge),
            }
            for each in one.models
        ],
    }
