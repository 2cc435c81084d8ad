"""Owns the form of a key: from its fields to a wish, and from a key back to its fields.

Faults of people.key_wish have the names of the form's fields. Must not know how keys are stored.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from tollbridge.core.money import format_usd
from tollbridge.core.periods import PERIODS
from tollbridge.core.storable import id_in
from tollbridge.core.zones import day_at, day_of, first_ms
from tollbridge.people.key_wish import IPS_MAX, MODELS_MAX, KeyWish
from tollbridge.web.forms import N_, NOT_OFFERED, Form

AUTO: Final = "auto"
"""What is chosen in place of a channel when any will do."""

_NO_DAY: Final = N_("Enter a day such as 2027-01-31.")
BLANK: Final[Mapping[str, str]] = {
    "name": "",
    "channel": AUTO,
    "limit": "",
    "budget": "",
    "budget_period": "month",
    "expires": "",
    "ips": "",
    "models": "",
    "rpm": "",
    "tpm": "",
    "concurrency": "",
}
"""The fields of a key that nobody has said anything of."""


def read_wish(form: Form, zone: ZoneInfo, before: KeyWish | None = None) -> KeyWish:
    """Return the wish of a form; what cannot be read is a fault of the form.

    A key expires at the end of the day that is named; a day that is the same as `before` leaves the
    moment as it was.
    """
    budget = form.amount("budget", need=False)
    period = form.choice("budget_period", PERIODS, blank="month")
    return KeyWish(
        name=form.raw("name").strip(),
        channel_id=_channel(form),
        limit=form.amount("limit", need=False),
        budget=budget,
        budget_period=period if budget is not None else None,
        expires_ms=_expires(form, zone, before),
        ips=tuple(form.lines("ips", most=IPS_MAX)),
        models=tuple(form.lines("models", most=MODELS_MAX)),
        rpm=form.integer("rpm"),
        tpm=form.integer("tpm"),
        concurrency=form.integer("concurrency"),
    )


def fields_of(wish: KeyWish, zone: ZoneInfo) -> dict[str, str]:
    """Return the fields that show a wish."""
    return {
        "name": wish.name,
        "channel": AUTO if wish.channel_id is None else str(wish.channel_id),
        "limit": "" if wish.limit is None else format_usd(wish.limit),
        "budget": "" if wish.budget is None else format_usd(wish.budget),
        "budget_period": wish.budget_period or "month",
        "expires": _day_text(wish.expires_ms, zone),
        "ips": "\n".join(wish.ips),
        "models": "\n".join(wish.models),
        **{name: str(getattr(wish, name) or "") for name in ("rpm", "tpm", "concurrency")},
    }


def _channel(form: Form) -> int | None:
    text = form.raw("channel")
    if text == AUTO:
        return None
    number = id_in(text)
    if number is None:
        form.fault("channel", NOT_OFFERED)
    return number


def _expires(form: Form, zone: ZoneInfo, before: KeyWish | None) -> int | None:
    text = form.raw("expires").strip()
    if not text:
        return None
    if before is not None and text == _day_text(before.expires_ms, zone):
        return before.expires_ms
    try:
        return first_ms(zone, day_of(text) + timedelta(days=1))
    except ValueError:
        form.fault("expires", _NO_DAY)
        return None


def _day_text(expires_ms: int | None, zone: ZoneInfo) -> str:
    """Return the last day on which a key may be used."""
    return "" if expires_ms is None else day_at(zone, expires_ms - 1).isoformat()
