"""The twin of protocols/schema_parts.py."""

from typing import Any

import pytest

from tollbridge.protocols.losses import Losses
from tollbridge.protocols.schema_parts import (
    PLACES_MAX,
    Pool,
    alternatives,
    as_count,
    describe,
    is_number,
    is_short,
    kind_of,
    names_in,
    primitives,
)


def pool(root: dict[str, Any] | None = None) -> tuple[Pool, Losses]:
    losses = Losses()
    return Pool(root or {}, losses), losses


def test_what_a_place_says_wins_over_its_reference():
    root = {"a": [{"type": "string", "title": "theirs"}]}
    one, losses = pool(root)
    flat, seen = one.flat({"$ref": "#/a/0", "title": "ours"}, frozenset())
    assert flat == {"type": "string", "title": "ours"}
    assert seen == {"#/a/0"}
    assert not losses.counts
    again, _ = one.flat({"$ref": "#/a/0", "minLength": 1}, seen)
    assert again == {"type": "string", "title": "theirs", "minLength": 1}
    assert losses.counts["schema_keyword"] == 1


@pytest.mark.parametrize("ref", ["#/$defs/L%C3%A4nge%3Ca~1b%3E", "#/$defs/Länge<a~1b>"])
def test_a_reference_may_be_escaped(ref: str):
    one, losses = pool({"$defs": {"Länge<a/b>": {"type": "string"}}})
    assert one.flat({"$ref": ref}, frozenset())[0] == {"type": "string"}
    assert not losses.counts


@pytest.mark.parametrize("ref", ["#/b", "#/a/1", "#/a/" + "9" * 5_000, "x#/a/0", "", "#/a/0/type"])
def test_a_reference_to_nothing_is_a_loss(ref: str):
    one, losses = pool({"a": [{"type": "string"}]})
    assert one.flat({"$ref": ref, "title": "t"}, frozenset())[0] == {"title": "t"}
    assert losses.counts["schema_keyword"] == 1


def test_a_pool_runs_dry():
    one, losses = pool()
    assert one.spend(PLACES_MAX - 1)
    assert not one.spend(1)
    assert list(one.properties({"properties": {"a": {}}})) == []
    assert losses.counts["schema_keyword"] == 1
    assert one.texts({"title": "t"}, "title") == {}
    assert one.values({"enum": ["a"]}) is None
    made = {"a": 1}
    one.merge(made, {"b": 2})
    assert made == {"a": 1}


def test_long_texts_cost():
    one, _ = pool()
    schema = {"title": "t" * (PLACES_MAX * 60)}
    assert one.texts(schema, "title") == schema
    assert one.texts(schema, "title") == {}


def test_demands_are_added_up():
    one, _ = pool()
    made: dict[str, Any] = {"properties": {"a": 1}, "required": ["a"], "title": "ours"}
    one.merge(made, {"properties": {"a": 2, "b": 2}, "required": ["b", "a"], "title": "theirs"})
    assert made == {"properties": {"a": 1, "b": 2}, "required": ["a", "b"], "title": "ours"}


def test_alternatives_and_what_stands_beside_them():
    assert alternatives({"type": "string"}) == ([], {"type": "string"})
    assert alternatives({"type": ["string"]}) == ([], {"type": "string"})
    assert alternatives({"anyOf": [], "title": "t"}) == ([], {"anyOf": [], "title": "t"})
    assert alternatives({"anyOf": [{}, 1], "type": ["a"], "title": "t"}) == ([{}], {"title": "t"})
    flat = {"type": ["object", "string"], "properties": {}, "minLength": 1, "minimum": 0, "enum": 1}
    assert alternatives(flat) == (
        [{"type": "object", "properties": {}}, {"type": "string", "minLength": 1}],
        {"enum": 1},
    )


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "STRING"}, "string"),
        ({"type": "any", "properties": {}}, "object"),
        ({"items": {}}, "array"),
        ({"enum": ["a", None]}, "string"),
        ({"enum": [1, "a"]}, "string"),
        ({"const": 1.5}, "number"),
        ({"const": True}, "boolean"),
        ({"minLength": 1}, "string"),
        ({"maximum": 1}, "number"),
        ({"format": "x"}, None),
        ({}, None),
    ],
)
def test_the_type_shows(schema: dict[str, Any], kind: str | None):
    assert kind_of(schema) == kind


def test_values_and_numbers():
    assert primitives({"const": None, "enum": ["a"]}) == [None]
    assert primitives({"enum": [{}]}) is None
    assert primitives({"enum": "a"}) is None
    assert [as_count(one) for one in (3, 3.0, "3", True, -1, 1.5, "x", None)] == [
        *(3, 3, 3),
        *(None, None, None, None, None),
    ]
    assert [is_number(one) for one in (1, 1.5, True, "1", None)] == [True, True, *[False] * 3]
    assert names_in(["a", 1, "b"]) == ["a", "b"]
    assert names_in("ab") == []


def test_only_what_is_short_is_told():
    assert is_short({"type": "integer"})
    assert not is_short({"a": [1]})
    assert not is_short(list(range(21)))
    assert not is_short("x" * 101)
    made: dict[str, Any] = {}
    describe(made, {"x-own": 1, "pattern": "x" * 101})
    assert made == {}
    describe(made, {"pattern": "a", "minItems": 2})
    assert made == {"description": '(pattern: "a", minItems: 2)'}
