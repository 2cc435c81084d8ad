"""Owns the tools of the Responses protocol as its clients write them, both ways.

Namespaces and tools that stand in the input are flattened into one list and put together again.
Must not know other protocols' tools.
"""

from typing import Any, Final

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
from tollbridge.protocols.facts import text_or_none
from tollbridge.protocols.json_peek import FieldError
from tollbridge.protocols.responses_media import rest_of

ADDITIONAL: Final = "additional"
"""The extra of a tool that an `additional_tools` item brought: where it stood and what else it said."""
_NAMESPACE: Final = "group"
_MODES: Final = frozenset({"auto", "none", "required"})
_NAMED: Final = ("function", "custom")


def read_tools(given: list[Any], where: str) -> list[Tool]:
    """Return the tools of a list; FieldError for what is none, named as `where[index]`."""
    tools: list[Tool] = []
    for index, one in enumerate(given):
        place = f"{where}[{index}]"
        kind = text_or_none(one.get("type")) if isinstance(one, dict) else None
        if kind is None:
            raise FieldError(place, "an object with a type")
        if kind == "namespace" and one.get("tools"):
            tools += _namespace(one, place)
        else:
            tools.append(_tool(one, kind, place))
    return tools


def _namespace(given: Json, where: str) -> list[Tool]:
    name, inner = text_or_none(given.get("name")), given["tools"]
    if name is None:
        raise FieldError(f"{where}.name", "a non-empty string")
    if not isinstance(inner, list):
        raise FieldError(f"{where}.tools", "an array")
    tools: list[Tool] = []
    for tool in read_tools(inner, f"{where}.tools"):
        if not isinstance(tool, (Function, Custom)):
            raise FieldError(f"{where}.tools", "an array of functions and custom tools")
        tool.namespace = name
        tool.extra[_NAMESPACE] = rest_of(given, "type", "name", "tools")
        tools.append(tool)
    return tools


def _tool(given: Json, kind: str, where: str) -> Tool:
    if kind in _NAMED:
        inner = given.get(kind)
        if isinstance(inner, dict):
            # The form of chat completions, which compatible upstreams take too.
            given = {"type": kind, **inner}
        if text_or_none(given.get("name")) is None:
            raise FieldError(f"{where}.name", "a non-empty string")
        return _function(given, where) if kind == "function" else _custom(given)
    return _search(given) if kind.startswith("web_search") else _hosted(given, kind)


def _function(given: Json, where: str) -> Function:
    schema = given.get("parameters")
    if schema is not None and not isinstance(schema, dict):
        raise FieldError(f"{where}.parameters", "an object")
    strict = given.get("strict")
    return Function(
        name=given["name"],
        description=text_or_none(given.get("description")) or "",
        schema=schema,
        strict=strict if isinstance(strict, bool) else None,
        extra=rest_of(given, "type", "name", "description", "parameters", "strict"),
    )


def _custom(given: Json) -> Custom:
    form = given.get("format")
    return Custom(
        name=given["name"],
        description=text_or_none(given.get("description")) or "",
        format=form if isinstance(form, dict) else None,
        extra=rest_of(given, "type", "name", "description", "format"),
    )


def _search(given: Json) -> WebSearch:
    filters, place = given.get("filters"), given.get("user_location")
    filters = filters if isinstance(filters, dict) else {}
    return WebSearch(
        wire=Wire.RESPONSES,
        raw=given,
        domains=_texts(filters.get("allowed_domains")),
        blocked=_texts(filters.get("blocked_domains")),
        location=rest_of(place, "type") if isinstance(place, dict) else None,
    )


def _texts(value: object) -> list[str] | None:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else None


def _hosted(given: Json, kind: str) -> ServerTool:
    return ServerTool(wire=Wire.RESPONSES, kind=kind, raw=given)


