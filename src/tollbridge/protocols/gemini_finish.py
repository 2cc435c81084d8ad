"""Owns Gemini's finish reasons in the neutral words, and back (protocols.md 6.2).

Must not know candidates or streams.
"""

from types import MappingProxyType
from typing import Final

from tollbridge.protocols.answer import Finish

_POLICY: Final = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "MODEL_ARMOR",
    }
)
_FAULTS: Final = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "MALFORMED_RESPONSE",
        "OTHER",
        "LANGUAGE",
        "NO_IMAGE",
        "IMAGE_OTHER",
        "ESCALATION",
    }
)
_REASONS: Final = MappingProxyType(
    {
        Finish.STOP: "STOP",
        Finish.STOP_SEQUENCE: "STOP",
        Finish.CALL: "STOP",
        Finish.PAUSED: "STOP",
        Finish.LENGTH: "MAX_TOKENS",
        Finish.CONTEXT: "MAX_TOKENS",
        Finish.POLICY: "SAFETY",
        Finish.FAULT: "OTHER",
    }
)


def finish_from(reason: object, *, called: bool) -> Finish:
    """Return what a reason means; `called`: a tool was called. Unknown ones are natural ends."""
    if reason in {"MAX_TOKENS", 2}:
        return Finish.LENGTH
    if reason in _POLICY:
        return Finish.POLICY
    if reason in _FAULTS:
        return Finish.FAULT
    return Finish.CALL if called else Finish.STOP


def reason_of(finish: Finish) -> str:
    """Return the reason that Gemini's clients are told."""
    return _REASONS[finish]
