"""The twin of web/moments.py: a typed time is one of its zone, and is shown again as it was typed."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.web.forms import REQUIRED, Form
from tollbridge.web.moments import NOT_A_MOMENT, read_moment, typed_moment

ZONES = ("UTC", "Asia/Kathmandu", "America/New_York", "Europe/Berlin")
MINUTE_MS = 60_000


def form_of(text: str) -> Form:
    return Form({"at": [text]})


def test_a_time_is_one_of_its_zone():
    at_ms = read_moment(form_of("2026-01-31T14:30"), "at", ZoneInfo("Asia/Shanghai"))
    assert at_ms == 1_769_841_000_000
    assert read_moment(form_of(" 2026-01-31 06:30 "), "at", ZoneInfo("UTC")) == at_ms


@given(
    minute=st.integers(15_780_000, 68_000_000),
    zone=st.sampled_from(ZONES),
)
def test_what_is_shown_is_what_is_typed(minute: int, zone: str):
    shown = typed_moment(minute * MINUTE_MS, ZoneInfo(zone))
    again = read_moment(form_of(shown), "at", ZoneInfo(zone))
    assert again is not None and typed_moment(again, ZoneInfo(zone)) == shown
    # Only where the clocks are set back does a time of theirs come twice.
    assert minute * MINUTE_MS - again in {0, 3_600_000}


def test_a_skipped_time_is_later():
    zone = ZoneInfo("Europe/Berlin")
    skipped = read_moment(form_of("2026-03-29T02:30"), "at", zone)
    assert typed_moment(skipped, zone) == "2026-03-29T03:30"


@pytest.mark.parametrize(
    "text",
    ["x", "2026-02-30T10:00", "2026-01-01", "2026-01-01T25:00", "2026-01-01T10:00Z", "9999-01-01T00:00",
     "2026-01-01T10:00:00", "²026-01-01T10:00"],
)  # fmt: skip
def test_what_is_no_time(text: str):
    form = form_of(text)
    assert read_moment(form, "at", ZoneInfo("UTC")) is None
    assert form.errors == {"at": NOT_A_MOMENT}


def test_nothing_typed():
    form = form_of(" ")
    assert read_moment(form, "at", ZoneInfo("UTC")) is None
    assert form.ok
    assert typed_moment(None, ZoneInfo("UTC")) == ""
    read_moment(form, "at", ZoneInfo("UTC"), need=True)
    assert form.errors == {"at": REQUIRED}
