"""Proof that an upstream's names of models do not reach clients by its words or its stored answers."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.relay.calls import account
from tollbridge.catalog.name_map import NameMap
from tollbridge.relay.own_names import in_clients_words, stored_body

MAPPED = account(mapping=(NameMap.build({"ours": "up-5", "family-*": "up-7"}),))


@pytest.mark.parametrize(
    ("told", "heard"),
    [
        ("The model `up-5` is gone.", "The model `ours` is gone."),
        ("up-5", "ours"),
        ("up-5: no. Use up-5.", "ours: no. Use ours."),
        ("models/up-5 and up-5-mini, up-5.4, my-up-5, vup-5", None),
    ],
)
def test_the_name_is_replaced_where_it_stands_alone(told, heard):
    expected = heard or "models/ours and up-5-mini, up-5.4, my-up-5, vup-5"
    assert in_clients_words(told, "up-5", "ours") == expected


def test_a_name_may_hold_what_means_something_in_patterns():
    assert in_clients_words("no a+b(c here", "a+b(c", r"\1") == r"no \1 here"


@given(st.text(), st.text(min_size=1))
def test_words_without_the_name_stay_as_they_are(text, name):
    assert in_clients_words(text, name, name) == text
    if name not in text:
        assert in_clients_words(text, name, "ours") == text


@pytest.mark.parametrize(
    ("answered", "shown"),
    [("up-5", "ours"), ("up-5-2026-01-01", "ours"), ("up-7", "family-*"), ("else", "else")],
)
def test_a_stored_answer_has_a_name_that_clients_know(answered, shown):
    body = b'{"id": "resp_1",  "model": "%b", "output": []}' % answered.encode()
    after = stored_body(MAPPED, body)
    assert msgspec.json.decode(after)["model"] == shown
    assert after == body.replace(answered.encode(), shown.encode())
    assert stored_body(account(), body) is body


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"model": 1}', b'{"model": "up-5"', b'{"model": ""}', b"\xff"]
)
def test_what_names_no_model_stays_as_it_is(body):
    assert stored_body(MAPPED, body) == body
