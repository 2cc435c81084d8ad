"""Owns tools of chat requests, in both directions: declarations, the choice, web search.

The old `functions` and `function_call` are tools with a mark, so that an answer can be given in the
same way (`is_legacy`). Must not know messages.
"""

from types import MappingProxyType
from typing import Any

from tollbridge.protocols.abilities import Addressee
from tollbridge.protocols.chat_fields import (
    boolean_in,
    list_in,
    object_in,
    required,
    rest_of,
    text_in,
)
from tollbridge.protocols.conversation import (
    Conversation,
    Custom,
    Function,
    Json,
    ServerTool,
    Tool,
    ToolChoice,
    WebSearch,
    Wire,
)
from tollbridge.protocols.json_peek import FieldError
from tollbridge.protocols.losses import Losses, Untranslatable
from tollbridge.protocols.schema_rules import object_schema
from tollbridge.protocols.tool_names import ToolNames

_LEGACY = "functions"
# How another protocol's client wrote its tool, which says nothing beyond the schema.
_SPELLINGS = ("parameters", "group", "additional")
_MODES = ("auto", "none", "required")
_INPUT_SCHEMA = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
    "additionalProperties": False,
}
_CHOICES = MappingProxyType({Wire.GEMINI: "toolConfig"})
_PLACE = ("city", "region", "country", "timezone")


def is_legacy(conversation: Conversation) -> bool:
    """Say whether the client declared its tools as `functions`, and so expects a `function_call`."""
    return conversation.wire is Wire.CHAT and any(
        isinstance(tool, Function) and _LEGACY in tool.extra for tool in conversation.tools
    )


# ------------------------------------------------------------ reading


def read_tools(body: Json) -> list[Tool]:
    """Return all tools of a request; FieldError names what is malformed."""
    tools = [_tool(one, f"tools[{at}]") for at, one in enumerate(list_in(body, "tools"))]
    for at, one in enumerate(list_in(body, "functions")):
        function = _function(one, f"functions[{at}]")
        function.extra[_LEGACY] = True
        tools.append(function)
    options = object_in(body, "web_search_options")
    if options is not None:
        tools.append(_web_search(options))
    return tools


def _tool(given: Any, where: str) -> Tool:
    if not isinstance(given, dict):
        raise FieldError(where, "an object")
    kind = text_in(given, "type", f"{where}.") or "function"
    if kind == "function":
        tool = _function(given.get("function"), f"{where}.function")
        tool.cache = object_in(given, "cache_control", f"{where}.") or tool.cache
        beside = rest_of(given, "type", "function", "cache_control")
        if beside:
            tool.extra["tool"] = beside
        return tool
    if kind == "custom":
        custom = required(object_in(given, "custom", f"{where}."), f"{where}.custom", "an object")
        return Custom(
            name=required(
                text_in(custom, "name", f"{where}.custom."), f"{where}.custom.name", "a name"
            ),
            description=text_in(custom, "description", f"{where}.custom.") or "",
            format=_flat(object_in(custom, "format", f"{where}.custom.")),
        )
    if kind.startswith("web_search"):
        return _web_search(given)
    return ServerTool(wire=Wire.CHAT, kind=kind, raw=given)


def _function(given: Any, where: str) -> Function:
    if not isinstance(given, dict):
        raise FieldError(where, "an object")
    return Function(
        name=required(text_in(given, "name", f"{where}."), f"{where}.name", "a name"),
        description=text_in(given, "description", f"{where}.") or "",
        schema=object_in(given, "parameters", f"{where}."),
        strict=boolean_in(given, "strict", f"{where}."),
        cache=object_in(given, "cache_control", f"{where}."),
        extra=rest_of(given, "name", "description", "parameters", "strict", "cache_control"),
    )


def _web_search(given: Json) -> WebSearch:
    place = given.get("user_location")
    inner = place.get("approximate", place) if isinstance(place, dict) else None
    known = (
        {name: inner[name] for name in _PLACE if inner.get(name)} if isinstance(inner, dict) else {}
    )
    return WebSearch(wire=Wire.CHAT, raw=given, location=known or None)


