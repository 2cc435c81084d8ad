"""Owns random and hostile JSON schemas for the tests of the rules; knows nothing of the rules."""

from typing import Any

from hypothesis import strategies as st

NAMES = st.sampled_from(["a", "type", "properties", "$ref", "enum"])
TYPES = st.sampled_from(["object", "array", "string", "number", "integer", "boolean", "null"])
REFS = st.sampled_from(["#", "#/$defs/a", "#/$defs/type", "#/properties/a", "#/nothing", "else"])
ODD = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.text(max_size=3))
WORDS = st.text(max_size=5)
VALUES = st.lists(st.one_of(WORDS, st.integers(-3, 3), st.booleans(), st.none()), max_size=4)


def _grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    keywords: dict[str, st.SearchStrategy[Any]] = {
        "type": st.one_of(TYPES, st.lists(TYPES, max_size=3), ODD),
        "properties": st.one_of(st.dictionaries(NAMES, inner, max_size=3), ODD),
        "required": st.one_of(st.lists(NAMES, max_size=3), ODD),
        "items": st.one_of(inner, st.lists(inner, max_size=2), ODD),
        "prefixItems": st.lists(inner, max_size=2),
        "anyOf": st.one_of(st.lists(inner, max_size=3), ODD),
        "oneOf": st.lists(inner, max_size=3),
        "allOf": st.lists(inner, max_size=3),
        "$ref": st.one_of(REFS, ODD),
        "$defs": st.dictionaries(NAMES, inner, max_size=2),
        "definitions": st.one_of(st.dictionaries(NAMES, inner, max_size=2), ODD),
        "enum": st.one_of(VALUES, st.lists(inner, max_size=1), ODD),
        "const": st.one_of(ODD, inner),
        "additionalProperties": st.one_of(st.booleans(), inner),
        "not": inner,
        "if": inner,
    }
    for name in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems"):
        keywords[name] = st.one_of(ODD, st.floats(-2, 2), st.lists(ODD, max_size=1))
    for name in ("minLength", "multipleOf", "uniqueItems", "default", "example", "x-own"):
        keywords[name] = st.one_of(ODD, inner)
    for name in ("pattern", "format", "title", "description", "nullable", "propertyOrdering"):
        keywords[name] = st.one_of(ODD, st.sampled_from(["date-time", "int32"]), inner)
    return st.fixed_dictionaries({}, optional=keywords)


SCHEMAS = st.recursive(st.one_of(st.booleans(), ODD), _grown, max_leaves=12).filter(
    lambda schema: isinstance(schema, dict)
)


def hostile() -> list[dict[str, Any]]:
    """Return schemas that are deep, huge, or much larger than they look."""
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(120):
        deep = {"type": "object", "properties": {"a": deep}, "anyOf": [{"required": ["a"]}]}
    listed: dict[str, Any] = {"type": "string"}
    for _ in range(120):
        listed = {"allOf": [{"items": listed, "type": ["array", "null"]}, {"title": "x"}]}
    doubled: dict[str, Any] = {"d0": {"type": "string", "description": "x" * 5_000}}
    for at in range(1, 40):
        twice = {"$ref": f"#/$defs/d{at - 1}"}
        doubled[f"d{at}"] = {"type": "object", "properties": {"l": twice, "r": twice}}
    wide = {"type": "object", "properties": {f"p{at}": {"type": "string"} for at in range(50_000)}}
    both = {"anyOf": [{"type": "object", "title": "t"}] * 300, **wide}
    values = {"$defs": {"v": {"enum": [f"v{at}" for at in range(20_000)], "default": ["y"] * 999}}}
    many = {"properties": {f"p{at}": {"$ref": "#/$defs/v"} for at in range(2_000)}}
    cycle = {"$defs": {"n": {"properties": {"next": {"$ref": "#/$defs/n"}}, "type": "object"}}}
    knot = {"allOf": [{"$ref": "#"}, {"allOf": [{"$ref": "#"}] * 300}], "type": "object"}
    return [
        deep,
        listed,
        {"$ref": "#/$defs/d39", "$defs": doubled},
        both,
        {"type": "object", **values, **many},
        {"$ref": "#/$defs/n", **cycle},
        knot,
    ]
