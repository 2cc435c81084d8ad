"""The twin of web/call_filters.py: what stands in an address is kept, and read in one way by all pages."""

import pytest

from tollbridge.core.outcomes import Ended
from tollbridge.storage.call_search import Narrowed
from tollbridge.web.call_filters import Filters, given_in, narrowed
from tollbridge.web.forms import NOT_OFFERED, TOO_LONG, UNREADABLE


def test_only_fields_in_which_something_stands_are_given() -> None:
    given, form = given_in({"model": " m ", "status": " ", "strange": "x"}, ("model", "status"))
    assert given == {"model": "m"} == form.given()
    filters = Filters(given, form, None)
    assert filters.any and not Filters({}, form, None).any
    assert filters.address("/p", after="1") == "/p?model=m&after=1"
    assert Filters({}, form, None).address("/p") == "/p"


def test_all_that_any_page_asks() -> None:
    _, form = given_in({"model": "m", "status": "failed"}, ("model", "status"))
    asked = Narrowed(**narrowed(form, 1, 2))
    assert form.ok
    assert asked == Narrowed(model="m", ended=Ended.FAILED, from_ms=1, until_ms=2)


def test_nothing_is_asked_by_nothing() -> None:
    assert Narrowed(**narrowed(given_in({}, ("model", "status"))[1], None, None)) == Narrowed()


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [("status", "no", NOT_OFFERED), ("model", "x" * 257, TOO_LONG), ("model", "a\0", UNREADABLE)],
)
def test_faults_have_the_names_of_their_fields(name: str, value: str, fault: str) -> None:
    _, form = given_in({name: value}, ("model", "status"))
    narrowed(form, None, None)
    assert form.errors == {name: fault}
