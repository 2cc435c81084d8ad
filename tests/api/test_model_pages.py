"""Proof that a walk over the pages meets every model once, in both manners of paging."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.api.model_pages import cursor_page, token_page
from tollbridge.core.errors import ApiError, Kind

NAMES = st.sets(st.text(min_size=1, max_size=4), max_size=12).map(sorted)
MANY = [f"m{number:04d}" for number in range(1_200)]


@given(NAMES, st.integers(1, 5))
def test_all_pages_after_one_another_are_the_list(names, limit):
    seen, query = [], {"limit": str(limit)}
    while True:
        page, more = cursor_page(names, query)
        assert len(page) <= limit
        seen += page
        if not more:
            break
        query["after_id"] = page[-1]
    assert seen == names


@given(NAMES, st.integers(1, 5))
def test_all_pages_before_one_another_are_the_list(names, limit):
    seen, query = [], {"limit": str(limit), "before_id": "\U0010ffff" * 5}
    while True:
        page, more = cursor_page(names, query)
        seen = page + seen
        if not more:
            break
        query["before_id"] = page[0]
    assert seen == names


@given(NAMES, st.integers(1, 5))
def test_all_tokens_lead_to_the_end(names, size):
    seen, query = [], {"pageSize": str(size)}
    while True:
        page, token = token_page(names, query)
        assert len(page) <= size
        seen += page
        if token is None:
            break
        query["pageToken"] = token
    assert seen == names


def test_a_model_that_is_gone_still_marks_its_place():
    assert cursor_page(["a", "c"], {"after_id": "b"}) == (["c"], False)
    assert cursor_page(["a", "c"], {"before_id": "b"}) == (["a"], False)
    assert cursor_page(["a", "b", "c", "d"], {"after_id": "a", "before_id": "d"}) == (
        ["b", "c"],
        False,
    )
    assert cursor_page(["a", "b"], {"after_id": "b", "before_id": "a"}) == ([], False)


def test_the_usual_and_the_largest_pages():
    assert (len(cursor_page(MANY, {})[0]), cursor_page(MANY, {})[1]) == (20, True)
    assert len(cursor_page(MANY, {"limit": "1000"})[0]) == 1_000
    assert len(token_page(MANY, {})[0]) == 50
    assert len(token_page(MANY, {"pageSize": "0"})[0]) == 50
    assert len(token_page(MANY, {"pageSize": "5000"})[0]) == 1_000


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", "", "1.5", "²", "9" * 20])
def test_a_wrong_limit_is_named(limit):
    with pytest.raises(ApiError) as raised:
        cursor_page(MANY, {"limit": limit})
    assert (raised.value.kind, raised.value.param) == (Kind.INVALID_REQUEST, "limit")


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"pageSize": "-1"}, "pageSize"),
        ({"pageSize": "x"}, "pageSize"),
        ({"pageToken": "a"}, "pageToken"),
        ({"pageToken": "!!!!"}, "pageToken"),
        ({"pageToken": "__79"}, "pageToken"),
        ({"pageToken": "ü"}, "pageToken"),
    ],
)
def test_a_wrong_size_or_token_is_named(query, param):
    with pytest.raises(ApiError) as raised:
        token_page(MANY, query)
    assert (raised.value.kind, raised.value.param) == (Kind.INVALID_REQUEST, param)
