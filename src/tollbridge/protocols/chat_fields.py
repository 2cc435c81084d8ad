"""Owns the reading of single fields of a parsed chat request, with an error that names the field.

A null counts as absent everywhere. Must not know which fields there are.
"""

from typing import Any

from tollbridge.protocols.conversation import Json
from tollbridge.protocols.json_peek import FieldError


def text_in(given: Json, name: str, where: str = "") -> str | None:
    """Return a string field, None when absent; FieldError."""
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise FieldError(where + name, "a string")
    return value


def integer_in(given: Json, name: str, where: str = "") -> int | None:
    """Return an integer field, None when absent; FieldError."""
    value = given.get(name)
    if type(value) is float and value.is_integer():
        return int(value)
    if value is not None and type(value) is not int:
        raise FieldError(where + name, "an integer")
    return value


def number_in(given: Json, name: str, where: str = "") -> float | None:
    """Return a number as it was written, None when absent; FieldError."""
    value = given.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise FieldError(where + name, "a number")
    return value


def boolean_in(given: Json, name: str, where: str = "") -> bool | None:
    """Return a boolean field, None when absent; FieldError."""
    value = given.get(name)
    if value is not None and not isinstance(value, bool):
        raise FieldError(where + name, "true or false")
    return value


def object_in(given: Json, name: str, where: str = "") -> Json | None:
    """Return an object field, None when absent; FieldError."""
    value = given.get(name)
    if value is not None and not isinstance(value, dict):
        raise FieldError(where + name, "an object")
    return value


def list_in(given: Json, name: str, where: str = "") -> list[Any]:
    """Return an array field, empty when absent; FieldError."""
    value = given.get(name)
    if value is not None and not isinstance(value, list):
        raise FieldError(where + name, "an array")
    return value or []


def required(value: Any, name: str, expected: str) -> Any:
    """Return the value unless it is None or empty; FieldError."""
    if not value:
        raise FieldError(name, expected)
    return value


def rest_of(given: Json, *known: str) -> Json:
    """Return the fields that are none of the known ones, nulls left out."""
    return {name: value for name, value in given.items() if value is not None and name not in known}
