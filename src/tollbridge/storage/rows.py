"""Owns small conversions between rows and values: JSON in text columns and what has changed."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping


def to_json(value: object) -> str:
    """Return the one compact spelling of a value, so that equal values are equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def names_from_json(text: str) -> tuple[str, ...]:
    """Return a JSON list of strings; ValueError for anything else."""
    value = json.loads(text)
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError("not a JSON list of strings")
    return tuple(value)


def object_from_json(text: str) -> dict[str, Any]:
    """Return a JSON object; ValueError for anything else."""
    value = json.loads(text)
    if isinstance(value, dict):
        return value
    raise ValueError("not a JSON object")


def texts_from_json(text: str) -> dict[str, str]:
    """Return a JSON object of strings; ValueError for anything else."""
    value = object_from_json(text)
    if not all(isinstance(one, str) for one in value.values()):
        raise ValueError("not a JSON object of strings")
    return value


def differing(row: RowMapping, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns, with the values wanted, in which a row is not as wanted."""
    return {name: value for name, value in wanted.items() if row[name] != value}
