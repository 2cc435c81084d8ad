"""Owns the reading of the tools of a Gemini request, and of which of them may be called.

Raises FieldError with the field's name. Must not know contents or settings.
"""

from typing import Final

from tollbridge.protocols.chat_fields import list_in, object_in, rest_of, text_in
from tollbridge.protocols.conversation import (
    Function,
    Json,
    ServerTool,
    Tool,
    ToolChoice,
    WebSearch,
    Wire,
)
from tollbridge.protocols.gemini_names import spelled
from tollbridge.protocols.gemini_schemas import json_schema
from tollbridge.protocols.json_peek import FieldError

_SEARCHES: Final = frozenset({"googleSearch", "googleSearchRetrieval"})
_CALLING: Final = "functionCallingConfig"


def read_tools(body: Json) -> list[Tool]:
    """Return the tools in their order. Those of Google's own are told apart by their field."""
    tools: list[Tool] = []
    for at, given in enumerate(list_in(body, "tools")):
        where = f"tools[{at}]"
        if not isinstance(given, dict):
            raise FieldError(where, "an object")
        for name, value in spelled(given).items():
            if name == "functionDeclarations":
                declared = list_in({name: value}, name, where + ".")
                tools += [_function(one, f"{where}.{name}[{i}]") for i, one in enumerate(declared)]
            elif value is not None:
                tools.append(_own(name, value))
    return tools


def _own(name: str, value: object) -> Tool:
    if name not in _SEARCHES:
        return ServerTool(wire=Wire.GEMINI, kind=name, raw={name: value})
    blocked = spelled(value).get("excludeDomains")
    return WebSearch(
        wire=Wire.GEMINI,
        raw={name: value},
        blocked=blocked if isinstance(blocked, list) and blocked else None,
    )


def _function(given: object, where: str) -> Function:
    if not isinstance(given, dict):
        raise FieldError(where, "an object")
    fields = spelled(given)
    name = text_in(fields, "name", where + ".")
    if not name:
        raise FieldError(where + ".name", "a function's name")
    schema = object_in(fields, "parametersJsonSchema", where + ".")
    extra = rest_of(fields, "name", "description", "parametersJsonSchema")
    if schema is None:
        own = object_in(fields, "parameters", where + ".")
        schema = None if own is None else json_schema(own)
    return Function(
        name=name,
        description=text_in(fields, "description", where + ".") or "",
        schema=schema,
        extra=extra,
    )


def read_choice(body: Json) -> tuple[ToolChoice | None, Json]:
    """Return which tools may be called, and what else the tools' settings say."""
    config = spelled(object_in(body, "toolConfig"))
    calling = spelled(object_in(config, _CALLING, "toolConfig."))
    where = f"toolConfig.{_CALLING}."
    mode = (text_in(calling, "mode", where) or "").upper()
    names = list_in(calling, "allowedFunctionNames", where)
    if not all(isinstance(name, str) for name in names):
        raise FieldError(where + "allowedFunctionNames", "an array of strings")
    rest = rest_of(config, _CALLING)
    more = rest_of(calling, "mode", "allowedFunctionNames")
    if more:
        rest[_CALLING] = more
    return _choice(mode, names), rest


def _choice(mode: str, names: list[str]) -> ToolChoice | None:
    if mode in {"", "MODE_UNSPECIFIED"} and not names:
        return None
    if mode == "NONE":
        return ToolChoice(mode="none")
    if mode == "ANY" and len(names) == 1:
        return ToolChoice(mode="named", names=names)
    if mode in {"ANY", "VALIDATED"} and names:
        return ToolChoice(mode="subset", names=names, required=mode == "ANY")
    if mode == "ANY":
        return ToolChoice(mode="required")
    if mode in {"AUTO", "VALIDATED"} and not names:
        # Validated is as free, but calls are sure to fit their schemas.
        return ToolChoice(mode="auto", raw=None if mode == "AUTO" else {"mode": mode})
    raw = {"mode": mode, **({"allowedFunctionNames": names} if names else {})}
    return ToolChoice(mode="other", raw=raw)
