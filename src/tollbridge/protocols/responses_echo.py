"""Owns the `response` object that every answer of the Responses protocol comes in.

It says the request again, because clients read it there (protocols.md 6.1, 7.3). Nothing is stored
here, so no answer can be fetched later. Must not know what the model says.
"""

from typing import Any, Final

from tollbridge.protocols.answer import Finish, Identity
from tollbridge.protocols.conversation import Conversation, Json
from tollbridge.protocols.responses_said import said_instructions, said_text, said_thinking
from tollbridge.protocols.responses_tools import said_choice, said_tools
from tollbridge.protocols.responses_usage import usage_fields
from tollbridge.protocols.usage import Usage

TIERS: Final = frozenset({"auto", "default", "flex", "scale", "priority", "fast"})

# Fields of the request that are said again as they came, with what stands there otherwise.
_AS_SAID: Final[tuple[tuple[str, Any], ...]] = (
    ("background", False),
    ("max_tool_calls", None),
    ("metadata", {}),
    ("previous_response_id", None),
    ("prompt_cache_key", None),
    ("top_logprobs", 0),
    ("truncation", "disabled"),
)


def response_id(identity: Identity) -> str:
    """Return the answer's id, the same in every event."""
    return f"resp_{identity.id}"


def shell(conversation: Conversation, identity: Identity, model: str) -> Json:
    """Return the object without any output, of an answer that is being made.

    `model` is what the upstream says it is, empty where it did not.
    """
    extra = conversation.extra
    said = {name: _or(extra.get(name), usual) for name, usual in _AS_SAID}
    thinking = {"effort": None, "summary": None, **(said_thinking(conversation.thinking) or {})}
    return {
        "id": response_id(identity),
        "object": "response",
        "created_at": identity.created_s,
        "status": "in_progress",
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "instructions": said_instructions(conversation),
        "max_output_tokens": conversation.max_output,
        "model": identity.model if identity.renamed or not model else model,
        "output": [],
        "parallel_tool_calls": _or(conversation.parallel, True),
        "reasoning": thinking,
        "safety_identifier": conversation.end_user,
        "service_tier": _tier(conversation.tier),
        "store": False,
        "temperature": _or(conversation.temperature, 1.0),
        "text": {"format": {"type": "text"}, **(said_text(conversation) or {})},
        "tool_choice": _or(said_choice(conversation), "auto"),
        "tools": said_tools(conversation),
        "top_p": _or(conversation.top_p, 1.0),
        "usage": None,
        "user": extra.get("user"),
        **said,
    }


def _or(value: Any, usual: Any) -> Any:
    return usual if value is None else value


def _tier(tier: str | None) -> str:
    return tier if tier in TIERS else "auto"


def ended(
    response: Json, output: list[Json], finish: Finish | None, usage: Usage | None, tier: str | None
) -> Json:
    """Return the object of an answer that has ended (protocols.md 6.2).

    Without a finish it is incomplete: a stream that was cut is no success.
    """
    reason = _incomplete(finish, output)
    return {
        **response,
        "status": "completed" if reason is None else "incomplete",
        "incomplete_details": None if reason is None else {"reason": reason},
        "output": output,
        "service_tier": tier if tier in TIERS else response["service_tier"],
        "usage": None if usage is None else usage_fields(usage),
    }


def _incomplete(finish: Finish | None, output: list[Json]) -> str | None:
    """Return why an answer is incomplete, None for one that is not."""
    if finish is Finish.POLICY:
        # A refusal in words is an answer.
        return None if _refused(output) else "content_filter"
    if finish in {Finish.LENGTH, Finish.CONTEXT, Finish.PAUSED, None}:
        return "max_output_tokens"
    return None


def _refused(output: list[Json]) -> bool:
    messages = (item["content"] for item in output if item.get("type") == "message")
    return any(part.get("type") == "refusal" for content in messages for part in content)


def cut_off(finish: Finish | None) -> bool:
    """Say whether what was being written when the model stopped is incomplete."""
    return finish in {Finish.LENGTH, Finish.CONTEXT, Finish.PAUSED, None}
