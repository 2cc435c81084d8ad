"""Makes statements for tests of their forms: names that no form expects, sums worked out by hand."""

from dataclasses import replace
from typing import Any

from tollbridge.billing.statements import Account, DayCharges, Entry, ModelCharges, Statement
from tollbridge.core.zones import month, zone_of

STRANGE = (
    "=cmd|'/c calc'!A1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\uff1d1", "<script>alert(1)</script>",
    "\"quoted\", 'both'", "模型", "🙂", "a\r\nb", "x" * 256, "\x00\x1b[2J", "\ud800", "&amp;", "%0A", "",
)  # fmt: skip
"""Names of models, channels, keys or users, as nobody hopes to see them."""


def statement(**changes: Any) -> Statement:
    """Return a month in which $10.000000003 came, $1 went and calls cost $2.5; it began with $5."""
    span = month(zone_of("Europe/Berlin"), 2026, 3)
    one = Statement(
        account=Account(5, "ada@example.com", 77),
        month="2026-03",
        zone="Europe/Berlin",
        span=span,
        opening=5_000_000_000,
        entries=[
            Entry(span.start_ms, "order", "order-1", 10_000_000_003),
            Entry(span.end_ms - 1, "expiry", "lot-1", -1_000_000_000),
        ],
        days=[DayCharges("2026-03-05", 3, 2_500_000_000)],
        models=[
            ModelCharges("gpt-5.4", 9, "main", 2, 2_000_000_000),
            ModelCharges("gpt-5", 8, None, 1, 500_000_000),
            ModelCharges("", 0, None, 0, 0),
        ],
        is_final=True,
        complete_until_ms=span.end_ms,
    )
    return replace(one, **changes)


def strange(name: str) -> Statement:
    """Return a month in which everything that has a name has this one."""
    one = statement()
    return replace(
        one,
        account=Account(5, name, 77),
        entries=[replace(entry, kind=name, ref=name) for entry in one.entries],
        models=[replace(row, model=name, channel=name) for row in one.models],
    )
