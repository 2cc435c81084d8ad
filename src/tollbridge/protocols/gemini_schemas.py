"""Owns Gemini's own schema language, the OpenAPI subset, as JSON schema for everybody else.

The way back is schema_rules. It never raises: what is no schema stays as it is. Must not know where
a schema stands.
"""

from typing import Any, Final

from tollbridge.protocols.conversation import Json
from tollbridge.protocols.gemini_names import spelled

_COUNTS: Final = frozenset(
    {"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"}
)
_NOT_JSON_SCHEMA: Final = frozenset({"nullable", "propertyOrdering", "example"})


def json_schema(schema: Json) -> Json:
    """Return the JSON schema that says the same: lower-case types, null among them, plain counts.

    The ordering becomes the order of the properties; an example is one of several.
    """
    given = spelled(schema)
    made: Json = {}
    for name, value in given.items():
        if name not in _NOT_JSON_SCHEMA and value is not None:
            made[name] = _keyword(name, value)
    if given.get("example") is not None:
        made["examples"] = [given["example"]]
    ordering = given.get("propertyOrdering")
    properties = made.get("properties")
    if isinstance(ordering, list) and isinstance(properties, dict):
        first = [name for name in ordering if isinstance(name, str) and name in properties]
        made["properties"] = {name: properties[name] for name in [*first, *properties]}
    if given.get("nullable") is True:
        _allow_null(made)
    return made


def _keyword(name: str, value: Any) -> Any:
    if name == "type" and isinstance(value, str):
        return value.lower()
    if name == "properties" and isinstance(value, dict):
        return {key: _inner(inner) for key, inner in value.items()}
    if name in {"items", "additionalProperties"}:
        return _inner(value)
    if name == "anyOf" and isinstance(value, list):
        return [_inner(inner) for inner in value]
    if name in _COUNTS and isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:18])
    return value


def _inner(value: Any) -> Any:
    return json_schema(value) if isinstance(value, dict) else value


def _allow_null(schema: Json) -> None:
    if isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
    elif isinstance(schema.get("anyOf"), list):
        schema["anyOf"] = [*schema["anyOf"], {"type": "null"}]
    if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
