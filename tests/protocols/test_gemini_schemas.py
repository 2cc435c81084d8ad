"""Gemini's own schemas as JSON schemas."""

import pytest

from tollbridge.protocols.gemini_schemas import json_schema


def test_types_counts_order_and_null():
    given = {
        "type": "OBJECT",
        "properties": {
            "type": {"type": "STRING", "nullable": True, "enum": ["a"], "example": "a"},
            "list": {"type": "ARRAY", "items": {"type": "INTEGER"}, "minItems": "2"},
        },
        "property_ordering": ["list", "type", "absent"],
        "required": ["list"],
        "any_of": [{"type": "OBJECT"}],
    }
    made = json_schema(given)
    assert made == {
        "type": "object",
        "properties": {
            "list": {"type": "array", "items": {"type": "integer"}, "minItems": 2},
            "type": {"type": ["string", "null"], "enum": ["a", None], "examples": ["a"]},
        },
        "required": ["list"],
        "anyOf": [{"type": "object"}],
    }
    assert list(made["properties"]) == ["list", "type"]


def test_null_without_a_type_joins_the_choices():
    made = json_schema({"anyOf": [{"type": "STRING"}], "nullable": True})
    assert made == {"anyOf": [{"type": "string"}, {"type": "null"}]}


@pytest.mark.parametrize(
    "schema", [{}, {"type": 3, "items": [1], "properties": []}, {"minItems": "many"}]
)
def test_what_is_no_schema_stays(schema):
    assert json_schema(schema) == schema
