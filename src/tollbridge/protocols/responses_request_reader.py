"""Owns the reading of a request of the Responses protocol into the neutral model (protocols.md 5).

Everything that the model has no name for stays in `extra` as the client wrote it. Malformed input
is refused with the field's name. Must not know who will be asked.
"""

from typing import Any, Final

from tollbridge.protocols.chat_fields import (
    boolean_in,
    integer_in,
    list_in,
    number_in,
    object_in,
    text_in,
)
from tollbridge.protocols.conversation import (
    Conversation,
    Custom,
    Format,
    Function,
    Json,
    Part,
    Role,
    Text,
    Thinking,
    Tool,
    Turn,
    Wire,
)
from tollbridge.protocols.facts import text_or_none
from tollbridge.protocols.json_peek import FieldError
from tollbridge.protocols.responses_items import CALLS, RESULTS, is_message, part_of
from tollbridge.protocols.responses_media import is_content, parts_of, rest_of
from tollbridge.protocols.responses_tools import ADDITIONAL, read_choice, read_tools

LOGPROBS: Final = "message.output_text.logprobs"
INSTRUCTIONS: Final = "instructions"

_KNOWN: Final = (
    "model",
    "input",
    INSTRUCTIONS,
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "max_output_tokens",
    "temperature",
    "top_p",
    "reasoning",
    "text",
    "stream",
    "service_tier",
    "safety_identifier",
    "user",
)
_SYSTEM: Final = frozenset({"system", "developer"})
_ROLES: Final = frozenset({"user", "assistant", *_SYSTEM})


def read_request(body: Json) -> Conversation:
    """Return what a request asks for; FieldError with the field's name for malformed input."""
    system, turns, added = _input(body)
    extra = rest_of(body, *_KNOWN)
    reasoning, text = object_in(body, "reasoning"), object_in(body, "text") or {}
    if text.get("verbosity") is not None:
        extra["verbosity"] = text["verbosity"]
    if rest_of(text, "format", "verbosity"):
        extra["text"] = rest_of(text, "format", "verbosity")
    end_user, identifier = text_in(body, "user"), text_in(body, "safety_identifier")
    if end_user and identifier:
        extra["user"] = end_user
    return Conversation(
        wire=Wire.RESPONSES,
        model=text_in(body, "model") or "",
        system=system,
        turns=turns,
        tools=read_tools(list_in(body, "tools"), "tools") + added,
        choice=read_choice(body.get("tool_choice")),
        parallel=boolean_in(body, "parallel_tool_calls"),
        max_output=integer_in(body, "max_output_tokens"),
        temperature=number_in(body, "temperature"),
        top_p=number_in(body, "top_p"),
        logprobs=_logprobs(body),
        thinking=None if reasoning is None else _thinking(reasoning),
        format=_format(object_in(text, "format", "text.")),
        stream=boolean_in(body, "stream") or False,
        wants_usage=True,
        end_user=identifier or end_user,
        tier=text_in(body, "service_tier"),
        extra=extra,
    )


def _logprobs(body: Json) -> int | None:
    if LOGPROBS not in list_in(body, "include"):
        return None
    return integer_in(body, "top_logprobs") or 0


def _thinking(given: Json) -> Thinking:
    summary = text_in(given, "summary", "reasoning.") or text_in(
        given, "generate_summary", "reasoning."
    )
    return Thinking(
        effort=text_in(given, "effort", "reasoning."),
        summary=summary,
        shown=summary is not None,
        extra=rest_of(given, "effort", "summary", "generate_summary"),
    )


def _format(given: Json | None) -> Format | None:
    kind = None if given is None else text_in(given, "type", "text.format.")
    if given is None or kind in {None, "text"}:
        return None
    if kind == "json_object":
        return Format(kind="json")
    if kind != "json_schema":
        raise FieldError("text.format.type", "text, json_object or json_schema")
    return Format(
        kind="schema",
        name=text_in(given, "name", "text.format.") or "",
        description=text_in(given, "description", "text.format.") or "",
        schema=object_in(given, "schema", "text.format."),
        strict=boolean_in(given, "strict", "text.format."),
    )


