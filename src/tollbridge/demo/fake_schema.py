"""Owns the values that a pretend model makes up for a JSON schema: tools' arguments, answers.

Pure: a schema in, a value out, always the same one. It must not know who asked for it.
"""

from collections.abc import Mapping
from typing import Any

_DEPTH = 6
_WORD = "toll"
_SINGLE: dict[str, Any] = {
    "string": _WORD,
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "null": None,
}
_CHOICES = ("anyOf", "oneOf", "any_of", "allOf")


def sample(schema: object) -> Any:
    """Return a value that fits a schema, in the dialects of all vendors (Gemini's upper-case too).

    Only what a made-up value needs is read: type, properties, items, enum, const, choices, local
    references. Bounds and patterns are not.
    """
    return _sample(schema, schema, _DEPTH)


def _sample(schema: object, root: object, depth: int) -> Any:
    if not isinstance(schema, Mapping) or not depth:
        return _WORD
    if "const" in schema:
        return schema["const"]
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return schema["enum"][0]
    if isinstance(schema.get("$ref"), str):
        return _sample(_referred(root, schema["$ref"]), root, depth - 1)
    choices = next((schema[name] for name in _CHOICES if schema.get(name)), None)
    if isinstance(choices, list) and "properties" not in schema:
        return _sample(choices[0], root, depth - 1)
    kind = _kind(schema)
    if kind == "object":
        properties = schema.get("properties")
        named = properties if isinstance(properties, Mapping) else {}
        return {str(name): _sample(one, root, depth - 1) for name, one in named.items()}
    if kind == "array":
        return [_sample(schema.get("items"), root, depth - 1)]
    return _SINGLE.get(kind, _WORD)


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(kind, str):
        return kind.lower()
    return "object" if "properties" in schema else "string"


def _referred(root: object, reference: str) -> object:
    found = root
    for name in reference.removeprefix("#").strip("/").split("/"):
        if not name:
            continue
        found = found.get(name) if isinstance(found, Mapping) else None
    return found
