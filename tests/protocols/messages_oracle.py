"""Judges Anthropic messages and streams by the vendor's own client; knows nothing of our code."""

import json
import re
from typing import Any, get_args

from anthropic import types
from anthropic.lib.streaming._messages import accumulate_event
from pydantic import BaseModel

_EVENTS = {
    get_args(model.model_fields["type"].annotation)[0]: model
    for model in get_args(get_args(types.RawMessageStreamEvent)[0])
}
_ENDED_AT_ONCE = {"ping"}


def strict(model: type[BaseModel], given: Any) -> BaseModel:
    """Validate and fail on any field that the vendor's client does not know."""
    made = model.model_validate(given)
    unknown = list(_unknown(made))
    assert not unknown, unknown
    return made


def _unknown(value: Any) -> Any:
    if isinstance(value, BaseModel):
        yield from value.model_extra or ()
        for name in type(value).model_fields:
            yield from _unknown(getattr(value, name))
    elif isinstance(value, list):
        for item in value:
            yield from _unknown(item)


def strict_message(given: Any) -> types.Message:
    return strict(types.Message, given)


def strict_event(given: Any) -> BaseModel:
    return strict(_EVENTS[given["type"]], given)


def is_strict(given: list[Any]) -> bool:
    """Say whether the vendor's own traffic passes its own client's models."""
    try:
        for event in given:
            if event["type"] not in _ENDED_AT_ONCE:
                strict_event(event)
    except (AssertionError, ValueError, KeyError):
        return False
    return True


def events(frames: bytes) -> list[Any]:
    """Parse frames in the simplest way there is; each has its name before its data."""
    found = re.findall(r"event: (\w+)\ndata: (.*)\n\n", frames.decode())
    assert "".join(f"event: {name}\ndata: {data}\n\n" for name, data in found) == frames.decode()
    parsed = [json.loads(data) for _, data in found]
    assert [event["type"] for event in parsed] == [name for name, _ in found]
    return parsed


def accumulated(given: list[Any]) -> Any:
    snapshot, buffers = None, {}
    for event in given:
        if event["type"] not in _ENDED_AT_ONCE:
            snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers)
    return snapshot


def check_grammar(given: list[Any]) -> None:
    """Check the order of events: one open block at a time, indexes without gaps, one end."""
    kinds = [event["type"] for event in given]
    assert kinds[0] == "message_start" and kinds.count("message_start") == 1
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert kinds.count("message_delta") == kinds.count("message_stop") == 1
    is_open, index = False, 0
    for event in given[1:-2]:
        assert event["index"] == index
        if event["type"] == "content_block_start":
            assert not is_open
            is_open = True
        elif event["type"] == "content_block_delta":
            assert is_open
        else:
            assert event["type"] == "content_block_stop" and is_open
            is_open, index = False, index + 1
    assert not is_open and index >= 1


def said(blocks: Any) -> dict[str, Any]:
    """Return what a message's blocks say, whatever their shape."""
    blocks = [block if isinstance(block, dict) else block.to_dict() for block in blocks]
    return {
        "text": "".join(block["text"] for block in blocks if block["type"] == "text"),
        "thinking": [
            (block["thinking"], block.get("signature") or "")
            for block in blocks
            if block["type"] == "thinking"
        ],
        "redacted": [block["data"] for block in blocks if block["type"] == "redacted_thinking"],
        "calls": [
            (block["id"], block["name"], block["input"])
            for block in blocks
            if block["type"] == "tool_use"
        ],
    }


def is_spliced(given: list[Any]) -> bool:
    """Say whether these are two streams in one, of which the vendor's client makes nonsense."""
    return sum(event["type"] == "message_start" for event in given) > 1


def figures(usage: Any) -> tuple[int, ...]:
    """Return input, output, read, written, thinking and searches of a usage object."""
    usage = usage if isinstance(usage, dict) else usage.to_dict()
    details = usage.get("output_tokens_details") or {}
    tools = usage.get("server_tool_use") or {}
    return (
        usage.get("input_tokens") or 0,
        usage.get("output_tokens") or 0,
        usage.get("cache_read_input_tokens") or 0,
        usage.get("cache_creation_input_tokens") or 0,
        details.get("thinking_tokens") or 0,
        tools.get("web_search_requests") or 0,
    )


def recorded(corpus: Any, *, streams: bool) -> list[Any]:
    """Return the recorded messages, whole or streamed."""
    from tests.protocols import recordings

    return [
        one
        for one in recordings.load(corpus, "anthropic")
        if one.file.startswith("messages--") and (one.sse is not None) is streams
    ]


def is_strict_message(given: Any) -> bool:
    """Say whether the vendor's own message passes its own client's models."""
    try:
        strict_message(given)
    except (AssertionError, ValueError):
        return False
    return True
