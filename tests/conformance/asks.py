"""Owns the judges of requests: the types of the vendors' clients, and the rules of a history.

The types are relaxed as real vendors are: a field may be left out, and a null is none. Names that
the types do not have are complaints. The rules of a history are protocols.md 5.6; nothing here
knows the code under test.
"""

import re
from functools import cache
from itertools import pairwise
from typing import Any

from anthropic.types import message_create_params as messages
from google.genai import types as google
from openai.types.chat import completion_create_params as chat
from openai.types.responses import response_create_params as responses
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

_TYPES = {
    "chat": chat.CompletionCreateParamsNonStreaming,
    "responses": responses.ResponseCreateParamsNonStreaming,
    "messages": messages.MessageCreateParamsNonStreaming,
}
# What the vendors take and the types do not have, or no longer: newer models take no sampling.
_KNOWN = frozenset({"stream", "temperature", "top_k", "top_p"})
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@cache
def _adapter(wire: str) -> TypeAdapter[Any]:
    return TypeAdapter(_TYPES[wire])


def complaints(wire: str, body: Any) -> list[str]:
    """Return what the vendor's own client would not have sent so."""
    if wire == "gemini":
        return _gemini(body)
    given = {name: value for name, value in body.items() if name not in _KNOWN}
    if wire == "responses" and isinstance(given["input"], list):
        given["input"] = [_kept(item) for item in given["input"]]
    try:
        read = _drained(_adapter(wire).validate_python(given))
    except ValidationError as error:
        return [_told(one) for one in error.errors()][:5]
    return list(_unknown(given, read, ""))


def _gemini(body: Any) -> list[str]:
    found: list[str] = []
    types: dict[str, Any] = {
        "contents": list[google.Content],
        "systemInstruction": google.Content,
        "tools": list[google.Tool],
        "toolConfig": google.ToolConfig,
        "generationConfig": google.GenerationConfig,
        "safetySettings": list[google.SafetySetting],
    }
    for name, value in body.items():
        if name not in types:
            found.append(name)
            continue
        try:
            TypeAdapter(types[name]).validate_python(value)
        except ValidationError as error:
            found += [f"{name}: {_told(one)}" for one in error.errors()][:5]
    return found


def _kept(item: Any) -> Any:
    """Return an assistant's message as if it were kept: its id is only asked for by the type."""
    if item.get("role") != "assistant" or isinstance(item.get("content"), str):
        return item
    return {"id": "msg_1", "status": "completed", **item}


def _told(one: ErrorDetails) -> str:
    return ".".join(str(step) for step in one["loc"]) + " " + one["type"]


def _drained(value: Any) -> Any:
    """Read lists to their end: pydantic validates an Iterable only as it is read."""
    if isinstance(value, dict):
        return {name: _drained(one) for name, one in value.items()}
    if isinstance(value, str | bytes | int | float | None):
        return value
    return [_drained(one) for one in value]


def _unknown(given: Any, read: Any, path: str) -> Any:
    if isinstance(given, dict) and isinstance(read, dict):
        for name, value in given.items():
            if name not in read:
                yield f"{path}.{name} unknown"
            else:
                yield from _unknown(value, read[name], f"{path}.{name}")
    elif isinstance(given, list) and isinstance(read, list):
        for one, other in zip(given, read, strict=True):
            yield from _unknown(one, other, f"{path}[]")


# ------------------------------------------------------------ histories


def broken_rules(wire: str, body: Any) -> list[str]:
    """Return the rules of a history that a request breaks; a vendor answers such with a 400."""
    return list(_RULES[wire](body))


def _chat_rules(body: Any) -> Any:
    open_calls: list[str] = []
    for message in body["messages"]:
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_calls:
                yield "an orphan result"
            else:
                open_calls.remove(message["tool_call_id"])
            continue
        if open_calls:
            yield "a call without its result"
        open_calls = [call["id"] for call in message.get("tool_calls") or ()]
        if not all(1 <= len(one) <= 64 for one in open_calls):
            yield "an id that does not fit"
        if message["role"] != "assistant" and not message.get("content"):
            yield "an empty message"
    if open_calls:
        yield "a call without its result"


def _responses_rules(body: Any) -> Any:
    items = body["input"] if isinstance(body["input"], list) else []
    called: list[str] = []
    answered: list[str] = []
    for item in items:
        kind = item.get("type", "message")
        if kind in {"function_call", "custom_tool_call"}:
            called.append(item["call_id"])
            if not 1 <= len(item["call_id"]) <= 64:
                yield "an id that does not fit"
        elif kind in {"function_call_output", "custom_tool_call_output"}:
            answered.append(item["call_id"])
            if item["call_id"] not in called:
                yield "an orphan result"
        elif kind == "reasoning":
            if not item.get("encrypted_content") or not isinstance(item.get("summary"), list):
                yield "a thought that nobody can read"
        elif kind == "message" and not item.get("content"):
            yield "an empty message"
        if body.get("store") is False and kind != "item_reference" and "id" in item:
            yield "an id of something that is not kept"
    if sorted(called) != sorted(answered) or len(set(called)) != len(called):
        yield "calls and results do not pair"


def _messages_rules(body: Any) -> Any:
    turns = body["messages"]
    if not turns or turns[0]["role"] != "user":
        yield "the first turn is not the user's"
    roles = [turn["role"] for turn in turns if turn["role"] != "system"]
    if any(one == other for one, other in pairwise(roles)):
        yield "two turns of one role"
    waiting: list[str] = []
    for turn in turns:
        blocks = turn["content"] if isinstance(turn["content"], list) else []
        kinds = [block["type"] for block in blocks]
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        if results != waiting:
            yield "results that are not those of the calls before"
        if kinds[: len(results)] != ["tool_result"] * len(results):
            yield "a result after something else"
        calls = [block for block in blocks if block["type"] == "tool_use"]
        waiting = [call["id"] for call in calls]
        if not all(isinstance(call["input"], dict) for call in calls):
            yield "an input that is no object"
        if not all(_ID.fullmatch(one) for one in waiting) or len(set(waiting)) != len(waiting):
            yield "an id that does not fit"
        if any(block["type"] == "text" and not block["text"].strip() for block in blocks):
            yield "an empty text"
        if not turn["content"]:
            yield "an empty turn"
    if waiting:
        yield "a call without its result"


def _gemini_rules(body: Any) -> Any:
    contents = body["contents"]
    if not contents or contents[0]["role"] != "user":
        yield "the first turn is not the user's"
    roles = [content["role"] for content in contents]
    if any(one == other for one, other in pairwise(roles)):
        yield "two turns of one role"
    waiting: list[str] = []
    for content in contents:
        parts = content["parts"]
        if not parts:
            yield "an empty turn"
        results = [part["functionResponse"] for part in parts if "functionResponse" in part]
        if [one["name"] for one in results] != waiting:
            yield "results that are not those of the calls before"
        if not all(isinstance(one["response"], dict) for one in results):
            yield "a response that is no object"
        waiting = [part["functionCall"]["name"] for part in parts if "functionCall" in part]
    if waiting:
        yield "a call without its result"


_RULES = {
    "chat": _chat_rules,
    "responses": _responses_rules,
    "messages": _messages_rules,
    "gemini": _gemini_rules,
}
