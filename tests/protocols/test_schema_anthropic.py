"""The twin of protocols/schema_anthropic.py; the vendor's SDK says what its output schemas are."""

from typing import Any

import msgspec
import pytest
from anthropic import transform_schema
from hypothesis import given

from tests.protocols.schema_cases import SCHEMAS, hostile
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.schema_anthropic import AnthropicSchema

KNOWN = {"$defs", "$ref", "type", "title", "description", "enum", "anyOf", "allOf"}
KNOWN |= {"properties", "required", "additionalProperties", "items", "minItems", "format"}


def anthropic(schema: dict[str, Any]) -> tuple[dict[str, Any], int]:
    losses = Losses()
    made = AnthropicSchema(schema, losses).written()
    check(made)
    return made, losses.counts["schema_keyword"]


def check(made: dict[str, Any]) -> None:
    places = [made]
    while places:
        one = places.pop()
        assert set(one) <= KNOWN
        assert "type" not in one or isinstance(one["type"], str)
        assert "$ref" not in one or set(one) <= {"$ref", "$defs"}
        if one.get("type") == "object":
            assert one["additionalProperties"] is False
            assert set(one.get("required", [])) <= one["properties"].keys()
        for name in ("properties", "$defs"):
            places.extend(one.get(name, {}).values())
        for name in ("anyOf", "allOf"):
            places.extend(one.get(name, []))
        places.extend([one["items"]] if "items" in one else [])


def test_a_plain_schema_is_closed_and_its_bounds_are_told():
    schema = {
        "type": "object",
        "description": "A score.",
        "properties": {
            "score": {"type": "integer", "minimum": 0, "maximum": 10},
            "when": {"type": "string", "format": "date-time"},
            "mail": {"type": "string", "format": "idn-email", "description": "Where to."},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3},
            "properties": {"enum": ["a", "b"], "type": "string"},
        },
        "required": ["score", "nothing"],
        "additionalProperties": True,
    }
    made, lost = anthropic(schema)
    assert lost == 3
    assert made == {
        "type": "object",
        "description": "A score.",
        "properties": {
            "score": {"type": "integer", "description": "(minimum: 0, maximum: 10)"},
            "when": {"type": "string", "format": "date-time"},
            "mail": {"type": "string", "description": 'Where to. (format: "idn-email")'},
            "tags": {
                "type": "array",
                "items": {"type": "string"},
                "minItems": 1,
                "description": "(maxItems: 3)",
            },
            "properties": {"enum": ["a", "b"]},
        },
        "required": ["score"],
        "additionalProperties": False,
    }
    assert transform_schema(made) == made


@pytest.mark.parametrize(
    ("schema", "made", "lost"),
    [
        (
            {"type": ["string", "null"], "maxLength": 3, "description": "d"},
            {
                "anyOf": [{"type": "string", "description": "(maxLength: 3)"}, {"type": "null"}],
                "description": "d",
            },
            1,
        ),
        (
            {"oneOf": [{"type": "string"}, {"type": "number"}]},
            {"anyOf": [{"type": "string"}, {"type": "number"}]},
            0,
        ),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "string"}},
                "anyOf": [{"required": ["a"]}],
            },
            {
                "anyOf": [
                    {
                        "type": "object",
                        "properties": {"a": {"type": "string"}},
                        "required": ["a"],
                        "additionalProperties": False,
                    }
                ]
            },
            0,
        ),
        ({"const": None}, {"enum": [None]}, 0),
        ({"enum": [1, "a"], "default": 1}, {"enum": [1, "a"], "description": "(default: 1)"}, 1),
        ({"allOf": [{"$ref": "#/$defs/x"}], "title": "t"}, {"$ref": "#/$defs/x"}, 0),
        (
            {"allOf": [{"type": "string"}, {"type": "string", "title": "t"}]},
            {"allOf": [{"type": "string"}, {"type": "string", "title": "t"}]},
            0,
        ),
        ({"$ref": "#/definitions/x", "minimum": 1}, {"$ref": "#/$defs/x"}, 1),
        (
            {"definitions": {"x": {"type": "object"}}, "$ref": "#/definitions/x"},
            {
                "$defs": {"x": {"type": "object", "properties": {}, "additionalProperties": False}},
                "$ref": "#/$defs/x",
            },
            0,
        ),
        (
            {"type": "object", "additionalProperties": {"type": "string"}},
            {
                "type": "object",
                "properties": {},
                "additionalProperties": False,
                "description": '(additionalProperties: {"type":"string"})',
            },
            1,
        ),
    ],
)
def test_what_the_vendor_takes_in_another_form(schema: Any, made: Any, lost: int):
    assert anthropic(schema) == (made, lost)
    if lost == 0:
        assert transform_schema(made) == made


@given(SCHEMAS)
def test_every_schema_becomes_one_of_known_keywords(schema: dict[str, Any]):
    before = msgspec.json.encode(schema)
    anthropic(schema)
    assert msgspec.json.encode(schema) == before


@pytest.mark.parametrize("at", [0, 1, 3, 4])
def test_a_hostile_schema_is_cut(at: int):
    made, lost = anthropic(hostile()[at])
    assert lost
    assert len(msgspec.json.encode(made)) < 12_000_000


@pytest.mark.parametrize("at", [2, 5, 6])
def test_references_are_the_vendors_matter(at: int):
    made, _ = anthropic(hostile()[at])
    assert "$ref" in msgspec.json.encode(made).decode()
