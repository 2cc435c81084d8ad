"""Owns the reading of a whole Anthropic message into the neutral model.

Never raises, whatever an upstream writes: a block that is malformed is kept as it is, what is no block
is not there. Must not know other protocols or money.
"""

from typing import Any, Final

from tollbridge.protocols.answer import Answer, Choice, Finish
from tollbridge.protocols.conversation import Json, Opaque, Part, Wire
from tollbridge.protocols.facts import text_or_none
from tollbridge.protocols.json_peek import FieldError
from tollbridge.protocols.messages import fault_of
from tollbridge.protocols.messages_blocks import read_block
from tollbridge.protocols.messages_usage import usage_from

KEPT: Final[tuple[str, ...]] = ("container", "stop_details", "context_management")
"""Fields of a message that only this protocol has."""

_FINISHES: Final = {
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP_SEQUENCE,
    "tool_use": Finish.CALL,
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.CONTEXT,
    "refusal": Finish.POLICY,
    "pause_turn": Finish.PAUSED,
}


def read_answer(body: Json) -> Answer:
    """Return the answer that a message is."""
    content = body.get("content")
    found = [answer_part(block) for block in content] if isinstance(content, list) else []
    choice = Choice(
        parts=[part for part in found if part is not None],
        finish=finish_of(body.get("stop_reason")),
        stop_sequence=text_or_none(body.get("stop_sequence")),
    )
    return Answer(
        choices=[choice],
        id=text_or_none(body.get("id")) or "",
        model=text_or_none(body.get("model")) or "",
        usage=usage_from(body.get("usage")),
        tier=tier_of(body.get("usage")),
        fault=fault_of(body),
        extra={name: body[name] for name in KEPT if body.get(name) is not None},
    )


def answer_part(block: Any) -> Part | None:
    """Return the part that a block of an answer is, None for what is no block."""
    if not isinstance(block, dict):
        return None
    try:
        return read_block(block, "")
    except FieldError:
        kind = text_or_none(block.get("type"))
        return None if kind is None else Opaque(wire=Wire.MESSAGES, kind=kind, raw=block)


def finish_of(reason: Any) -> Finish | None:
    """Return what a stop reason means; one that nobody knows is a natural end, none is none."""
    if not reason:
        return None
    return _FINISHES.get(reason, Finish.STOP) if isinstance(reason, str) else Finish.STOP


def tier_of(usage: Any) -> str | None:
    """Return the service tier that the figures name."""
    return text_or_none(usage.get("service_tier")) if isinstance(usage, dict) else None
