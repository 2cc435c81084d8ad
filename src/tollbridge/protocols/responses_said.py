"""Owns the writing of a request of the Responses protocol for the same protocol: nothing is lost.

Only the carriers of other vendors stay behind, which nobody here could read. Must not know models'
abilities.
"""

from typing import Final

from tollbridge.protocols.conversation import (
    Call,
    Conversation,
    Format,
    Image,
    Json,
    Opaque,
    Part,
    Reasoning,
    Result,
    Text,
    Thinking,
    Turn,
    Vendor,
)
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.responses_media import ITEM, content_of, is_content, rest_of
from tollbridge.protocols.responses_tools import said_additions, said_choice, said_tools

INSTRUCTIONS: Final = "instructions"


def said_request(conversation: Conversation, model: str, losses: Losses) -> Json:
    """Return the request as its client said it, for another model."""
    body: Json = {"model": model, "input": said_items(conversation, losses), **conversation.extra}
    optional = {
        INSTRUCTIONS: said_instructions(conversation),
        "tools": said_tools(conversation) or None,
        "tool_choice": said_choice(conversation),
        "parallel_tool_calls": conversation.parallel,
        "max_output_tokens": conversation.max_output,
        "temperature": conversation.temperature,
        "top_p": conversation.top_p,
        "reasoning": said_thinking(conversation.thinking),
        "text": said_text(conversation),
        "stream": conversation.stream or None,
        "service_tier": conversation.tier,
        "safety_identifier": conversation.end_user,
        "top_logprobs": conversation.logprobs or None,
    }
    body.update({name: value for name, value in optional.items() if value is not None})
    body.pop("verbosity", None)
    return body


def said_instructions(conversation: Conversation) -> str | None:
    """Return the request's own field for instructions."""
    said = [text.text for text in conversation.system if text.extra.get("role") == INSTRUCTIONS]
    return said[0] if said else None


def said_thinking(thinking: Thinking | None) -> Json | None:
    """Return how much is to be thought, in this protocol's words."""
    if thinking is None:
        return None
    fields = {"effort": thinking.effort, "summary": thinking.summary}
    return {**{name: one for name, one in fields.items() if one is not None}, **thinking.extra}


def said_text(conversation: Conversation) -> Json | None:
    """Return the form of the answer, in this protocol's words."""
    extra = conversation.extra
    text: Json = {}
    if conversation.format is not None:
        text["format"] = format_fields(conversation.format)
    if extra.get("verbosity") is not None:
        text["verbosity"] = extra["verbosity"]
    rest = extra.get("text")
    return {**text, **(rest if isinstance(rest, dict) else {})} or None


def format_fields(wanted: Format) -> Json:
    """Return the form of the answer; a schema needs a name (protocols.md 5.2)."""
    if wanted.kind == "json":
        return {"type": "json_object"}
    fields: Json = {"type": "json_schema", "name": wanted.name or "response"}
    if wanted.description:
        fields["description"] = wanted.description
    fields["schema"] = wanted.schema or {}
    return fields if wanted.strict is None else {**fields, "strict": wanted.strict}


# ------------------------------------------------------------ the input


def said_items(conversation: Conversation, losses: Losses) -> list[Json]:
    """Return the items of the input, those with tools at their places."""
    items = _leading(conversation.system)
    for turn in conversation.turns:
        items += _turn(turn, losses)
    for at, addition in said_additions(conversation):
        items.insert(at, addition)
    return items


def _leading(system: list[Text]) -> list[Json]:
    """Return the leading messages that instruct; a text without a role continues the one before."""
    found: list[tuple[Json, list[Part]]] = []
    for text in system:
        role = text.extra.get("role")
        if role == INSTRUCTIONS:
            continue
        if role or not found:
            head = {**(text.extra.get(ITEM) or {}), "role": role or "developer"}
            found.append((head, []))
        found[-1][1].append(Text(text=text.text, extra=rest_of(text.extra, "role", ITEM)))
    return [{**head, "content": _content(parts, head)} for head, parts in found]


def _turn(turn: Turn, losses: Losses) -> list[Json]:
    items: list[Json] = []
    run: list[Part] = []
    for part in turn.parts:
        if is_content(part):
            run.append(part)
            continue
        if run:
            items.append(_message(turn, run))
            run = []
        item = _item(part, losses)
        if item is not None:
            items.append(item)
    return [*items, _message(turn, run)] if run else items


def _message(turn: Turn, parts: list[Part]) -> Json:
    head = {"role": turn.role, **turn.extra}
    return {**head, "content": _content(parts, head)}


def _content(parts: list[Part], head: Json) -> str | list[Json]:
    """Return the content; a lone text without anything else needs no list."""
    first = parts[0]
    if (
        len(parts) == 1
        and isinstance(first, Text)
        and not (first.extra or first.citations or "id" in head)
    ):
        return first.text
    return content_of(parts, assistant=head["role"] == "assistant")


def _item(part: Part, losses: Losses) -> Json | None:
    if isinstance(part, Call):
        return call_fields(part)
    if isinstance(part, Result):
        kind = "custom_tool_call_output" if part.custom else "function_call_output"
        return {"type": kind, "call_id": part.call_id, "output": _output(part), **part.extra}
    if isinstance(part, Reasoning):
        return _reasoning(part, losses)
    if isinstance(part, Image):
        return {"type": "image_generation_call", "result": part.data, **part.extra[ITEM]}
    return part.raw if isinstance(part, Opaque) else None


def call_fields(call: Call) -> Json:
    """Return a call as an item."""
    kind = ("custom_tool_call", "input") if call.custom else ("function_call", "arguments")
    space = {"namespace": call.namespace} if call.namespace else {}
    head = {"type": kind[0], "call_id": call.id, "name": call.name, **space}
    return {**head, kind[1]: call.arguments, **call.extra}


def _output(result: Result) -> str | list[Json]:
    parts = result.parts
    if not parts:
        return ""
    first = parts[0]
    if len(parts) == 1 and isinstance(first, Text) and not first.extra:
        return first.text
    return content_of(parts, assistant=False)


def _reasoning(part: Reasoning, losses: Losses) -> Json | None:
    if part.carrier is not None and part.carrier.vendor is not Vendor.OPENAI:
        losses.note("carrier")
        return None
    fields: Json = {"type": "reasoning", "summary": []}
    if part.texts and part.summary:
        fields["summary"] = [{"type": "summary_text", "text": text} for text in part.texts]
    elif part.texts:
        fields["content"] = [{"type": "reasoning_text", "text": text} for text in part.texts]
    if part.carrier is not None:
        fields["encrypted_content"] = part.carrier.payload
    return {**fields, **part.extra}
