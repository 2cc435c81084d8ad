"""Proof that an address says which calls, and that what it cannot say is a fault of its field."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.billing.usage_page import Asked
from tollbridge.console.usage_filters import FIELDS, read_filters
from tollbridge.core.outcomes import Ended

BERLIN = ZoneInfo("Europe/Berlin")


def test_days_are_those_of_the_zone_and_both_are_included():
    asked = read_filters({"from": "2026-03-29", "to": "2026-03-29"}, BERLIN).asked
    assert asked.from_ms is not None and asked.until_ms is not None
    # Clocks are put forward that night: the day has 23 hours.
    assert asked.until_ms - asked.from_ms == 23 * 3_600_000
    assert asked.from_ms == 1_774_738_800_000


def test_all_filters_together():
    query = {
        "key": " mine ", "channel": "main", "model": "m", "status": "failed", "least": "$0.01",
        "strange": "x", "after": "y",
    }  # fmt: skip
    filters = read_filters(query, BERLIN)
    assert filters.form.ok and filters.any
    assert filters.asked == Asked(
        "mine", "main", model="m", min_charge=10_000_000, ended=Ended.FAILED
    )
    assert filters.address("/p", after="1") == (
        "/p?key=mine&channel=main&model=m&status=failed&least=%240.01&after=1"
    )


def test_nothing_is_asked_by_empty_fields():
    filters = read_filters(dict.fromkeys(FIELDS, " "), BERLIN)
    assert filters.form.ok and not filters.any
    assert filters.asked == Asked()
    assert filters.address("/p") == "/p"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("from", "yesterday"), ("to", "2026-02-30"), ("to", "1999-01-01"), ("status", "5"),
        ("least", "-1"), ("least", "1e3"), ("key", "x" * 65), ("model", "a\x00b"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_a_fault_of_its_field(name: str, value: str):
    assert list(read_filters({name: value}, BERLIN).form.errors) == [name]


def test_days_are_not_backwards():
    errors = read_filters({"from": "2026-02-02", "to": "2026-02-01"}, BERLIN).form.errors
    assert list(errors) == ["to"]


@given(st.dictionaries(st.sampled_from([*FIELDS, "after"]), st.text(max_size=20)))
def test_no_address_breaks_it(query: dict[str, str]):
    filters = read_filters(query, BERLIN)
    assert set(filters.form.errors) <= set(FIELDS)
    filters.address("/console/usage")
