"""Owns the writing of a neutral answer as a whole Anthropic message.

Also what is the same in a stream: names, stop reasons, the blocks of thoughts and citations. Must not
know which protocol an answer came in.
"""

import hashlib
from typing import Final

from tollbridge.protocols.answer import Answer, Choice, Finish, Identity
from tollbridge.protocols.carriers import sealed
from tollbridge.protocols.conversation import (
    Call,
    Carrier,
    Conversation,
    Json,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Text,
    Vendor,
    Wire,
)
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.messages_answer_reader import KEPT
from tollbridge.protocols.messages_blocks import (
    REDACTED,
    allowed_id,
    citation_fields,
    input_of,
)
from tollbridge.protocols.messages_frames import EMPTY_TEXT
from tollbridge.protocols.messages_usage import usage_fields
from tollbridge.protocols.usage import Usage

_PREFIX: Final = "msg_"
_OF_CALLS: Final = ("caller", "toolset_name")
"""What only this protocol says of a call."""
_PARAGRAPH: Final = "\n\n"
_REASONS: Final = {
    Finish.STOP: "end_turn",
    Finish.STOP_SEQUENCE: "stop_sequence",
    Finish.CALL: "tool_use",
    Finish.LENGTH: "max_tokens",
    Finish.CONTEXT: "model_context_window_exceeded",
    Finish.POLICY: "refusal",
    Finish.PAUSED: "pause_turn",
    Finish.FAULT: "end_turn",
}
_NATURAL: Final = frozenset({Finish.STOP, Finish.STOP_SEQUENCE, Finish.FAULT})
_TIERS: Final = {
    "default": "standard",
    "standard": "standard",
    "priority": "priority",
    "batch": "batch",
}


def write_answer(
    answer: Answer, identity: Identity, conversation: Conversation, losses: Losses
) -> Json:
    """Return the message; an answer without a choice is one that said nothing."""
    del conversation  # Everything that this protocol echoes is in the answer itself.
    if len(answer.choices) > 1:
        losses.note("answer_choices")
    choice = answer.choices[0] if answer.choices else Choice(parts=[])
    content = _content(choice.parts, identity, losses)
    message: Json = {
        "id": message_id(answer.id, identity),
        "type": "message",
        "role": "assistant",
        "model": model_of(answer.model, identity),
        "content": content or [EMPTY_TEXT],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": whole_usage(answer.usage, answer.tier),
    }
    if choice.finish is not None:
        called = any(isinstance(part, Call) for part in choice.parts)
        message["stop_reason"] = reason = stop_reason(choice.finish, called=called)
        if reason == "stop_sequence":
            message["stop_sequence"] = choice.stop_sequence
    kept = {name: answer.extra[name] for name in KEPT if name in answer.extra}
    return {**message, **kept}


def message_id(given: str, identity: Identity) -> str:
    """Return a message's id: the upstream's own where it is of this protocol."""
    return given if given.startswith(_PREFIX) else _PREFIX + identity.id


def model_of(given: str, identity: Identity) -> str:
    """Return the model's name as the client is to see it."""
    return identity.model if identity.renamed or not given else given


def stop_reason(finish: Finish, *, called: bool) -> str:
    """Return the stop reason; a natural end after a call is the call's (protocols.md 6.2)."""
    return "tool_use" if called and finish in _NATURAL else _REASONS[finish]


def whole_usage(usage: Usage | None, tier: str | None = None) -> Json:
    """Return the figures of a message; zeros where nothing is known."""
    fields = usage_fields(usage or Usage())
    named = _TIERS.get(tier or "")
    return {**fields, "service_tier": named} if named else fields


def call_id(given: str, identity: Identity, ordinal: int) -> str:
    """Return a call's id; where the upstream gave none, always the same for this place."""
    if given:
        return allowed_id(given)
    digest = hashlib.sha256(f"{identity.id}\0{ordinal}".encode()).hexdigest()
    return f"toolu_{digest[:24]}"


def signature_of(carrier: Carrier) -> str:
    """Return what stands in the signature's place: another vendor's value in an envelope."""
    return carrier.payload if carrier.vendor is Vendor.ANTHROPIC else sealed(carrier)


def thoughts_block(part: Reasoning) -> Json:
    """Return thoughts as a block."""
    carrier = part.carrier
    if carrier is not None and (part.redacted or carrier.item_id == REDACTED):
        return {"type": "redacted_thinking", "data": signature_of(carrier)}
    return {
        "type": "thinking",
        "thinking": _PARAGRAPH.join(part.texts),
        "signature": "" if carrier is None else signature_of(carrier),
    }


def opaque_block(part: Part, losses: Losses) -> Json | None:
    """Return a part that only this protocol has; any other is lost."""
    if isinstance(part, Opaque):
        if part.wire is Wire.MESSAGES:
            return part.raw
        losses.note("answer_server_tool")
    else:
        losses.note("answer_opaque")
    return None


def _content(parts: list[Part], identity: Identity, losses: Losses) -> list[Json]:
    blocks: list[Json] = []
    calls = 0
    for part in parts:
        block: Json | None
        if isinstance(part, (Text, Call)) and part.carrier is not None:
            _sign(blocks, part.carrier)
        if isinstance(part, Text):
            block = _text(part)
        elif isinstance(part, Refusal):
            block = {"type": "text", "text": part.text} if part.text else None
        elif isinstance(part, Reasoning):
            block = thoughts_block(part)
        elif isinstance(part, Call):
            block = _call(part, call_id(part.id, identity, calls))
            calls += 1
        else:
            block = opaque_block(part, losses)
        if block is not None:
            blocks.append(block)
    return blocks


def _sign(blocks: list[Json], carrier: Carrier) -> None:
    """Give the carrier of a text or call to the thoughts before it: only thoughts are signed here."""
    last = blocks[-1] if blocks else {}
    if last.get("type") == "thinking" and not last["signature"]:
        last["signature"] = signature_of(carrier)
    else:
        blocks.append(thoughts_block(Reasoning(texts=[], carrier=carrier)))


def _text(part: Text) -> Json | None:
    if not part.text:
        return None
    block: Json = {"type": "text", "text": part.text}
    if "citations" in part.extra:
        block["citations"] = part.extra["citations"]
    elif part.citations:
        block["citations"] = [citation_fields(citation) for citation in part.citations]
    return block


def _call(part: Call, id_: str) -> Json:
    return {
        "type": "tool_use",
        "id": id_,
        "name": part.name,
        "input": input_of(part.arguments, custom=part.custom),
        **{name: part.extra[name] for name in _OF_CALLS if name in part.extra},
    }
