"""Owns what the usage page may be asked for: fields of an address in, which calls out. Pure.

Days are days of the visitor's zone, both included. Must not know how calls are found.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from tollbridge.billing.usage_page import Asked
from tollbridge.core.zones import day_of, first_ms
from tollbridge.web.call_filters import Filters, given_in, narrowed
from tollbridge.web.forms import N_, Form

FIELDS: Final = ("key", "channel", "model", "status", "from", "to", "least")

_NAME_MAX: Final = 64
_NOT_A_DAY: Final = N_("Enter a day such as 2026-03-29.")
_BACKWARDS: Final = N_("This is before the first day.")


def read_filters(query: Mapping[str, str], zone: ZoneInfo) -> Filters[Asked]:
    """Return the filters of an address; faults are in the form's errors."""
    given, form = given_in(query, FIELDS)
    first, last = _day(form, "from"), _day(form, "to")
    if first and last and last < first:
        form.fault("to", _BACKWARDS)
    from_ms = first_ms(zone, first) if first else None
    until_ms = first_ms(zone, last + timedelta(days=1)) if last else None
    asked = Asked(
        key=form.text("key", most=_NAME_MAX, need=False) or None,
        channel=form.text("channel", most=_NAME_MAX, need=False) or None,
        min_charge=form.amount("least", need=False),
        **narrowed(form, from_ms, until_ms),
    )
    return Filters(given, form, asked)


def _day(form: Form, name: str) -> date | None:
    text = form.raw(name)
    if not text:
        return None
    try:
        return day_of(text)
    except ValueError:
        form.fault(name, _NOT_A_DAY)
        return None
