"""The twin of core/storable.py: what no database holds is told apart, and ids are read exactly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core.storable import INT64_MAX, id_in, storable


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800", "a\udfff"])
def test_some_texts_cannot_be_kept(text: str) -> None:
    assert not storable(text)


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0")))
def test_any_other_can(text: str) -> None:
    assert storable(text)


@given(st.integers(0, INT64_MAX))
def test_an_id_is_read_as_it_is_written(number: int) -> None:
    assert id_in(str(number)) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("9223372036854775807", 2**63 - 1), ("9223372036854775808", None), ("-1", None),
     ("", None), ("1a", None), ("٣", None), ("²", None), ("1" * 20, None), ("9" * 5000, None)],
)  # fmt: skip
def test_what_is_an_id(text: str, number: int | None) -> None:
    assert id_in(text) == number
