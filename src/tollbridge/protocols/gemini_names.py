"""Owns the two spellings of Gemini's field names: camelCase, as documented, and snake_case.

Google's endpoints take both, so clients send both. Must not know what a field means.
"""

import re
from functools import lru_cache
from typing import Any

from tollbridge.protocols.json_peek import FieldError, TopLevel

_WORD_START = re.compile(r"(?<!^)_([a-z0-9])")
_HUMP = re.compile(r"([A-Z])")


@lru_cache(maxsize=1024)
def camel(name: str) -> str:
    """Return the documented spelling of a field's name."""
    return _WORD_START.sub(lambda match: match[1].upper(), name)


@lru_cache(maxsize=1024)
def snake(name: str) -> str:
    """Return the other spelling of a documented name."""
    return _HUMP.sub(lambda match: "_" + match[1].lower(), name)


def spelled(fields: Any) -> dict[str, Any]:
    """Return an object with its own names in camelCase; what is no object has no fields.

    Only one level: values stay as they are, because some hold a client's free names. Where both
    spellings are there, the documented one counts.
    """
    if not isinstance(fields, dict):
        return {}
    if "_" not in "".join(fields):
        return fields
    made = {camel(name): value for name, value in fields.items()}
    made.update({name: value for name, value in fields.items() if "_" not in name})
    return made


def name_in(top: TopLevel, name: str) -> str:
    """Return the spelling of a field in a body, the documented one when it is absent.

    Raises FieldError when both are there: Google might read the other one.
    """
    other = snake(name)
    if other == name or top.span(other) is None:
        return name
    if top.span(name) is not None:
        raise FieldError(name, "given in one spelling only")
    return other
