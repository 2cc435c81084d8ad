"""Owns the tools of an Anthropic request, and what of them the model must or may call.

Also the tool that stands for a bound answer where a model cannot be bound otherwise
(protocols.md 5.2, 5.5). Must not know turns.
"""

from typing import Final

import msgspec

from tollbridge.protocols.abilities import Abilities
from tollbridge.protocols.conversation import (
    Conversation,
    Custom,
    Format,
    Function,
    Json,
    ServerTool,
    Tool,
    ToolChoice,
    WebSearch,
    Wire,
)
from tollbridge.protocols.losses import Losses, Untranslatable
from tollbridge.protocols.schema_rules import object_schema
from tollbridge.protocols.tool_names import ToolNames

ANSWER_TOOL: Final = "answer_in_form"
"""The tool of a bound answer."""
_OURS: Final = "gateway"
"""Sets its name apart from those of the client's tools."""

_FREE_TEXT: Final[Json] = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
}
_SEARCH_FIELDS: Final = frozenset({
    "type", "name", "filters", "allowed_domains", "blocked_domains", "user_location", "max_uses",
    "excludeDomains", "exclude_domains",
})  # fmt: skip
_HINTS: Final = ("input_examples", "examples", "response", "responseJsonSchema")
_PLACES: Final = ("city", "region", "country", "timezone")


class Toolbox(msgspec.Struct):
    """What a request says of tools; `instruction` is what the model has to be told besides."""

    tools: list[Json]
    choice: Json | None = None
    instruction: str | None = None


def toolbox(
    conversation: Conversation,
    abilities: Abilities,
    names: ToolNames,
    losses: Losses,
    *,
    thinks: bool,
) -> Toolbox:
    """Return the tools and the choice; raises Untranslatable. A model that thinks cannot be forced."""
    choice = conversation.choice
    own = conversation.wire is Wire.MESSAGES
    bound = None if own or abilities.output_schema else conversation.format
    if bound is not None and bound.schema is not None:
        return _bound(conversation, bound, names, losses, thinks=thinks)
    chosen = _chosen(conversation.tools, choice)
    box = Toolbox([_tool(tool, names, losses, own=own) for tool in chosen])
    if box.tools:
        box.choice = _choice(conversation, names)
    if box.choice is not None and choice is not None and choice.mode == "auto" and choice.raw:
        losses.note("strict")
    if thinks:
        _unforce(box, losses)
    if box.tools and conversation.parallel is False:
        box.choice = box.choice or {"type": "auto"}
        if box.choice["type"] != "none":
            box.choice = {**box.choice, "disable_parallel_tool_use": True}
    elif own and conversation.parallel and box.choice and box.choice["type"] != "none":
        box.choice = {**box.choice, "disable_parallel_tool_use": False}
    return box


def _bound(
    conversation: Conversation,
    bound: Format,
    names: ToolNames,
    losses: Losses,
    *,
    thinks: bool,
) -> Toolbox:
    """Return the box with the tool that the answer is given by; forced only where it stands alone."""
    choice = conversation.choice
    none = choice is not None and choice.mode == "none"
    tools = [] if none else _chosen(conversation.tools, choice)
    box = Toolbox([_tool(tool, names, losses, own=False) for tool in tools])
    name = names.answer_tool = names.outward(ANSWER_TOOL, _OURS)
    description = bound.description or "Gives the answer in the form that is asked for."
    box.tools.append(
        {
            "name": name,
            "description": description,
            "input_schema": object_schema(bound.schema),
        }
    )
    if not thinks and not tools:
        box.choice = {"type": "tool", "name": name, "disable_parallel_tool_use": True}
        return box
    if choice is not None and choice.mode in {"required", "named"}:
        box.choice = _choice(conversation, names)
        if thinks:
            _unforce(box, losses)
    box.instruction = f"Give your final answer by calling the tool {name}, not as text."
    return box


def _unforce(box: Toolbox, losses: Losses) -> None:
    if box.choice is not None and box.choice["type"] in {"any", "tool"}:
        losses.note("tool_choice")
        box.choice = {"type": "auto"}


