"""The twin of api/admin/call_filters.py: parameters of all lists of calls mean the same."""

import pytest
from pydantic import ValidationError

from tollbridge.api.admin.call_filters import CallFilters, UsageFilters
from tollbridge.api.admin.requests import CallQuery
from tollbridge.api.own.usage import UsageQuery as OwnQuery
from tollbridge.api.usage import UsageQuery
from tollbridge.billing.usage_page import Asked
from tollbridge.storage.call_search import Narrowed

EACH = (UsageQuery, OwnQuery, CallQuery)
ALIKE = {
    "model": "m", "status_class": "4", "since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z",
}  # fmt: skip
MEANT = Narrowed(
    model="m", status_class=4, from_ms=1_767_225_600_000, until_ms=1_767_312_000_000
)  # fmt: skip


@pytest.mark.parametrize("query", EACH)
def test_each_list_reads_alike_what_all_have(query: type[CallFilters]) -> None:
    assert Narrowed(**query(**ALIKE).narrowed()) == MEANT  # type: ignore[arg-type]
    assert Narrowed(**query().narrowed()) == Narrowed()


@pytest.mark.parametrize("query", [UsageQuery, OwnQuery])
def test_users_ask_by_names_and_dollars(query: type[UsageFilters]) -> None:
    asked = query(key="mine", channel="main", min_charge="0.01", model="m").asked()  # type: ignore[arg-type]
    assert asked == Asked("mine", "main", model="m", min_charge=10_000_000)


@pytest.mark.parametrize("query", EACH)
@pytest.mark.parametrize(
    ("name", "value"),
    [("model", ""), ("model", "a\0b"), ("model", "a\nb"), ("model", "x" * 257), ("status_class", "0"),
     ("status_class", "6"), ("since", "1"), ("until", "today"), ("strange", "x")],
)  # fmt: skip
def test_a_wrong_filter_is_refused_by_name(query: type[CallFilters], name: str, value: str) -> None:
    with pytest.raises(ValidationError) as caught:
        query(**{name: value})  # type: ignore[arg-type]
    assert [one["loc"] for one in caught.value.errors()] == [(name,)]
