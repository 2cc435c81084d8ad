"""Owns when two requests of one protocol are the same request: every rule is one of its documentation.

`normal` returns a request in one form of several that mean the same. Knows no code under test.
"""

from collections.abc import Callable, Iterator
from typing import Any

from tests.conformance import dialogues

# What it means when nothing is said; null always means that.
_DEFAULTS: dict[str, Any] = {
    "stream": False,
    "n": 1,
    "candidateCount": 1,
    "is_error": False,
    "description": "",
    "instructions": "",
    "tools": [],
    "stop": [],
    "logprobs": [],
    "annotations": [],
    "parts": [],
}
# Below these a client's own names and values begin.
_FREE = frozenset(
    {"args", "response", "parameters", "input_schema", "schema", "input", "metadata"}
    | {"responseSchema", "responseJsonSchema", "parametersJsonSchema", "labels"}
)


def normal(wire: str, body: Any) -> Any:
    """Return a request in one form, for comparison."""
    return _FORMS[wire](_said(body, free=False))


def _said(value: Any, *, free: bool) -> Any:
    """Return a value without what says nothing."""
    if isinstance(value, list):
        return [_said(one, free=free) for one in value]
    if not isinstance(value, dict) or free:
        return value
    return {
        name: _said(one, free=name in _FREE and isinstance(one, dict))
        for name, one in value.items()
        if one is not None and (name not in _DEFAULTS or one != _DEFAULTS[name])
    }


def _folded(content: Any, kind: str) -> Any:
    """Return one text for a list of nothing but one plain text."""
    if isinstance(content, list) and len(content) == 1:
        (part,) = content
        if part.get("type") == kind and set(part) == {"type", "text"}:
            return part["text"]
    return content


def _renamed(body: Any, old: str, new: str) -> None:
    if old in body:
        body[new] = body.pop(old)


def _chat(body: Any) -> Any:
    _renamed(body, "max_tokens", "max_completion_tokens")
    _renamed(body, "user", "safety_identifier")
    # Who asks for a stream is the gateway, and it wants the figures.
    body.pop("stream_options", None)
    if body.get("tool_choice") == "any":
        body["tool_choice"] = "required"
    if not body.get("tools"):
        body.pop("parallel_tool_calls", None)
    for tool in body.get("tools", ()):
        tool.setdefault("type", "function")
    for message in body["messages"]:
        message["content"] = _folded(message.get("content"), "text") or ""
    return body


def _responses(body: Any) -> Any:
    _renamed(body, "user", "safety_identifier")
    given = body.get("input", [])
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    body["input"] = [one for one in map(_item, items) if one is not None]
    if body.get("text", {}).get("format") == {"type": "text"}:
        del body["text"]["format"]
    for name in ("text", "reasoning"):
        if body.get(name) == {}:
            del body[name]
    body["tools"] = [_flat(tool) for tool in body.get("tools", ())]
    if isinstance(body.get("tool_choice"), dict):
        body["tool_choice"] = _flat(body["tool_choice"])
    return body


def _item(item: Any) -> Any:
    if item.get("type") == "reasoning" and not item.get("content"):
        item.pop("content", None)
    if "content" in item:
        kind = "output_text" if item.get("role") == "assistant" else "input_text"
        item["content"] = _folded(item["content"], kind)
    # Who said nothing sent no message.
    return None if "role" in item and item.get("content") == "" else item


def _flat(tool: Any) -> Any:
    """Return a function as this protocol has it, where a client has nested it as in the other."""
    return {"type": tool["type"], **tool["function"]} if "function" in tool else tool


def _messages(body: Any) -> Any:
    if "output_format" in body:
        body.setdefault("output_config", {})["format"] = body.pop("output_format")
    body["system"] = _listed(body.get("system", []))
    for message in body["messages"]:
        message["content"] = _listed(message["content"])
        for block in message["content"]:
            if block["type"] == "tool_result":
                block["content"] = _listed(block.get("content", []))
    return body


def _listed(content: Any) -> Any:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _gemini(body: Any) -> Any:
    body = _camels(body)
    body.get("systemInstruction", {}).pop("role", None)
    for content in body["contents"]:
        content["parts"] = _joined(content.get("parts", []))
    config = body.pop("generationConfig", {})
    if "responseSchema" in config:
        config["responseJsonSchema"] = config.pop("responseSchema")
    if "responseJsonSchema" in config:
        config["responseJsonSchema"] = _lower(config["responseJsonSchema"])
    thinking = config.get("thinkingConfig", {})
    if "thinkingLevel" in thinking:
        thinking["thinkingLevel"] = thinking["thinkingLevel"].upper()
    calling = body.get("toolConfig", {}).get("functionCallingConfig", {})
    if "mode" in calling:
        calling["mode"] = calling["mode"].upper()
    return {**body, "generationConfig": config}


def _joined(parts: Any) -> Any:
    """Return one thought for several in a row: a stream cuts one in many."""
    made: list[Any] = []
    for part in parts:
        last = made[-1] if made else {}
        if part.get("thought") and last.get("thought") and "thoughtSignature" not in last:
            made[-1] = {**part, "text": last["text"] + part["text"]}
        else:
            made.append(part)
    return made


def _camels(value: Any) -> Any:
    if isinstance(value, list):
        return [_camels(one) for one in value]
    if not isinstance(value, dict):
        return value
    return dict(_spelled(value))


def _spelled(fields: Any) -> Iterator[tuple[str, Any]]:
    for name, value in fields.items():
        camel = dialogues.camel(name)
        yield camel, value if camel in _FREE else _camels(value)


def _lower(schema: Any) -> Any:
    """Return a schema with its types in lower case, as JSON Schema has them."""
    if isinstance(schema, list):
        return [_lower(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: value.lower() if name == "type" and isinstance(value, str) else _lower(value)
        for name, value in schema.items()
        # The order of the properties says it too.
        if dialogues.camel(name) != "propertyOrdering"
    }


_FORMS: dict[str, Callable[[Any], Any]] = {
    "chat": _chat,
    "responses": _responses,
    "messages": _messages,
    "gemini": _gemini,
}
