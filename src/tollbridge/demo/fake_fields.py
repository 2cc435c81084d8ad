"""Owns lenient reading of JSON: what has not the expected shape is as if it were not there.

Pure. The pretend vendor reads requests that went through a gateway, well-formed or not, and must
answer each of them. It must not know what the fields mean.
"""

from typing import Any

import msgspec


def loaded(raw: msgspec.Raw) -> Any:
    """Return what stands in a part of a body, None when it is absent."""
    return msgspec.json.decode(raw) if len(raw) else None


def mapping(value: Any) -> dict[str, Any]:
    """Return an object, an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def mappings(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list; a single object is a list of one."""
    found = [value] if isinstance(value, dict) else value
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def text_of(content: Any) -> str:
    """Return the text of a message: itself, or that of its parts with spaces between them."""
    if isinstance(content, str):
        return content
    return " ".join(str(part.get("text", "")) for part in mappings(content))