def _flat(form: Json | None) -> Json | None:
    """Return a format as the other protocols write it: a grammar's fields beside its type."""
    inner = form.get("grammar") if form is not None else None
    return {"type": "grammar", **inner} if isinstance(inner, dict) else form


def read_choice(body: Json) -> ToolChoice | None:
    """Return the tool choice, also an old `function_call`; FieldError."""
    given = body.get("tool_choice")
    if given is None:
        given = body.get("function_call")
        if isinstance(given, dict):
            given = {"type": "function", "function": given}
    if given is None:
        return None
    if isinstance(given, str):
        # Some vendors say "any".
        mode = "required" if given == "any" else given
        for one in _MODES:
            if one == mode:
                return ToolChoice(mode=one)  # type: ignore[arg-type]
    elif isinstance(given, dict):
        return _choice_of(given)
    raise FieldError("tool_choice", "none, auto, required or an object")


def _choice_of(given: Json) -> ToolChoice:
    kind = given.get("type")
    name = _name_of(given)
    if name is not None:
        return ToolChoice(mode="named", names=[name])
    allowed = given.get("allowed_tools")
    if kind == "allowed_tools" and isinstance(allowed, dict):
        names = [_name_of(one) for one in list_in(allowed, "tools", "tool_choice.allowed_tools.")]
        if names and None not in names:
            return ToolChoice(
                mode="subset",
                names=[one for one in names if one is not None],
                required=allowed.get("mode") == "required",
            )
    return ToolChoice(mode="other", raw=given)


def _name_of(given: Any) -> str | None:
    for kind in ("function", "custom"):
        inner = given.get(kind) if isinstance(given, dict) else None
        name = inner.get("name") if isinstance(inner, dict) else None
        if isinstance(name, str) and name:
            return name
    return None


# ------------------------------------------------------------ writing


def write_tools(
    conversation: Conversation, to: Addressee, names: ToolNames, losses: Losses
) -> Json:
    """Return the fields of a request that declare tools and choose among them.

    Untranslatable for a tool that another vendor would have to run.
    """
    own = conversation.wire is Wire.CHAT
    if is_legacy(conversation):
        return _legacy_fields(conversation)
    fields, entries = _server_tools(conversation, losses, own=own)
    kinds: dict[str, Json] = {}
    # A compatible upstream may not know how to choose among all, so it gets only those.
    subset = _subset(conversation.choice) if to.compatible and not own else None
    for tool in conversation.tools:
        if isinstance(tool, (Function, Custom)) and (subset is None or tool.name in subset):
            custom = isinstance(tool, Custom) and not to.compatible
            kind = "custom" if custom else "function"
            entries.append(_entry(tool, kind, names, losses, own=own))
            outward = {"name": names.outward(tool.name, tool.namespace)}
            kinds[tool.name] = {"type": kind, kind: outward}
    if entries:
        fields["tools"] = entries
        if conversation.parallel is not None:
            fields["parallel_tool_calls"] = conversation.parallel
    wish = conversation.choice
    if wish is not None and wish.mode == "auto" and wish.raw is not None:
        losses.note("strict")
    field = _CHOICES.get(conversation.wire, "tool_choice")
    if wish is not None and (entries or own):
        choice = _choice_fields(wish, kinds, field, own=own, named=subset is None)
        if choice is not None:
            fields["tool_choice"] = choice
    return fields


def _server_tools(
    conversation: Conversation, losses: Losses, *, own: bool
) -> tuple[Json, list[Json]]:
    """Return the top-level fields and the entries of tools that the vendor runs."""
    fields: Json = {}
    entries: list[Json] = []
    for tool in conversation.tools:
        if isinstance(tool, ServerTool) and not own:
            raise Untranslatable("tools", f"Only its own vendor can run the tool {tool.kind}.")
        if isinstance(tool, WebSearch) and not (own and "type" in tool.raw):
            fields["web_search_options"] = tool.raw if own else _search_options(tool, losses)
        elif isinstance(tool, (ServerTool, WebSearch)):
            entries.append(tool.raw)
    return fields, entries


