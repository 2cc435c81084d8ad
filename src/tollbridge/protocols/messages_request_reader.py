"""Owns the reading of an Anthropic Messages request into the neutral model.

What the model has no name for stays in `extra`: top-level fields under their own names, those of a
nested object under the object's name. Must not know other protocols or models' abilities.
"""

from typing import Any, Final

from tollbridge.protocols.chat_fields import (
    boolean_in,
    integer_in,
    list_in,
    number_in,
    object_in,
    rest_of,
    text_in,
)
from tollbridge.protocols.conversation import (
    Conversation,
    Format,
    Function,
    Json,
    Role,
    ServerTool,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    Turn,
    WebSearch,
    Wire,
)
from tollbridge.protocols.json_peek import FieldError
from tollbridge.protocols.messages_blocks import read_content

BILLING: Final = "billing_header"
"""The key in a system text's `extra` by which other protocols' writers know what to leave out."""

_KNOWN: Final = (
    "model", "messages", "max_tokens", "system", "tools", "tool_choice", "stop_sequences",
    "temperature", "top_p", "top_k", "thinking", "output_config", "output_format", "metadata",
    "service_tier", "stream",
)  # fmt: skip
_ROLES: Final[dict[Any, Role]] = {"user": "user", "assistant": "assistant", "system": "system"}


def is_billing_header(text: str) -> bool:
    """Say whether a system text is a client's note for the vendor's own books, not for the model."""
    return text.lstrip().lower().startswith("x-anthropic-billing-header")


def read_request(body: Json) -> Conversation:
    """Read a request; FieldError names the field that is missing or of the wrong type."""
    model = text_in(body, "model")
    if not model:
        raise FieldError("model", "a model name")
    limit = integer_in(body, "max_tokens")
    if limit is None:
        raise FieldError("max_tokens", "an integer")
    config = object_in(body, "output_config") or {}
    metadata = object_in(body, "metadata") or {}
    choice, parallel = _choice(body)
    stops = list_in(body, "stop_sequences")
    if not all(isinstance(stop, str) for stop in stops):
        raise FieldError("stop_sequences", "an array of strings")
    extra = rest_of(body, *_KNOWN)
    for name, rest in (
        ("output_config", rest_of(config, "effort", "format")),
        ("metadata", rest_of(metadata, "user_id")),
    ):
        if rest:
            extra[name] = rest
    return Conversation(
        wire=Wire.MESSAGES,
        model=model,
        system=_system(body.get("system")),
        turns=_turns(body),
        tools=[_tool(tool, f"tools.{at}.") for at, tool in enumerate(list_in(body, "tools"))],
        choice=choice,
        parallel=parallel,
        max_output=limit,
        temperature=number_in(body, "temperature"),
        top_p=number_in(body, "top_p"),
        top_k=integer_in(body, "top_k"),
        stop=stops,
        thinking=_thinking(body, text_in(config, "effort", "output_config.")),
        format=_format(body, config),
        stream=boolean_in(body, "stream") or False,
        wants_usage=True,
        end_user=text_in(metadata, "user_id", "metadata."),
        tier=text_in(body, "service_tier"),
        extra=extra,
    )


def _system(given: Any) -> list[Text]:
    texts: list[Text] = []
    for index, part in enumerate(read_content(given, "system.")):
        if not isinstance(part, Text):
            raise FieldError(f"system.{index}.type", "text")
        if is_billing_header(part.text):
            part.extra = {**part.extra, BILLING: True}
        texts.append(part)
    return texts


def _turns(body: Json) -> list[Turn]:
    messages = body.get("messages")
    if not isinstance(messages, list):
        raise FieldError("messages", "an array")
    if not messages:
        raise FieldError("messages", "at least one message")
    return [_turn(message, f"messages.{at}.") for at, message in enumerate(messages)]


