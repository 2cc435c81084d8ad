"""Owns moments that people type into forms: days with a time, in the zone that they live in.

What a browser's field for a local time sends, and what it shows again. Must not know what happens
then.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from tollbridge.core.language import N_
from tollbridge.web.forms import REQUIRED, Form

NOT_A_MOMENT: Final = N_("Enter a day and a time such as 2026-03-29 14:30.")
_LOCAL: Final = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def read_moment(form: Form, name: str, zone: ZoneInfo, *, need: bool = False) -> int | None:
    """Return the milliseconds since 1970 of a typed time, None when nothing (usable) was typed.

    Of a time that comes twice the first is meant; one that is skipped is as much later.
    """
    text = form.raw(name).strip()
    if not text:
        if need:
            form.fault(name, REQUIRED)
        return None
    try:
        if not _LOCAL.fullmatch(text):
            raise ValueError
        local = datetime.fromisoformat(text).replace(tzinfo=zone)
    except ValueError:
        form.fault(name, NOT_A_MOMENT)
        return None
    return (local.astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1)


def typed_moment(at_ms: int | None, zone: ZoneInfo) -> str:
    """Return a moment as a form's field has it, to the minute; "" for none."""
    if at_ms is None:
        return ""
    return (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone).strftime("%Y-%m-%dT%H:%M")