# ------------------------------------------------------------ the input


def _input(body: Json) -> tuple[list[Text], list[Turn], list[Tool]]:
    """Return the instructions, the turns, and the tools that stand between them."""
    system: list[Text] = []
    said = text_in(body, INSTRUCTIONS)
    if said:
        system.append(Text(text=said, extra={"role": INSTRUCTIONS}))
    given = body.get("input")
    if isinstance(given, str):
        return system, [Turn(role="user", parts=[Text(text=given)])], []
    if given is not None and not isinstance(given, list):
        raise FieldError("input", "a string or an array")
    turns: list[Turn] = []
    tools: list[Tool] = []
    for index, item in enumerate(given or []):
        where = f"input[{index}]"
        if not isinstance(item, dict):
            raise FieldError(where, "an object")
        added = _additional(item, index, where)
        if added is not None:
            tools += added
        elif is_message(item):
            _message(item, where, system, turns)
        else:
            _add(turns, _role(item), [_checked(item, where)])
    return system, turns, tools


def _additional(item: Json, index: int, where: str) -> list[Tool] | None:
    """Return the tools of an `additional_tools` item; None when it has others than the client's own."""
    if item.get("type") != "additional_tools":
        return None
    tools = read_tools(list_in(item, "tools", f"{where}."), f"{where}.tools")
    for tool in tools:
        if not isinstance(tool, (Function, Custom)):
            return None
        tool.extra[ADDITIONAL] = {"at": index, "item": rest_of(item, "tools")}
    return tools or None


def _message(item: Json, where: str, system: list[Text], turns: list[Turn]) -> None:
    role, content = text_or_none(item.get("role")), item.get("content")
    if role not in _ROLES:
        raise FieldError(f"{where}.role", "user, assistant, system or developer")
    if not isinstance(content, (str, list)):
        raise FieldError(f"{where}.content", "a string or an array")
    parts = parts_of(content)
    if isinstance(content, list) and len(parts) != len(content):
        raise FieldError(f"{where}.content", "an array of objects")
    fields = rest_of(item, "role", "content")
    if role not in _SYSTEM:
        _add(turns, "user" if role == "user" else "assistant", parts, fields)
        return
    texts = [part for part in parts if isinstance(part, Text)]
    if turns or len(texts) != len(parts):
        _add(turns, "system", parts, {**fields, "role": role})
        return
    for index, text in enumerate(texts):
        text.extra |= {"role": "" if index else role} | ({} if index else {"item": fields})
    system += texts


def _add(turns: list[Turn], role: Role, parts: list[Part], message: Json | None = None) -> None:
    """Add what an item says; a turn has at most one message, whose other fields are its extra."""
    if not parts:
        return
    last = turns[-1] if turns else None
    if last is None or last.role != role or (message is not None and _has_message(last)):
        turns.append(Turn(role=role, parts=parts, extra=message or {}))
        return
    last.parts += parts
    if message is not None:
        last.extra = message


def _has_message(turn: Turn) -> bool:
    return any(is_content(part) for part in turn.parts)


def _checked(item: Json, where: str) -> Part:
    """Return what an item says; FieldError where a call or a result lacks what it needs."""
    kind = item["type"]
    if not isinstance(kind, str) or not kind:
        raise FieldError(f"{where}.type", "a non-empty string")
    needed: tuple[str, ...] = ()
    if kind in CALLS:
        needed = ("call_id", "name", "input" if kind == "custom_tool_call" else "arguments")
    elif kind in RESULTS:
        needed = ("call_id",)
        if not isinstance(item.get("output"), (str, list)):
            raise FieldError(f"{where}.output", "a string or an array")
    for name in needed:
        if not isinstance(item.get(name), str):
            raise FieldError(f"{where}.{name}", "a string")
    return part_of(item)


def _role(item: Json) -> Role:
    kind: Any = item["type"]
    from_user = isinstance(kind, str) and (kind.endswith(("_output", "_response")))
    return "user" if from_user else "assistant"
