"""Owns what the official SDK says of chat answers: strict validation, and its own accumulator."""

import json
from pathlib import Path
from typing import Any

from openai.lib.streaming.chat._completions import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel

from tests.protocols import recordings

# What the documentation names beside the protocol's own fields.
EXTENSIONS = frozenset({"reasoning_content", "reasoning_details", "images", "extra_content"})
_DELTA_EXTENSIONS = EXTENSIONS | {"annotations"}


def whole_answers(corpus: Path) -> list[recordings.Recording]:
    """Return the recorded whole chat completions; a few recordings are of text completions."""
    return [
        one
        for one in recordings.load(corpus, "openai_chat")
        if one.sse is None
        and isinstance(one.body, dict)
        and all("message" in choice for choice in one.body.get("choices") or [{}])
    ]


def strangers(value: Any, path: str = "") -> list[str]:
    """Return the names that the SDK's models do not know, our documented extensions left out."""
    if isinstance(value, list):
        return [name for one in value for name in strangers(one, path)]
    if not isinstance(value, BaseModel):
        return []
    known = _DELTA_EXTENSIONS if "delta" in path or "message" in path else frozenset()
    found = [f"{path}.{name}" for name in value.model_extra or {} if name not in known]
    for name in type(value).model_fields:
        found += strangers(getattr(value, name), f"{path}.{name}")
    return found


def checked_answer(body: Any) -> ChatCompletion:
    """Return a whole answer as the SDK reads it, strictly."""
    answer = ChatCompletion.model_validate(json.loads(json.dumps(body)), strict=True)
    assert strangers(answer) == []
    return answer


def chunks(frames: bytes) -> list[Any]:
    """Return the parsed chunks of a stream in the form that we write."""
    pieces = frames.decode().split("\n\n")
    assert pieces[-2:] == ["data: [DONE]", ""]
    assert all(piece.startswith("data: {") for piece in pieces[:-2])
    return [json.loads(piece[6:]) for piece in pieces[:-2]]


def checked_stream(frames: bytes) -> Any:
    """Return what the SDK accumulates of a stream, after checking the grammar of every chunk."""
    given = chunks(frames)
    check_grammar(given)
    state = ChatCompletionStreamState()
    for one in given:
        if _has_custom(one):
            chunk = ChatCompletionChunk.construct(**one)
        else:
            chunk = ChatCompletionChunk.model_validate(one, strict=True)
            assert strangers(chunk) == []
        state.handle_chunk(chunk)
    return state.current_completion_snapshot


def check_grammar(given: list[Any]) -> None:
    """Assert what every reader of the protocol may rely on (protocols.md 7.2)."""
    assert len({(one["id"], one["created"], one["model"]) for one in given}) == 1
    begun: set[int] = set()
    finished: set[int] = set()
    calls: dict[int, int] = {}
    for one in given:
        for choice in one["choices"]:
            index, delta = choice["index"], choice["delta"]
            assert ("role" in delta) == (index not in begun)
            assert index in begun or index == len(begun)
            assert index not in finished
            begun.add(index)
            if choice["finish_reason"] is not None:
                finished.add(index)
            for call in delta.get("tool_calls", ()):
                fresh = call["index"] == calls.get(index, 0)
                assert fresh or call["index"] < calls[index]
                assert ("id" in call) == ("type" in call) == fresh
                inner = call.get("function") or call.get("custom")
                assert ("name" in inner) == fresh
                calls[index] = calls.get(index, 0) + fresh
        if one.get("usage") is not None:
            assert one["choices"] == [] and one is given[-1]


def accumulated(events: list[Any]) -> Any:
    """Return what the SDK accumulates of foreign chunks, None where it cannot."""
    state = ChatCompletionStreamState()
    try:
        for one in events:
            state.handle_chunk(ChatCompletionChunk.model_validate(one))
        snapshot = state.current_completion_snapshot
    except Exception:  # noqa: BLE001 (the SDK breaks in many ways; then it is no oracle)
        return None
    roles = {choice.message.role for choice in snapshot.choices}
    return snapshot if roles <= {"assistant"} else None


def _has_custom(chunk: Any) -> bool:
    """Say whether a chunk has a free-text call: the SDK's models of chunks do not know them."""
    return any(
        "custom" in call or call.get("type") == "custom"
        for choice in chunk["choices"]
        for call in choice["delta"].get("tool_calls", ())
    )
