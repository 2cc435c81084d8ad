"""Owns what an answer says, read by hand in the simplest way: join the strings, number the calls.

For whole answers and for the objects of a stream, of each protocol; knows nothing of the code under
test. Only the first choice counts: two of the protocols have no other.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.conformance import corpus

_CHAT = {"tool_calls": "call", "function_call": "call", "content_filter": "policy"}
_MESSAGES = {
    "tool_use": "call",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "policy",
    "pause_turn": "paused",
}
_POLICIES = (
    *("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY"),
    *("IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "MODEL_ARMOR"),
)
_FAULTS = (
    *("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "OTHER"),
    *("MISSING_THOUGHT_SIGNATURE", "MALFORMED_RESPONSE", "LANGUAGE", "NO_IMAGE", "IMAGE_OTHER"),
)


@dataclass
class Said:
    """What an answer says; `used` is (tokens in, tokens out), None where nothing sound is told."""

    text: str = ""
    thoughts: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    stop: str | None = None
    used: tuple[int, int] | None = None
    refused: bool = False

    def settle(self) -> "Said":
        """Name a natural end with calls so, and leave out how the thoughts are broken in lines."""
        if self.stop == "stop" and self.calls:
            self.stop = "call"
        self.thoughts = "".join(self.thoughts.split())
        return self


def said(wire: str, objects: list[Any], *, streamed: bool) -> Said:
    """Return what an answer says; a stream is given by the data of its events."""
    return _READERS[wire](objects, streamed).settle()


def is_faulty(objects: list[Any]) -> bool:
    """Say whether an answer is an error in spite of its status."""
    return any(
        one.get("error") or one.get("type") == "error" or _inner(one).get("status") == "failed"
        for one in objects
    )


def _inner(one: Any) -> Any:
    response = one.get("response") if str(one.get("type")).startswith("response.") else one
    return response if isinstance(response, dict) else {}


def value_of(arguments: Any) -> Any:
    """Return a call's arguments as a value; free text and broken JSON stay text, nothing is {}."""
    if not isinstance(arguments, str):
        return arguments
    try:
        return json.loads(arguments) if arguments.strip() else {}
    except ValueError:
        return arguments


# ------------------------------------------------------------ Chat Completions


def _chat(objects: list[Any], streamed: bool) -> Said:
    part = "delta" if streamed else "message"
    one = corpus.said(objects, part).get(0, corpus.Said())
    refusals = [
        (choice.get(part) or {}).get("refusal") or ""
        for each in objects
        for choice in (each.get("choices") or ())[:1]
        if not choice.get("index")
    ]
    stop = one.finish and _CHAT.get(one.finish, one.finish)
    calls = [(name, value_of(arguments)) for name, arguments in one.calls]
    used = None
    for usage in corpus.usages(objects):
        used = _chat_used(usage) or used
    refused = "".join(refusals)
    return Said(one.text + refused, one.reasoning, calls, stop, used, bool(refused))


def _chat_used(usage: Any) -> tuple[int, int] | None:
    prompt, made = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if prompt is None or made is None or min(prompt, made) < 0:
        return None
    return prompt, max(made, (usage.get("total_tokens") or 0) - prompt)


# ------------------------------------------------------------ Responses


def _responses(objects: list[Any], streamed: bool) -> Said:
    if not streamed:
        return _response(objects[0], objects[0].get("output") or [])
    items: dict[int, Any] = {}
    last: Any = {}
    for one in objects:
        if one["type"] == "response.output_item.done":
            items[one["output_index"]] = one["item"]
        elif one["type"] in {"response.completed", "response.incomplete", "response.failed"}:
            last = one["response"]
    return _response(last, last.get("output") or [items[index] for index in sorted(items)])


def _response(body: Any, output: list[Any]) -> Said:
    made = Said()
    for item in output:
        if item["type"] == "message":
            for part in item["content"]:
                made.text += part.get("text") or part.get("refusal") or ""
                made.refused = made.refused or bool(part.get("refusal"))
        elif item["type"] == "reasoning":
            texts = item.get("summary") or item.get("content") or ()
            made.thoughts += "".join(one["text"] for one in texts)
        elif item["type"] == "function_call":
            made.calls.append((item["name"], value_of(item["arguments"])))
        elif item["type"] == "custom_tool_call":
            made.calls.append((item["name"], item["input"]))
    reason = (body.get("incomplete_details") or {}).get("reason")
    if body.get("status"):
        made.stop = "policy" if made.refused else "stop"
    if body.get("status") == "incomplete":
        made.stop = "policy" if reason == "content_filter" else "length"
    usage = body.get("usage") or {}
    if usage and min(usage["input_tokens"], usage["output_tokens"]) >= 0:
        made.used = usage["input_tokens"], usage["output_tokens"]
    return made


