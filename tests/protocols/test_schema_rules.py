"""The twin of protocols/schema_rules.py."""

from typing import Any

import pytest
from hypothesis import given

from tests.protocols.schema_cases import SCHEMAS, hostile
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.schema_rules import (
    anthropic_output_schema,
    gemini_schema,
    object_schema,
)


def test_each_vendor_gets_its_own_words_and_the_losses_are_counted():
    schema = {"type": "object", "properties": {"a": {"type": "integer", "multipleOf": 2}}}
    losses = Losses()
    assert gemini_schema(schema, losses)["properties"]["a"] == {
        "type": "INTEGER",
        "description": "(multipleOf: 2)",
    }
    assert anthropic_output_schema(schema, losses)["properties"]["a"] == {
        "type": "integer",
        "description": "(multipleOf: 2)",
    }
    assert losses.counts == {"schema_keyword": 2}


def test_a_proper_object_is_the_given_one():
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    assert object_schema(schema) is schema


@pytest.mark.parametrize(
    ("schema", "made"),
    [
        (None, {"type": "object", "properties": {}}),
        ({}, {"type": "object", "properties": {}}),
        ({"type": "object"}, {"type": "object", "properties": {}}),
        ({"type": "string", "title": "t"}, {"type": "object", "title": "t", "properties": {}}),
        ({"type": ["object", "null"]}, {"type": "object", "properties": {}}),
        (
            {"properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        ),
        (
            {"$ref": "#/$defs/x", "$defs": {"x": {"type": "object", "properties": {"a": {}}}}},
            {
                "type": "object",
                "properties": {"a": {}},
                "$defs": {"x": {"type": "object", "properties": {"a": {}}}},
            },
        ),
        (
            {"allOf": [{"properties": {"a": {}}, "required": ["a"]}, {"properties": {"b": {}}}]},
            {"type": "object", "properties": {"a": {}, "b": {}}, "required": ["a"]},
        ),
        (
            {
                "type": "object",
                "properties": {"id": {}},
                "required": ["id"],
                "oneOf": [
                    {"properties": {"a": {}, "c": {}}, "required": ["a", "c"]},
                    {"properties": {"b": {}, "c": {}}, "required": ["b", "c"]},
                ],
            },
            {
                "type": "object",
                "properties": {"id": {}, "a": {}, "c": {}, "b": {}},
                "required": ["id", "c"],
            },
        ),
        (
            {"anyOf": [{"type": "null"}, {"properties": {"a": {}}, "required": ["a"]}]},
            {"type": "object", "properties": {"a": {}}, "required": ["a"]},
        ),
    ],
)
def test_the_root_of_a_tool_is_an_object(schema: dict[str, Any] | None, made: dict[str, Any]):
    found = object_schema(schema)
    properties, wanted = found.pop("properties"), made.pop("properties")
    assert properties.keys() == wanted.keys()
    assert properties == wanted
    assert found == made


@given(SCHEMAS)
def test_every_root_is_an_object(schema: dict[str, Any]):
    made = object_schema(schema)
    assert made["type"] == "object"
    assert isinstance(made["properties"], dict)
    assert not {"$ref", "allOf", "anyOf", "oneOf"} & made.keys()


def test_a_hostile_root_is_cut():
    assert all(object_schema(schema)["type"] == "object" for schema in hostile())
