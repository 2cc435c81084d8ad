"""Fields are read with their type, and a wrong one is named with its place."""

import pytest

from tollbridge.protocols.chat_fields import (
    boolean_in,
    integer_in,
    list_in,
    number_in,
    object_in,
    required,
    rest_of,
    text_in,
)
from tollbridge.protocols.json_peek import FieldError


@pytest.mark.parametrize(
    ("reader", "good", "bad"),
    [
        (text_in, ["", "a"], [1, [], True]),
        (integer_in, [0, -1, 10**30, 2.0], ["1", 1.5, True, float("inf")]),
        (number_in, [0, 1.5], ["1", False]),
        (boolean_in, [True, False], [0, "true"]),
        (object_in, [{}, {"a": 1}], [[], "x"]),
        (list_in, [[], [1]], [{}, "x"]),
    ],
)
def test_types(reader, good, bad):
    for value in good:
        assert reader({"a": value}, "a") == value
    for value in bad:
        with pytest.raises(FieldError) as error:
            reader({"a": value}, "a", "b.")
        assert error.value.name == "b.a"
    assert not reader({"a": None}, "a") and not reader({}, "a")


def test_whole_floats_are_integers():
    assert type(integer_in({"a": 2.0}, "a")) is int


def test_what_is_required():
    assert required("x", "a", "a text") == "x"
    with pytest.raises(FieldError, match="a must be a text"):
        required("", "a", "a text")


def test_the_rest():
    assert rest_of({"a": 1, "b": None, "c": False}, "a") == {"c": False}