# ------------------------------------------------------------ Anthropic Messages


def _messages(objects: list[Any], streamed: bool) -> Said:
    if not streamed:
        return _message(objects[0])
    body: Any = {"content": [], "usage": {}}
    blocks: dict[int, Any] = {}
    for one in objects:
        if one["type"] == "message_start":
            body["usage"].update(one["message"].get("usage") or {})
        elif one["type"] == "content_block_start":
            blocks[one["index"]] = dict(one["content_block"], partial="")
        elif one["type"] == "content_block_delta":
            _grow(blocks[one["index"]], one["delta"])
        elif one["type"] == "message_delta":
            body["stop_reason"] = one["delta"].get("stop_reason") or body.get("stop_reason")
            given = one.get("usage") or {}
            body["usage"].update({k: v for k, v in given.items() if v is not None})
    for index in sorted(blocks):
        block = blocks[index]
        if block["partial"]:
            block["input"] = value_of(block["partial"])
        body["content"].append(block)
    return _message(body)


def _grow(block: Any, delta: Any) -> None:
    if delta["type"] == "text_delta":
        block["text"] += delta["text"]
    elif delta["type"] == "thinking_delta":
        block["thinking"] += delta["thinking"]
    elif delta["type"] == "input_json_delta":
        block["partial"] += delta["partial_json"]


def _message(body: Any) -> Said:
    made = Said()
    for block in body["content"]:
        if block["type"] == "text":
            made.text += block["text"]
        elif block["type"] == "thinking":
            made.thoughts += block["thinking"]
        elif block["type"] == "tool_use":
            made.calls.append((block["name"], block["input"]))
    reason = body.get("stop_reason")
    made.stop = reason and _MESSAGES.get(reason, "stop")
    usage = body.get("usage") or {}
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    if "output_tokens" in usage:
        made.used = sum(usage.get(name) or 0 for name in names), usage["output_tokens"]
    return made


# ------------------------------------------------------------ Gemini


def _gemini(objects: list[Any], _streamed: bool) -> Said:
    made = Said()
    for one in objects:
        for candidate in one.get("candidates") or ():
            if not candidate.get("index"):
                _candidate(made, candidate)
        if (one.get("promptFeedback") or {}).get("blockReason"):
            made.stop = "policy"
        usage = one.get("usageMetadata") or {}
        if usage.get("promptTokenCount"):
            made.used = _gemini_used(usage)
    return made


def _candidate(made: Said, candidate: Any) -> None:
    for part in (candidate.get("content") or {}).get("parts") or ():
        call = part.get("functionCall")
        if call is not None and call.get("name"):
            made.calls.append((call["name"], call.get("args") or {}))
        elif call is not None:
            for piece in call.get("partialArgs") or ():
                into, name = made.calls[-1][1], piece["jsonPath"].removeprefix("$.")
                into[name] = into.get(name, "") + piece["stringValue"]
        elif part.get("thought"):
            made.thoughts += part.get("text") or ""
        else:
            made.text += part.get("text") or ""
    reason = candidate.get("finishReason")
    if reason:
        kinds = {"MAX_TOKENS": "length"} | dict.fromkeys(_POLICIES, "policy")
        made.stop = (kinds | dict.fromkeys(_FAULTS, "fault")).get(reason, "stop")


def _gemini_used(usage: Any) -> tuple[int, int]:
    into = usage["promptTokenCount"] + (usage.get("toolUsePromptTokenCount") or 0)
    made = (usage.get("candidatesTokenCount") or 0) + (usage.get("thoughtsTokenCount") or 0)
    return into, made


_READERS: dict[str, Callable[[list[Any], bool], Said]] = {
    "chat": _chat,
    "responses": _responses,
    "messages": _messages,
    "gemini": _gemini,
}
