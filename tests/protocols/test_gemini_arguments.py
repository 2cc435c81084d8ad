"""Arguments in pieces become the object that they describe."""

import json

from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.gemini_arguments import PieceArguments


def built(*pieces, **fields):
    arguments = PieceArguments()
    for piece in pieces:
        arguments.add({"partialArgs": [piece]})
    if fields:
        arguments.add(fields)
    return json.loads(arguments.text())


def at(path, more=False, **value):
    return {"jsonPath": path, **value, **({"willContinue": True} if more else {})}


def test_nested_values_and_texts_that_go_on():
    assert built(
        at("$.list[0].name", stringValue="a", more=True),
        at("$.list[0].name", stringValue="b", more=True),
        at("$.list[0].name", stringValue=""),
        at("$.list[1]['odd key']", boolValue=False),
        at("$.n", numberValue=1.5),
        at("$.none", nullValue="NULL_VALUE"),
    ) == {"list": [{"name": "ab"}, {"odd key": False}], "n": 1.5, "none": None}


def test_a_second_whole_text_replaces_the_first():
    assert built(at("$.a", stringValue="x"), at("$.a", stringValue="y")) == {"a": "y"}


def test_whole_arguments_and_snake_case():
    assert built({"json_path": "$.a", "string_value": "x"}, args={"b": 1}) == {"a": "x", "b": 1}


def test_nonsense_is_left_out():
    assert built(
        at("$"),
        at("no path", stringValue="x"),
        at("$[0]", stringValue="x"),
        at("$.a[999999]", stringValue="x"),
        at("$" + ".a" * 100, stringValue="x"),
        {"jsonPath": 3},
    ) == {"a": []}


VALUES = st.recursive(
    st.text(min_size=1, max_size=4) | st.booleans() | st.integers(0, 9),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(st.sampled_from("abc"), inner, min_size=1)
    ),
)


def leaves(value, path):
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{index}]")
    elif isinstance(value, str):
        for letter in value:
            yield at(path, stringValue=letter, more=True)
        yield at(path)
    elif isinstance(value, bool):
        yield at(path, boolValue=value)
    else:
        yield at(path, numberValue=value)


@given(st.dictionaries(st.sampled_from("abc"), VALUES))
def test_any_object_is_built_from_its_leaves(value):
    assert built(*leaves(value, "$")) == value