def _chosen(tools: list[Tool], choice: ToolChoice | None) -> list[Tool]:
    """Return the tools that the model may call: of a subset only its own and the vendor's."""
    if choice is None or choice.mode != "subset":
        return tools
    return [
        tool
        for tool in tools
        if not isinstance(tool, (Function, Custom)) or tool.name in choice.names
    ]


def _choice(conversation: Conversation, names: ToolNames) -> Json | None:
    choice = conversation.choice
    if choice is None:
        return None
    match choice.mode:
        case "none" | "auto":
            return {"type": choice.mode}
        case "required":
            return {"type": "any"}
        case "subset":
            return {"type": "any" if choice.required else "auto"}
        case "named":
            return _named(conversation, choice.names, names)
        case _:
            if conversation.wire is not Wire.MESSAGES:
                field = "toolConfig" if conversation.wire is Wire.GEMINI else "tool_choice"
                raise Untranslatable(field, "This choice of tools is not known there.")
            return choice.raw


def _named(conversation: Conversation, wished: list[str], names: ToolNames) -> Json | None:
    """Return the choice of one tool; a tool that is not there cannot be chosen."""
    for tool in conversation.tools:
        if isinstance(tool, (Function, Custom)) and tool.name in wished:
            return {"type": "tool", "name": names.outward(tool.name, tool.namespace)}
        if isinstance(tool, (ServerTool, WebSearch)) and tool.raw.get("name") in wished:
            return {"type": "tool", "name": tool.raw["name"]}
    return None


def _tool(tool: Tool, names: ToolNames, losses: Losses, *, own: bool) -> Json:
    if isinstance(tool, Function):
        return _function(tool, names, losses, own=own)
    if isinstance(tool, Custom):
        return _custom(tool, names)
    if tool.wire is Wire.MESSAGES:
        return tool.raw
    if isinstance(tool, WebSearch):
        return _search(tool, losses)
    raise Untranslatable(
        "tools", f"The tool {tool.kind} is run by another vendor; this model has none like it."
    )


def _function(tool: Function, names: ToolNames, losses: Losses, *, own: bool) -> Json:
    written: Json = {"name": names.outward(tool.name, tool.namespace)}
    if tool.description:
        written["description"] = tool.description
    if own:
        written["input_schema"] = tool.schema if tool.schema is not None else object_schema(None)
        if tool.strict is not None:
            written["strict"] = tool.strict
        written.update(tool.extra)
    else:
        written["input_schema"] = object_schema(tool.schema)
        if tool.strict:
            losses.note("strict")
        if any(tool.extra.get(name) for name in _HINTS):
            losses.note("tool_example")
    if tool.cache is not None:
        written["cache_control"] = tool.cache
    return written


def _custom(tool: Custom, names: ToolNames) -> Json:
    name = names.outward(tool.name, tool.namespace)
    names.customs.add(name)
    said = [tool.description] if tool.description else []
    grammar = (tool.format or {}).get("grammar", tool.format)
    if isinstance(grammar, dict) and isinstance(grammar.get("definition"), str):
        said.append(
            f"The input must follow this {grammar.get('syntax', '')} grammar:\n"
            + grammar["definition"]
        )
    written: Json = {"name": name, "input_schema": _FREE_TEXT}
    if said:
        written["description"] = "\n\n".join(said)
    return written


def _search(tool: WebSearch, losses: Losses) -> Json:
    """Return the vendor's own search; it takes domains to search or to leave out, not both."""
    written: Json = {"type": "web_search_20250305", "name": "web_search"}
    if tool.uses is not None:
        written["max_uses"] = tool.uses
    if tool.domains:
        written["allowed_domains"] = tool.domains
    elif tool.blocked:
        written["blocked_domains"] = tool.blocked
    location = tool.location or {}
    place = {name: location[name] for name in _PLACES if location.get(name)}
    if place:
        written["user_location"] = {"type": "approximate", **place}
    if (tool.domains and tool.blocked) or any(
        value and name not in _SEARCH_FIELDS for name, value in tool.raw.items()
    ):
        losses.note("search_option")
    return written