def is_custom(conversation: Conversation, name: str, to: Addressee) -> bool:
    """Say whether a tool is told to the upstream as one that takes free text."""
    return not to.compatible and any(
        isinstance(tool, Custom) and tool.name == name for tool in conversation.tools
    )


def _subset(choice: ToolChoice | None) -> list[str] | None:
    """Return the only tools that may be called, where the target cannot choose among all."""
    return choice.names if choice is not None and choice.mode == "subset" else None


def _entry(
    tool: Function | Custom, kind: str, names: ToolNames, losses: Losses, *, own: bool
) -> Json:
    name = names.outward(tool.name, tool.namespace)
    if isinstance(tool, Custom):
        if kind == "custom":
            custom: Json = {"name": name}
            if tool.description:
                custom["description"] = tool.description
            if tool.format is not None:
                custom["format"] = _nested(tool.format)
            return {"type": "custom", "custom": custom}
        names.customs.add(name)
        return _declared(name, _described(tool), _INPUT_SCHEMA, None)
    schema = tool.schema if own else object_schema(tool.schema or {})
    entry = _declared(name, tool.description, schema, tool.strict)
    if own:
        beside = tool.extra.get("tool", {})
        entry["function"].update(rest_of(tool.extra, "tool"))
        entry.update(beside)
        if tool.cache is not None:
            entry["cache_control"] = tool.cache
    else:
        if tool.cache is not None:
            losses.note("cache_hint")
        if rest_of(tool.extra, *_SPELLINGS):
            losses.note("tool_example")
    return entry


def _declared(name: str, description: str, schema: Json | None, strict: bool | None) -> Json:
    function: Json = {"name": name}
    if description:
        function["description"] = description
    if schema is not None:
        function["parameters"] = schema
    if strict is not None:
        function["strict"] = strict
    return {"type": "function", "function": function}


def _described(tool: Custom) -> str:
    """Return the description of a free-text tool, with the grammar that its text has to follow."""
    grammar = (tool.format or {}).get("definition")
    if not isinstance(grammar, str):
        return tool.description
    rule = f"The input has to follow this grammar:\n{grammar}"
    return f"{tool.description}\n\n{rule}" if tool.description else rule


def _nested(form: Json) -> Json:
    if form.get("type") != "grammar":
        return form
    return {"type": "grammar", "grammar": rest_of(form, "type")}


def _search_options(tool: WebSearch, losses: Losses) -> Json:
    if tool.domains or tool.blocked or tool.uses is not None:
        losses.note("search_option")
    options: Json = {}
    size = tool.raw.get("search_context_size")
    if size in {"low", "medium", "high"}:
        options["search_context_size"] = size
    place = (
        {name: tool.location[name] for name in _PLACE if tool.location.get(name)}
        if tool.location
        else {}
    )
    if place:
        options["user_location"] = {"type": "approximate", "approximate": place}
    return options


def _choice_fields(
    choice: ToolChoice, kinds: dict[str, Json], field: str, *, own: bool, named: bool
) -> str | Json | None:
    """Return the choice; None for one that cannot be kept because its tools are not declared."""
    if choice.mode == "other" and own:
        return choice.raw
    if choice.mode == "other":
        raise Untranslatable(field, "This model's vendor has no such choice of a tool.")
    if choice.mode in _MODES:
        return choice.mode
    if choice.mode == "subset" and not named:
        return "required" if choice.required else "auto"
    entries = [kinds[name] for name in choice.names if name in kinds]
    if not entries:
        return None
    if choice.mode == "named":
        return entries[0]
    mode = "required" if choice.required else "auto"
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": entries}}


def _legacy_fields(conversation: Conversation) -> Json:
    functions = [
        {
            **_declared(one.name, one.description, one.schema, one.strict)["function"],
            **rest_of(one.extra, _LEGACY),
        }
        for one in conversation.tools
        if isinstance(one, Function)
    ]
    fields: Json = {"functions": functions}
    choice = conversation.choice
    if choice is not None:
        fields["function_call"] = {"name": choice.names[0]} if choice.names else choice.mode
    return fields
