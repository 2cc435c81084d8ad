"""The form of a key: what is shown comes back as it was, what cannot be read is a fault."""

from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.console.key_form import BLANK, fields_of, read_wish
from tollbridge.core.money import MAX_AMOUNT
from tollbridge.people.key_wish import KeyWish
from tollbridge.web.forms import parse_form

UTC, TOKYO = ZoneInfo("UTC"), ZoneInfo("Asia/Tokyo")
WORDS = st.text("abc-/.7", min_size=1, max_size=9)
WISHES = st.builds(
    KeyWish,
    name=WORDS,
    channel_id=st.none() | st.integers(1, 10**17),
    limit=st.none() | st.integers(1, MAX_AMOUNT),
    budget=st.just(5),
    budget_period=st.sampled_from(["day", "week", "month"]),
    expires_ms=st.none() | st.integers(946_771_200_001, 4_102_000_000_000),
    ips=st.lists(WORDS, unique=True, max_size=3).map(tuple),
    models=st.lists(WORDS, unique=True, max_size=3).map(tuple),
    rpm=st.integers(0, 10**9),
    tpm=st.integers(0, 10**9),
    concurrency=st.integers(0, 10**9),
)


@given(wish=WISHES, zone=st.sampled_from([UTC, TOKYO, ZoneInfo("America/New_York")]))
def test_a_form_that_nobody_touched_changes_nothing(wish: KeyWish, zone: ZoneInfo) -> None:
    form = parse_form(urlencode(fields_of(wish, zone)).encode())
    assert read_wish(form, zone, wish) == wish
    assert form.ok


def test_a_blank_form_is_the_plainest_wish() -> None:
    form = parse_form(urlencode(BLANK).encode())
    assert read_wish(form, UTC) == KeyWish("") == read_wish(parse_form(b"channel=auto"), UTC)


@pytest.mark.parametrize(
    ("zone", "ends_ms"), [(UTC, 1_801_440_000_000), (TOKYO, 1_801_407_600_000)]
)
def test_a_key_lasts_to_the_end_of_its_last_day(zone: ZoneInfo, ends_ms: int) -> None:
    form = parse_form(b"channel=auto&expires=2027-01-31")
    wish = read_wish(form, zone)
    assert wish.expires_ms == ends_ms
    assert fields_of(wish, zone)["expires"] == "2027-01-31"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("channel", ""),
        ("channel", "main"),
        ("channel", "-1"),
        ("channel", "9" * 19),
        ("channel", "\u0661"),
        ("limit", "much"),
        ("budget", "-1"),
        ("budget_period", "year"),
        ("expires", "tomorrow"),
        ("expires", "2027-02-30"),
        ("expires", "9999-12-31"),
        ("expires", "0001-01-01"),
        ("models", ",".join(map(str, range(300)))),
        ("rpm", "-1"),
        ("tpm", "1.5"),
        ("concurrency", "x"),
    ],
)
def test_what_cannot_be_read_is_a_fault(field: str, value: str) -> None:
    form = parse_form(urlencode({**BLANK, field: value}).encode())
    read_wish(form, UTC)
    assert set(form.errors) == {field}
