"""Owns what the meter needs to know of an answer, whatever protocol it is in.

Also the reading of JSON and of errors that every protocol shares: nothing here raises, whatever an
upstream writes. Must not know any protocol's fields but those of an error.
"""

from typing import Any

import msgspec

from tollbridge.protocols.usage import Usage


class UpstreamFault(msgspec.Struct, frozen=True, gc=False):
    """An error that an upstream wrote into an answer with status 200."""

    type: str
    code: str
    message: str
    status: int | None = None
    """The HTTP status that the fault names for itself, if it does."""


class ReplyFacts(msgspec.Struct, frozen=True, gc=False):
    """What the meter needs to know of a whole answer."""

    model: str | None = None
    usage: Usage | None = None
    usage_seen: bool = False
    finished: bool = False
    """Every choice has a finish reason."""
    empty: bool = True
    """No text, tool call, reasoning, refusal, image or audio."""
    text_bytes: int = 0
    """UTF-8 bytes of text, reasoning, refusals, tool names and arguments (for estimates)."""
    error: UpstreamFault | None = None


def decoded(body: bytes) -> dict[str, Any] | None:
    """Return a JSON object as a dict, None for anything else (broken or absurdly deep JSON too)."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    return value if isinstance(value, dict) else None


def text_or_none(value: object) -> str | None:
    """Return the value when it is a non-empty string."""
    return value if isinstance(value, str) and value else None


def fault_from(error: object) -> UpstreamFault | None:
    """Read the value of an `error` field, in whatever shape vendors write it; None when it is empty."""
    if not error:
        return None
    if not isinstance(error, dict):
        return UpstreamFault(type="", code="", message=error if isinstance(error, str) else "")
    code = error.get("code")
    status = next(
        (n for n in (error.get("status"), error.get("status_code"), code) if _is_status(n)), None
    )
    return UpstreamFault(
        type=text_or_none(error.get("type")) or "",
        code=str(code) if isinstance(code, (str, int)) else "",
        message=text_or_none(error.get("message")) or "",
        status=status,
    )


def _is_status(value: object) -> bool:
    return type(value) is int and 400 <= value <= 599
