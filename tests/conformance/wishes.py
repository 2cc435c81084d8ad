"""Owns what a request asks for, read by hand as a list of fields that any protocol has.

Two requests of different protocols that ask for the same have the same wishes. Knows nothing of the
code under test.
"""

import json
from collections.abc import Iterable
from typing import Any

from tests.conformance import sameness


def wishes(wire: str, body: Any) -> dict[str, Any]:
    """Return what a request asks for, by field; what it does not say is left out."""
    found = _READERS[wire](sameness.normal(wire, json.loads(json.dumps(body))))
    found["turns"] = _merged(turn for turn in found["turns"] if turn[1])
    return {name: value for name, value in found.items() if value not in (None, [], {}, "")}


def _merged(turns: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Join the texts of one role that follow one another: where a text is cut has no meaning."""
    made: list[tuple[str, Any]] = []
    for role, said in turns:
        if made and made[-1][0] == role and role in {"user", "assistant"}:
            made[-1] = role, made[-1][1] + said
        else:
            made.append((role, said))
    return made


def _texts(content: Any, *kinds: str) -> str:
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content or () if part.get("type") in kinds)


def _chat(body: Any) -> dict[str, Any]:
    form = body.get("response_format", {})
    bound = form.get("json_schema", {})
    functions = [tool["function"] for tool in body.get("tools", ()) if "function" in tool]
    choice = body.get("tool_choice")
    if isinstance(choice, dict):
        choice = choice["function"]["name"]
    system = [one for one in body["messages"] if one["role"] in {"system", "developer"}]
    return {
        "system": "\n".join(_texts(one["content"], "text") for one in system),
        "turns": [turn for one in body["messages"] for turn in _chat_turns(one)],
        "tools": {one["name"]: _bare(one.get("parameters")) for one in functions},
        "choice": choice,
        "parallel": body.get("parallel_tool_calls"),
        "limit": body.get("max_completion_tokens"),
        "temperature": body.get("temperature"),
        "top_p": body.get("top_p"),
        "stop": [body["stop"]] if isinstance(body.get("stop"), str) else body.get("stop"),
        "format": "json" if form.get("type") == "json_object" else _bare(bound.get("schema")),
        "effort": body.get("reasoning_effort"),
        "stream": body.get("stream"),
        "user": body.get("safety_identifier"),
        "search": "web_search_options" in body or None,
    }


def _chat_turns(message: Any) -> Any:
    if message["role"] in {"system", "developer"}:
        return
    if message["role"] == "tool":
        yield "result", _texts(message["content"], "text")
        return
    yield message["role"], _texts(message["content"], "text")
    for call in message.get("tool_calls", ()):
        function = call["function"]
        yield "call", [function["name"], json.loads(function["arguments"])]


def _responses(body: Any) -> dict[str, Any]:
    system = [body.get("instructions", "")]
    turns: list[Any] = []
    for item in body["input"]:
        kind = item.get("type", "message")
        if kind == "function_call":
            turns.append(("call", [item["name"], json.loads(item["arguments"])]))
        elif kind == "function_call_output":
            turns.append(("result", _texts(item["output"], "input_text")))
        elif kind == "message":
            text = _texts(item["content"], "input_text", "output_text")
            if item["role"] in {"system", "developer"}:
                system.append(text)
            else:
                turns.append((item["role"], text))
    form = body.get("text", {}).get("format", {})
    choice = body.get("tool_choice")
    functions = [tool for tool in body["tools"] if tool["type"] == "function"]
    return {
        "system": "\n".join(one for one in system if one),
        "turns": turns,
        "tools": {one["name"]: _bare(one.get("parameters")) for one in functions},
        "choice": choice["name"] if isinstance(choice, dict) else choice,
        "parallel": body.get("parallel_tool_calls"),
        "limit": body.get("max_output_tokens"),
        "temperature": body.get("temperature"),
        "top_p": body.get("top_p"),
        "format": "json" if form.get("type") == "json_object" else _bare(form.get("schema")),
        "effort": body.get("reasoning", {}).get("effort"),
        "stream": body.get("stream"),
        "user": body.get("safety_identifier"),
        "search": any(tool["type"].startswith("web_search") for tool in body["tools"]) or None,
    }


def _messages(body: Any) -> dict[str, Any]:
    functions = [tool for tool in body.get("tools", ()) if "input_schema" in tool]
    choice = body.get("tool_choice", {})
    named = {"any": "required", "tool": choice.get("name")}
    serial = choice.get("disable_parallel_tool_use")
    form = body.get("output_config", {}).get("format", {})
    return {
        "system": _texts(body["system"], "text"),
        "turns": [turn for one in body["messages"] for turn in _messages_turns(one)],
        "tools": {one["name"]: _bare(one["input_schema"]) for one in functions},
        "choice": named.get(choice.get("type"), choice.get("type")),
        "parallel": None if serial is None else not serial,
        "limit": body["max_tokens"],
        "temperature": body.get("temperature"),
        "top_p": body.get("top_p"),
        "stop": body.get("stop_sequences"),
        "format": _bare(form.get("schema")),
        "effort": body.get("output_config", {}).get("effort") or _budget(body.get("thinking")),
        "stream": body.get("stream"),
        "user": body.get("metadata", {}).get("user_id"),
        "search": any(
            tool.get("type", "").startswith("web_search") for tool in body.get("tools", ())
        )
        or None,
    }


def _messages_turns(turn: Any) -> Any:
    for block in turn["content"]:
        if block["type"] == "tool_use":
            yield "call", [block["name"], block["input"]]
        elif block["type"] == "tool_result":
            yield "result", _texts(block["content"], "text")
        elif block["type"] == "text":
            yield turn["role"], block["text"]


def _budget(thinking: Any) -> str | None:
    """Return the effort that a budget stands for (protocols.md 5.7)."""
    tokens = (thinking or {}).get("budget_tokens", (thinking or {}).get("thinkingBudget"))
    if tokens is None:
        return None
    if tokens == 0:
        return "none"
    scale = ((512, "minimal"), (1_024, "low"), (8_192, "medium"), (24_576, "high"))
    return next((effort for most, effort in scale if tokens <= most), "xhigh")


def _gemini(body: Any) -> dict[str, Any]:
    config = body["generationConfig"]
    tools = body.get("tools", ())
    declared = [one for tool in tools for one in tool.get("functionDeclarations", ())]
    calling = body.get("toolConfig", {}).get("functionCallingConfig", {})
    names = calling.get("allowedFunctionNames", [])
    mode = {"ANY": "required"}.get(calling.get("mode"), calling.get("mode", "").lower())
    thinking = config.get("thinkingConfig", {})
    json_only = config.get("responseMimeType") == "application/json"
    schema = _bare(config.get("responseJsonSchema"))
    return {
        "system": "".join(
            one["text"] for one in body.get("systemInstruction", {}).get("parts", ())
        ),
        "turns": [turn for one in body["contents"] for turn in _gemini_turns(one)],
        "tools": {one["name"]: _bare(_schema(one)) for one in declared},
        "choice": names[0] if len(names) == 1 else mode,
        "limit": config.get("maxOutputTokens"),
        "temperature": config.get("temperature"),
        "top_p": config.get("topP"),
        "stop": config.get("stopSequences"),
        "format": schema or ("json" if json_only else None),
        "effort": thinking.get("thinkingLevel", "").lower() or _budget(thinking),
        "search": any("googleSearch" in tool for tool in tools) or None,
    }


def _gemini_turns(content: Any) -> Any:
    role = {"model": "assistant"}.get(content.get("role", "user"), "user")
    for part in content["parts"]:
        if "functionCall" in part:
            yield "call", [part["functionCall"]["name"], part["functionCall"].get("args", {})]
        elif "functionResponse" in part:
            yield "result", json.dumps(part["functionResponse"]["response"])
        elif "text" in part and not part.get("thought"):
            yield role, part["text"]


def _schema(declared: Any) -> Any:
    return declared.get("parametersJsonSchema") or declared.get("parameters")


def _bare(schema: Any) -> Any:
    """Return a schema in one spelling, without what one vendor demands and another has not."""
    if isinstance(schema, list):
        return [_bare(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: value.lower() if name == "type" and isinstance(value, str) else _bare(value)
        for name, value in schema.items()
        if name != "additionalProperties"
    }


_READERS = {"chat": _chat, "responses": _responses, "messages": _messages, "gemini": _gemini}
