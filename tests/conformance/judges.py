"""Owns the vendors' own clients as judges of what ours get: strict models, then accumulators.

`whole` and `stream` fail on a name that the vendor's client does not know (our documented additions
to Chat Completions left out) and return the answer as that client sees it.
"""

import json
import re
from functools import cache
from typing import Any

from google.genai import types as google
from openai.types.chat import ChatCompletion

from tests.protocols import chat_oracle, messages_oracle, responses_oracle


def whole(wire: str, body: bytes) -> Any:
    """Return a whole answer after a strict reading."""
    given = json.loads(body)
    if wire == "chat":
        _check_chat(given)
    elif wire == "responses":
        responses_oracle.strict_response(given)
    elif wire == "messages":
        messages_oracle.strict_message(given)
        assert given["content"], "clients break on a message without a block"
    else:
        google.GenerateContentResponse.model_validate(given)
    return given


def stream(wire: str, frames: bytes) -> list[Any]:
    """Return what a stream says as the objects of a whole answer; the grammar is checked too."""
    if wire == "chat":
        return [_plain(chat_oracle.checked_stream(frames))]
    if wire == "responses":
        events = responses_oracle.strict_stream(frames)
        made, last = responses_oracle.accumulated(events), events[-1]["response"]
        done = [one["item"] for one in events if one["type"] == "response.output_item.done"]
        assert last["output"] == done, "the end says again what the stream said"
        assert [one["id"] for one in made["output"]] == [one["id"] for one in done]
        return [last]
    if wire == "messages":
        given = messages_oracle.events(frames)
        messages_oracle.check_grammar(given)
        for event in given:
            messages_oracle.strict_event(event)
        return [_plain(messages_oracle.accumulated(given))]
    return _gemini_stream(frames)


def has_terminal(wire: str, frames: bytes) -> bool:
    """Say whether frames end a stream as a success, whatever else they say."""
    if wire == "chat":
        return b"[DONE]" in frames or re.search(rb'"finish_reason":"', frames) is not None
    if wire == "responses":
        return re.search(rb"event: response\.(completed|incomplete)\n", frames) is not None
    if wire == "messages":
        return b"event: message_stop\n" in frames or b"event: message_delta\n" in frames
    return b'"finishReason":"' in frames


def _check_chat(given: Any) -> None:
    answer = ChatCompletion.model_validate(given)
    assert chat_oracle.strangers(answer) == []


def _plain(made: Any) -> Any:
    return made.model_dump(mode="json", warnings=False)


@cache
def _frame() -> re.Pattern[bytes]:
    return re.compile(rb"data: (.*)\n\n")


def _gemini_stream(frames: bytes) -> list[Any]:
    given = [json.loads(data) for data in _frame().findall(frames)]
    assert b"".join(b"data: " + data + b"\n\n" for data in _frame().findall(frames)) == frames
    for one in given:
        google.GenerateContentResponse.model_validate(one)
    assert all("usageMetadata" not in one or one is given[-1] for one in given)
    return given
