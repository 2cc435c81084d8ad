"""Owns the writing of foreign tools and their choice in the Responses protocol (protocols.md 5.5).

Must not know turns or sampling.
"""

from collections.abc import Mapping
from types import MappingProxyType

from tollbridge.protocols.abilities import Addressee
from tollbridge.protocols.conversation import (
    Conversation,
    Custom,
    Function,
    Json,
    ServerTool,
    Tool,
    WebSearch,
    Wire,
)
from tollbridge.protocols.losses import Losses, Untranslatable
from tollbridge.protocols.responses_media import rest_of
from tollbridge.protocols.responses_tools import choice_fields
from tollbridge.protocols.schema_rules import object_schema
from tollbridge.protocols.tool_names import ToolNames

# How another protocol's client wrote its tool, which says nothing beyond the schema.
_SPELLINGS = ("functions", "parameters")
"""The extra of a tool that came in the chat protocol's former field; it says nothing of the tool."""
_CHOICES: Mapping[Wire, str] = MappingProxyType({Wire.GEMINI: "toolConfig"})


def tools_and_choice(
    conversation: Conversation, to: Addressee, names: ToolNames, losses: Losses
) -> Json:
    """Return the fields `tools`, `tool_choice` and `parallel_tool_calls`, as far as they say something."""
    tools = [_tool(tool, to, names, losses) for tool in conversation.tools]
    if not tools:
        return {}
    body: Json = {"tools": tools}
    choice = _choice(conversation, tools, names)
    if choice is not None:
        body["tool_choice"] = choice
    if conversation.choice is not None and choice == "auto" and conversation.choice.raw:
        losses.note("strict")
    if conversation.parallel is not None:
        body["parallel_tool_calls"] = conversation.parallel
    return body


def _tool(tool: Tool, to: Addressee, names: ToolNames, losses: Losses) -> Json:
    if isinstance(tool, ServerTool):
        raise Untranslatable("tools", f"This model's vendor has no tool {tool.kind!r}.")
    if isinstance(tool, WebSearch):
        return _search(tool, losses)
    if rest_of(tool.extra, *_SPELLINGS):
        losses.note("tool_example")
    name = names.outward(tool.name, tool.namespace)
    fields: Json = {"name": name}
    if tool.description:
        fields["description"] = tool.description
    if isinstance(tool, Function):
        if tool.cache:
            losses.note("cache_hint")
        # A schema that is not said not to be strict is taken for strict, and most are not fit for it.
        schema = object_schema(tool.schema or {})
        return {"type": "function", **fields, "parameters": schema, "strict": tool.strict or False}
    if to.compatible:
        names.customs.add(name)
        return {"type": "function", **fields, "parameters": _free_text(tool), "strict": False}
    form = {} if tool.format is None else {"format": tool.format}
    return {"type": "custom", **fields, **form}


def _free_text(tool: Custom) -> Json:
    """Return the schema of a tool that takes free text, for upstreams that know only functions."""
    text: Json = {"type": "string"}
    form = tool.format or {}
    if isinstance(form.get("definition"), str):
        text["description"] = (
            f"Text of this {form.get('syntax', '')} grammar:\n{form['definition']}"
        )
    return {
        "type": "object",
        "properties": {"input": text},
        "required": ["input"],
        "additionalProperties": False,
    }


def _search(tool: WebSearch, losses: Losses) -> Json:
    written: Json = {"type": "web_search"}
    if tool.domains:
        written["filters"] = {"allowed_domains": tool.domains}
    if tool.blocked or tool.uses is not None:
        losses.note("search_option")
    if tool.location:
        written["user_location"] = {"type": "approximate", **tool.location}
    size = tool.raw.get("search_context_size")
    return written if size is None else {**written, "search_context_size": size}


def _choice(conversation: Conversation, tools: list[Json], names: ToolNames) -> str | Json | None:
    """Return the choice; one of a tool that is not there is left out, for upstreams refuse it."""
    choice = conversation.choice
    if choice is None:
        return None
    if choice.mode == "other":
        field = _CHOICES.get(conversation.wire, "tool_choice")
        raise Untranslatable(field, "This model's vendor has no such choice of a tool.")
    kinds = {tool["name"]: tool["type"] for tool in tools if "name" in tool}
    spaces = {
        tool.name: tool.namespace
        for tool in conversation.tools
        if isinstance(tool, (Function, Custom))
    }
    outward = [names.outward(name, spaces.get(name, "")) for name in choice.names if name in spaces]
    chosen: list[Json] = [{"type": kinds[name], "name": name} for name in outward if name in kinds]
    if choice.mode in {"named", "subset"} and not chosen:
        return None
    return choice_fields(choice, chosen)