def _turn(message: Any, where: str) -> Turn:
    if not isinstance(message, dict):
        raise FieldError(where.rstrip("."), "an object with role and content")
    given = message.get("role")
    role = _ROLES.get(given) if isinstance(given, str) else None
    if role is None:
        raise FieldError(f"{where}role", '"user" or "assistant"')
    if message.get("content") is None:
        raise FieldError(f"{where}content", "a string or an array of content blocks")
    return Turn(
        role=role,
        parts=read_content(message["content"], f"{where}content."),
        extra=rest_of(message, "role", "content"),
    )


def _tool(tool: Any, where: str) -> Tool:
    if not isinstance(tool, dict):
        raise FieldError(where.rstrip("."), "an object")
    kind = text_in(tool, "type", where)
    if kind is not None and kind.startswith("web_search_"):
        return WebSearch(
            wire=Wire.MESSAGES,
            raw=tool,
            domains=_domains(tool, "allowed_domains", where),
            blocked=_domains(tool, "blocked_domains", where),
            uses=integer_in(tool, "max_uses", where),
            location=_location(tool, where),
        )
    if kind not in {None, "custom"}:
        return ServerTool(wire=Wire.MESSAGES, kind=kind or "", raw=tool)
    name = text_in(tool, "name", where)
    if not name:
        raise FieldError(f"{where}name", "the name of a tool")
    return Function(
        name=name,
        description=text_in(tool, "description", where) or "",
        schema=object_in(tool, "input_schema", where),
        strict=boolean_in(tool, "strict", where),
        cache=object_in(tool, "cache_control", where),
        extra=rest_of(
            tool, "type", "name", "description", "input_schema", "strict", "cache_control"
        ),
    )


def _domains(tool: Json, name: str, where: str) -> list[str] | None:
    domains = list_in(tool, name, where)
    if not all(isinstance(domain, str) for domain in domains):
        raise FieldError(where + name, "an array of domains")
    return domains or None


def _location(tool: Json, where: str) -> Json | None:
    location = object_in(tool, "user_location", where)
    return None if location is None else rest_of(location, "type")


def _choice(body: Json) -> tuple[ToolChoice | None, bool | None]:
    """Return the tool choice, and whether tools may be called at the same time."""
    given = object_in(body, "tool_choice")
    if given is None:
        return None, None
    alone = boolean_in(given, "disable_parallel_tool_use", "tool_choice.")
    parallel = None if alone is None else not alone
    match text_in(given, "type", "tool_choice."):
        case "auto":
            return ToolChoice(mode="auto"), parallel
        case "any":
            return ToolChoice(mode="required"), parallel
        case "none":
            return ToolChoice(mode="none"), parallel
        case "tool":
            name = text_in(given, "name", "tool_choice.")
            if not name:
                raise FieldError("tool_choice.name", "the name of a tool")
            return ToolChoice(mode="named", names=[name]), parallel
        case _:
            return ToolChoice(mode="other", raw=given), parallel


def _thinking(body: Json, effort: str | None) -> Thinking | None:
    given = object_in(body, "thinking")
    if given is None:
        return None if effort is None else Thinking(effort=effort)
    kind = text_in(given, "type", "thinking.")
    if not kind:
        raise FieldError("thinking.type", '"enabled", "adaptive" or "disabled"')
    display = text_in(given, "display", "thinking.")
    known = ["budget_tokens"]
    if kind in {"enabled", "adaptive", "disabled"}:
        known.append("type")
    if display in _DISPLAYS:
        known.append("display")
    return Thinking(
        effort=effort,
        budget=integer_in(given, "budget_tokens", "thinking."),
        enabled=kind != "disabled",
        adaptive=kind == "adaptive",
        shown=_DISPLAYS.get(display or ""),
        extra=rest_of(given, *known),
    )


_DISPLAYS: Final = {"summarized": True, "omitted": False}


def _format(body: Json, config: Json) -> Format | None:
    """Return the answer's form; an older beta has it at the top level."""
    for given, where in (
        (object_in(config, "format", "output_config."), "output_config.format."),
        (object_in(body, "output_format"), "output_format."),
    ):
        if given is None:
            continue
        if given.get("type") != "json_schema":
            raise FieldError(f"{where}type", '"json_schema"')
        return Format(kind="schema", schema=object_in(given, "schema", where))
    return None
