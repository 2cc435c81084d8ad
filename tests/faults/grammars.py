"""Owns a second opinion on answers: what a stream or a whole answer of each surface says.

Strict readers by hand: whatever is not in a surface's grammar fails the test. Must not know any line
of the code under test.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_FINISHES = {
    "stop": "stop",
    "length": "length",
    "end_turn": "stop",
    "max_tokens": "length",
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "completed": "stop",
    "incomplete": "length",
}


@dataclass
class Told:
    """What a client learns: `finish` is None when the answer did not end properly.

    `usage` counts (input with cached, output, cached); `error` is the object that ended a stream.
    """

    text: str = ""
    finish: str | None = None
    usage: tuple[int, int, int] | None = None
    error: dict[str, Any] | None = None
    model: str = ""
    tid: str = ""

    def check_broken(self) -> dict[str, Any]:
        """Return the error by which the stream ended, which must name the call."""
        assert self.finish is None and self.error is not None
        return self.error


def events(body: bytes) -> Iterator[tuple[str, Any]]:
    """Yield name and data of each event; comments and blank lines are signs of life."""
    text = body.decode().replace("\r\n", "\n")
    assert text.endswith("\n\n"), f"an unfinished event: {text[-80:]!r}"
    for frame in text.split("\n\n"):
        name, data = "", None
        for line in frame.split("\n"):
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                assert data is None
                data = line[6:]
            else:
                assert not line or line.startswith(":"), line
        if data is not None:
            yield name, data if data == "[DONE]" else json.loads(data)


def chat_stream(body: bytes) -> Told:
    """Read a stream of chat chunks."""
    told, over, ids = Told(), False, set()
    for name, chunk in events(body):
        assert not (name or over), "something after the end"
        if chunk == "[DONE]":
            assert told.finish is not None and told.error is None
            over = True
            continue
        assert chunk["object"] == "chat.completion.chunk" and type(chunk["created"]) is int
        ids.add(chunk["id"])
        told.model = chunk["model"]
        if "error" in chunk:
            assert chunk["choices"] == [{"index": 0, "delta": {}, "finish_reason": "error"}]
            assert chunk["request_id"] == chunk["error"]["tid"]
            told.error, over = chunk["error"], True
            continue
        for choice in chunk["choices"]:
            told.text += choice["delta"].get("content") or ""
            if choice.get("finish_reason"):
                assert told.finish is None, "two finishes"
                told.finish = _FINISHES[choice["finish_reason"]]
        told.usage = _chat_usage(chunk.get("usage")) or told.usage
    assert over, "no end"
    assert len(ids) == 1, ids
    return told


def chat_whole(body: bytes) -> Told:
    """Read a chat completion."""
    whole = json.loads(body)
    assert whole["object"] == "chat.completion"
    (choice,) = whole["choices"]
    return Told(
        choice["message"]["content"],
        _FINISHES[choice["finish_reason"]],
        _chat_usage(whole.get("usage")),
        model=whole["model"],
    )


def _chat_usage(usage: Mapping[str, Any] | None) -> tuple[int, int, int] | None:
    if usage is None:
        return None
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    return usage["prompt_tokens"], usage["completion_tokens"], cached


def responses_stream(body: bytes) -> Told:
    """Read a stream of the Responses API: numbers without gaps, one response, one terminal event."""
    told, ids, over = Told(), set(), False
    for number, (name, event) in enumerate(events(body)):
        assert not over, "something after the end"
        assert (event["type"], event["sequence_number"]) == (name, number)
        if "response" in event:
            response = event["response"]
            ids.add(response.get("id"))
            told.model = response["model"]
        if name == "response.output_text.delta":
            told.text += event["delta"]
        elif name in {"response.completed", "response.incomplete"}:
            assert response["status"] == name.partition(".")[2]
            told.finish, over = _FINISHES[response["status"]], True
            told.usage = _responses_usage(response.get("usage"))
            assert told.text == _output_text(response)
        elif name == "response.failed":
            assert (response["status"], response["object"]) == ("failed", "response")
            told.error, over = response["error"], True
        else:
            assert name != "error", event
    assert over, "no end"
    assert len(ids) == 1, ids
    return told


def responses_whole(body: bytes) -> Told:
    """Read a response."""
    whole = json.loads(body)
    assert whole["object"] == "response"
    usage = _responses_usage(whole.get("usage"))
    return Told(_output_text(whole), _FINISHES[whole["status"]], usage, model=whole["model"])


def _output_text(response: Mapping[str, Any]) -> str:
    parts = [part for item in response["output"] for part in item.get("content") or ()]
    return "".join(part["text"] for part in parts if part["type"] == "output_text")


def _responses_usage(usage: Mapping[str, Any] | None) -> tuple[int, int, int] | None:
    if usage is None:
        return None
    cached = usage["input_tokens_details"]["cached_tokens"]
    return usage["input_tokens"], usage["output_tokens"], cached


def messages_stream(body: bytes) -> Told:
    """Read the stream of a message: blocks opened and closed in order, figures, the end."""
    told, last, opened = Told(), "", None
    usage: dict[str, Any] = {}
    for name, event in events(body):
        if name == "ping":
            assert event == {"type": "ping"}
            continue
        assert last not in {"message_stop", "error"}, "something after the end"
        assert event["type"] == name
        if name == "message_start":
            assert last == ""
            told.model = event["message"]["model"]
            usage = event["message"]["usage"]
        elif name == "content_block_start":
            assert opened is None
            opened = event["index"]
        elif name == "content_block_delta":
            assert event["index"] == opened
            told.text += event["delta"].get("text", "")
        elif name == "content_block_stop":
            assert event["index"] == opened
            opened = None
        elif name == "message_delta":
            assert opened is None and last == "content_block_stop"
            told.finish = _FINISHES[event["delta"]["stop_reason"]]
            usage = {**usage, **(event.get("usage") or {})}
        elif name == "error":
            assert event["request_id"] == event["tid"]
            told.error = {**event["error"], "tid": event["tid"]}
        else:
            assert (name, last) == ("message_stop", "message_delta")
        last = name
    assert last in {"message_stop", "error"}, "no end"
    told.usage = _messages_usage(usage)
    return told


def messages_whole(body: bytes) -> Told:
    """Read a message."""
    whole = json.loads(body)
    assert whole["type"] == "message"
    text = "".join(block["text"] for block in whole["content"] if block["type"] == "text")
    usage = _messages_usage(whole.get("usage") or {})
    return Told(text, _FINISHES[whole["stop_reason"]], usage, model=whole["model"])


def _messages_usage(usage: Mapping[str, Any]) -> tuple[int, int, int] | None:
    if "input_tokens" not in usage:
        return None
    cached = usage.get("cache_read_input_tokens") or 0
    return usage["input_tokens"] + cached, usage["output_tokens"], cached


def gemini_stream(body: bytes) -> Told:
    """Read a stream of events of Gemini."""
    assert b": " not in body or not body.startswith(b":")
    chunks = []
    for name, chunk in events(body):
        assert not name
        chunks.append(chunk)
    return _candidates(chunks)


def gemini_array(body: bytes) -> Told:
    """Read a stream of Gemini that is one array."""
    return _candidates(json.loads(body))


def gemini_whole(body: bytes) -> Told:
    """Read a whole answer of Gemini."""
    return _candidates([json.loads(body)])


def _candidates(chunks: list[dict[str, Any]]) -> Told:
    told = Told()
    for chunk in chunks:
        assert told.finish is None and told.error is None, "something after the end"
        if "error" in chunk:
            assert chunk.keys() == {"error"}
            (detail,) = chunk["error"]["details"]
            told.error = {**chunk["error"], "tid": detail["tid"]}
            continue
        told.model = chunk["modelVersion"]
        for candidate in chunk.get("candidates", ()):
            parts = candidate.get("content", {}).get("parts", ())
            told.text += "".join(part.get("text", "") for part in parts)
            if "finishReason" in candidate:
                told.finish = _FINISHES[candidate["finishReason"]]
        usage = chunk.get("usageMetadata")
        if usage is not None:
            made = usage.get("candidatesTokenCount", 0) + usage.get("thoughtsTokenCount", 0)
            told.usage = usage["promptTokenCount"], made, usage.get("cachedContentTokenCount", 0)
    assert told.finish is not None or told.error is not None, "no end"
    return told


STREAMS: dict[str, Callable[[bytes], Told]] = {
    "chat": chat_stream,
    "responses": responses_stream,
    "messages": messages_stream,
    "gemini": gemini_stream,
    "array": gemini_array,
}
WHOLES: dict[str, Callable[[bytes], Told]] = {
    "chat": chat_whole,
    "responses": responses_whole,
    "messages": messages_whole,
    "gemini": gemini_whole,
    "array": gemini_whole,
}
