"""Proof of how JSON and errors of upstreams are read: whatever they write, nothing raises."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.facts import ReplyFacts, UpstreamFault, decoded, fault_from, text_or_none

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "code", "message", "status", "status_code", "x"]), inner
        )
    ),
    max_leaves=10,
)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"[]",
        b"1",
        b'"a"',
        b"null",
        b'{"a":',
        b"\xff",
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_only_an_object_is_decoded(body):
    assert decoded(body) is None
    assert decoded(b'{"a": {"b": 1}}') == {"a": {"b": 1}}


@given(st.binary(max_size=60))
def test_no_bytes_raise(body):
    value = decoded(body)
    assert value is None or isinstance(value, dict)


def test_only_a_text_with_something_in_it_is_a_text():
    assert text_or_none("a") == "a"
    assert [text_or_none(value) for value in ("", None, 1, b"a", ["a"])] == [None] * 5


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        ({"type": "t", "code": "c", "message": "m"}, UpstreamFault("t", "c", "m")),
        ({"code": 429, "message": "m"}, UpstreamFault("", "429", "m", 429)),
        ({"status": 503, "code": "c"}, UpstreamFault("", "c", "", 503)),
        ({"status_code": 400, "message": 7}, UpstreamFault("", "", "", 400)),
        ({"status": "UNAVAILABLE", "code": 200}, UpstreamFault("", "200", "")),
        ({"status": True, "code": 600, "status_code": 399}, UpstreamFault("", "600", "")),
        ({"type": None, "code": None}, UpstreamFault("", "", "")),
        ("gone", UpstreamFault("", "", "gone")),
        ([1], UpstreamFault("", "", "")),
        (7, UpstreamFault("", "", "")),
    ],
)
def test_an_error_is_read_in_whatever_shape(error, fault):
    assert fault_from(error) == fault


@pytest.mark.parametrize("error", [None, "", {}, [], 0, False])
def test_an_empty_error_is_none(error):
    assert fault_from(error) is None


@given(values)
def test_no_error_raises_and_its_names_are_texts(error):
    fault = fault_from(error)
    assert (fault is None) == (not error)
    if fault is not None:
        assert all(isinstance(one, str) for one in (fault.type, fault.code, fault.message))
        assert fault.status is None or 400 <= fault.status <= 599


def test_of_an_answer_that_says_nothing_nothing_is_known():
    facts = ReplyFacts()
    assert facts.empty and not facts.finished and not facts.usage_seen
    assert (facts.model, facts.usage, facts.error, facts.text_bytes) == (None, None, None, 0)
    with pytest.raises(AttributeError):
        facts.text_bytes = 1
    assert msgspec.structs.replace(facts, text_bytes=1) != facts
