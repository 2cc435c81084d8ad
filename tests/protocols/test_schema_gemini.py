"""The twin of protocols/schema_gemini.py; Google's own SDK says what a `Schema` is."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from google.genai import types
from hypothesis import given

from tests.protocols.schema_cases import SCHEMAS, hostile
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.schema_gemini import GeminiSchema


def gemini(schema: dict[str, Any]) -> tuple[dict[str, Any], int]:
    losses = Losses()
    made = GeminiSchema(schema, losses).written()
    check(made)
    return made, losses.counts["schema_keyword"]


def check(made: dict[str, Any]) -> None:
    """Demand what Google demands: known keywords, a type, items, no names of nothing."""
    types.Schema.model_validate(made)
    places = [made]
    while places:
        one = places.pop()
        if "anyOf" in one:
            assert set(one) == {"anyOf"}
            places.extend(one["anyOf"])
            continue
        assert ("items" in one) is (one["type"] == "ARRAY")
        assert set(one.get("required", [])) <= one.get("properties", {}).keys()
        assert all(isinstance(value, str) and value for value in one.get("enum", []))
        places.extend(one.get("properties", {}).values())
        places.extend([one["items"]] if "items" in one else [])


def test_a_plain_schema_keeps_its_keywords_and_its_order():
    made, lost = gemini(
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "title": "Order",
            "description": "An order.",
            "properties": {
                "z": {"type": "string", "minLength": 1, "maxLength": 9, "pattern": "^z"},
                "a": {"type": "integer", "minimum": 0, "maximum": 10, "default": 3},
                "when": {"type": "string", "format": "date-time"},
                "kind": {"enum": ["x", "y"]},
                "list": {"type": "array", "items": {"type": "number"}, "minItems": 2},
            },
            "required": ["z", "nothing"],
            "additionalProperties": False,
        }
    )
    assert lost == 0
    assert list(made["properties"]) == ["z", "a", "when", "kind", "list"]
    assert made == {
        "type": "OBJECT",
        "title": "Order",
        "description": "An order.",
        "properties": {
            "z": {"type": "STRING", "minLength": 1, "maxLength": 9, "pattern": "^z"},
            "a": {"type": "INTEGER", "minimum": 0, "maximum": 10, "default": 3},
            "when": {"type": "STRING", "format": "date-time"},
            "kind": {"type": "STRING", "enum": ["x", "y"]},
            "list": {"type": "ARRAY", "items": {"type": "NUMBER"}, "minItems": 2},
        },
        "required": ["z"],
    }


def test_a_property_may_be_called_like_a_keyword():
    made, lost = gemini(
        {
            "type": "object",
            "properties": {
                "properties": {"type": "string"},
                "type": {"type": "object", "properties": {"$ref": {"type": "boolean"}}},
                "additionalProperties": {"type": "string"},
            },
            "required": ["type", "properties"],
        }
    )
    assert lost == 0
    assert set(made["properties"]) == {"properties", "type", "additionalProperties"}
    assert made["properties"]["type"]["properties"] == {"$ref": {"type": "BOOLEAN"}}
    assert made["required"] == ["type", "properties"]


def test_references_are_written_out():
    made, lost = gemini(
        {
            "$defs": {"a/b": {"type": "string", "description": "theirs"}},
            "definitions": {"c": {"$ref": "#/$defs/a~1b"}},
            "type": "object",
            "properties": {
                "one": {"$ref": "#/$defs/a~1b", "description": "ours"},
                "two": {"$ref": "#/definitions/c"},
            },
        }
    )
    assert lost == 0
    assert made["properties"] == {
        "one": {"type": "STRING", "description": "ours"},
        "two": {"type": "STRING", "description": "theirs"},
    }


def test_a_schema_that_contains_itself_is_cut():
    made, lost = gemini(
        {
            "$defs": {
                "node": {
                    "type": "object",
                    "description": "a node",
                    "properties": {
                        "value": {"type": "string"},
                        "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                    },
                }
            },
            "$ref": "#/$defs/node",
        }
    )
    assert lost == 1
    inner = made["properties"]["children"]["items"]
    assert inner == {"type": "OBJECT", "description": "a node"}


def test_a_reference_to_nothing_is_any_text():
    assert gemini({"type": "object", "properties": {"a": {"$ref": "other.json#/x"}}}) == (
        {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}},
        2,
    )


@pytest.mark.parametrize(
    ("schema", "made", "lost"),
    [
        ({"type": ["string", "null"]}, {"type": "STRING", "nullable": True}, 0),
        ({"type": ["null"]}, {"type": "STRING", "nullable": True}, 1),
        (
            {"type": ["string", "integer"], "minLength": 1, "minimum": 0, "title": "t"},
            {
                "anyOf": [
                    {"type": "STRING", "title": "t", "minLength": 1},
                    {"type": "INTEGER", "title": "t", "minimum": 0},
                ]
            },
            0,
        ),
        (
            {"anyOf": [{"type": "string", "description": "own"}, {"type": "null"}], "description": "d"},
            {"type": "STRING", "description": "own", "nullable": True},
            0,
        ),
        (
            {"oneOf": [{"type": "string"}, {"type": "number"}], "description": "d"},
            {
                "anyOf": [
                    {"type": "STRING", "description": "d"},
                    {"type": "NUMBER", "description": "d"},
                ]
            },
            0,
        ),
        (
            {"allOf": [{"properties": {"a": {"type": "string"}}}, {"required": ["a"]}]},
            {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}, "required": ["a"]},
            0,
        ),
        ({"const": "x"}, {"type": "STRING", "enum": ["x"]}, 0),
        ({"enum": ["x", None]}, {"type": "STRING", "enum": ["x"], "nullable": True}, 0),
        ({"enum": ["", "x"]}, {"type": "STRING", "enum": ["x"], "description": '(enum: ["","x"])'}, 1),
        ({"enum": [1, 2]}, {"type": "INTEGER", "description": "(enum: [1,2])"}, 1),
        ({"type": "boolean", "const": True}, {"type": "BOOLEAN", "description": "(enum: [true])"}, 1),
        ({"type": "integer", "exclusiveMinimum": 0}, {"type": "INTEGER", "minimum": 1}, 0),
        ({"type": "integer", "exclusiveMaximum": 9}, {"type": "INTEGER", "maximum": 8}, 0),
        (
            {"type": "number", "exclusiveMinimum": 0, "description": "d"},
            {"type": "NUMBER", "minimum": 0, "description": "d (exclusiveMinimum: 0)"},
            1,
        ),
        ({"minimum": 0, "exclusiveMinimum": False}, {"type": "NUMBER", "minimum": 0}, 0),
        (
            {"type": "string", "format": "email"},
            {"type": "STRING", "description": '(format: "email")'},
            1,
        ),
        ({"type": "array"}, {"type": "ARRAY", "items": {"type": "STRING"}}, 0),
        (
            {"prefixItems": [{"type": "string"}, {"type": "number"}], "uniqueItems": True},
            {
                "type": "ARRAY",
                "items": {"anyOf": [{"type": "STRING"}, {"type": "NUMBER"}]},
                "description": "(uniqueItems: true)",
            },
            2,
        ),
        (
            {"type": "object", "additionalProperties": {"type": "integer"}},
            {"type": "OBJECT", "description": '(additionalProperties: {"type":"integer"})'},
            1,
        ),
        ({"type": "object", "deprecated": True, "if": {"type": "null"}}, {"type": "OBJECT"}, 1),
        ({"properties": {"a": True, "b": False}}, {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}, 0),
        ({"type": "string", "minLength": "3", "maxLength": 4.0}, {"type": "STRING", "minLength": 3, "maxLength": 4}, 0),
        ({}, {"type": "STRING"}, 1),
    ],
)  # fmt: skip
def test_what_gemini_has_no_keyword_for(schema: dict[str, Any], made: dict[str, Any], lost: int):
    assert gemini(schema) == (made, lost)


@given(SCHEMAS)
def test_every_schema_becomes_one_that_google_takes(schema: dict[str, Any]):
    before = msgspec.json.encode(schema)
    gemini(schema)
    assert msgspec.json.encode(schema) == before


@pytest.mark.parametrize("at", range(7))
def test_a_hostile_schema_is_cut(at: int):
    made, lost = gemini(hostile()[at])
    # The knot of the last one contains nothing but itself.
    assert bool(lost) is (at < 6)
    assert len(msgspec.json.encode(made)) < 12_000_000


def _schemas(value: Any) -> Iterator[dict[str, Any]]:
    """Find the schemas of tools and answers in a recorded request of any protocol."""
    if isinstance(value, list):
        for one in value:
            yield from _schemas(one)
    elif isinstance(value, dict):
        for name, one in value.items():
            if name in {"parameters", "input_schema", "schema"} and isinstance(one, dict):
                yield one
            else:
                yield from _schemas(one)


def test_recorded_schemas_become_ones_that_google_takes(corpus: Path):
    seen = 0
    for path in sorted(corpus.glob("*/*.json")):
        for schema in _schemas(json.loads(path.read_bytes())["request"].get("body")):
            seen += 1
            made, _ = gemini(schema)
            if schema.get("type") == "object" and schema.get("properties"):
                assert made["properties"].keys() == schema["properties"].keys()
    assert seen > 100