def read_choice(given: Any) -> ToolChoice | None:
    """Return the choice of a tool; one that no other protocol has stays as it is; FieldError."""
    if given is None:
        return None
    if isinstance(given, str) and given in _MODES:
        return ToolChoice(mode=given)  # type: ignore[arg-type]
    if not isinstance(given, dict):
        raise FieldError("tool_choice", "auto, none, required or an object")
    name = _named(given)
    if name is not None:
        return ToolChoice(mode="named", names=[name])
    listed = given.get("tools")
    listed = listed if isinstance(listed, list) else []
    names = [_named(one) if isinstance(one, dict) else None for one in listed]
    if given.get("type") == "allowed_tools" and names and None not in names:
        required = given.get("mode") == "required"
        return ToolChoice(mode="subset", names=[one for one in names if one], required=required)
    return ToolChoice(mode="other", raw=given)


def _named(given: Json) -> str | None:
    kind = given.get("type")
    if kind not in _NAMED:
        return None
    inner = given.get(kind)
    return text_or_none((inner if isinstance(inner, dict) else given).get("name"))


# ------------------------------------------------------------ as the client said it


def said_tools(conversation: Conversation) -> list[Json]:
    """Return the tools as a client of this protocol writes them, those of its input left out."""
    return written([one for one in conversation.tools if _additional(one) is None])


def said_additions(conversation: Conversation) -> list[tuple[int, Json]]:
    """Return the `additional_tools` items with their places in the input."""
    groups: dict[int, list[Tool]] = {}
    fields: dict[int, Json] = {}
    for tool in conversation.tools:
        addition = _additional(tool)
        if addition is not None:
            groups.setdefault(addition["at"], []).append(tool)
            fields[addition["at"]] = addition["item"]
    return [(at, {**fields[at], "tools": written(tools)}) for at, tools in sorted(groups.items())]


def _additional(tool: Tool) -> Json | None:
    found = tool.extra.get(ADDITIONAL) if isinstance(tool, (Function, Custom)) else None
    return found if isinstance(found, dict) else None


def written(tools: list[Tool]) -> list[Json]:
    """Return tools in this protocol's form; those of one namespace are put together again."""
    found: list[Json] = []
    for tool in tools:
        if not isinstance(tool, (Function, Custom)):
            found.append(tool.raw)
        elif not tool.namespace:
            found.append(tool_fields(tool))
        elif found and (found[-1].get("type"), found[-1].get("name")) == (
            "namespace",
            tool.namespace,
        ):
            found[-1]["tools"].append(tool_fields(tool))
        else:
            group = {"description": "", **(tool.extra.get(_NAMESPACE) or {})}
            inner = [tool_fields(tool)]
            found.append({"type": "namespace", "name": tool.namespace, **group, "tools": inner})
    return found


def tool_fields(tool: Function | Custom) -> Json:
    """Return one tool in this protocol's form."""
    extra = rest_of(tool.extra, _NAMESPACE, ADDITIONAL)
    fields: Json = {"name": tool.name}
    if tool.description:
        fields["description"] = tool.description
    if isinstance(tool, Custom):
        form = {} if tool.format is None else {"format": tool.format}
        return {"type": "custom", **fields, **form, **extra}
    if tool.strict is not None:
        fields["strict"] = tool.strict
    if tool.schema is not None:
        fields["parameters"] = tool.schema
    return {"type": "function", **fields, **extra}


def said_choice(conversation: Conversation) -> str | Json | None:
    """Return the choice of a tool in this protocol's form, None where the client did not say."""
    choice = conversation.choice
    if choice is None:
        return None
    if choice.mode == "other":
        return choice.raw
    customs = {tool.name for tool in conversation.tools if isinstance(tool, Custom)}
    chosen = [
        {"type": "custom" if name in customs else "function", "name": name} for name in choice.names
    ]
    return choice_fields(choice, chosen)


def choice_fields(choice: ToolChoice, chosen: list[Json]) -> str | Json:
    """Return a choice in this protocol's form; `chosen` are its tools."""
    if choice.mode == "named" and chosen:
        return chosen[0]
    if choice.mode == "subset":
        mode = "required" if choice.required else "auto"
        return {"type": "allowed_tools", "mode": mode, "tools": chosen}
    return choice.mode
