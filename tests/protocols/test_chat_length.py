"""Proof of the length ending: it looks like the rest of the stream, and cuts between frames."""

import json

import msgspec
import pytest

from tollbridge.protocols import completions
from tollbridge.protocols.answer import Identity
from tollbridge.protocols.chat_length import finished_in, length_ending
from tollbridge.protocols.usage import Usage

IDENTITY = Identity("ours", 1_700_000_000, "gpt-test")
FIRST = {"id": "chatcmpl-1", "created": 5, "model": "gpt-test-2026"}


def events(frames):
    return [frame.removeprefix(b"data: ") for frame in frames.split(b"\n\n") if frame]


def said(text, finish=None, index=0):
    choice = {"index": index, "delta": {"content": text}, "finish_reason": finish}
    return b"data: " + msgspec.json.encode({"choices": [choice]}) + b"\n\n"


def test_it_bears_the_streams_name_one_finish_a_choice_and_the_end_mark():
    *chunks, done = events(length_ending(FIRST, IDENTITY, [0, 2], None))
    assert done == b"[DONE]"
    for index, chunk in zip((0, 2), map(json.loads, chunks), strict=True):
        choice = {"index": index, "delta": {}, "logprobs": None, "finish_reason": "length"}
        assert chunk == {**FIRST, "object": "chat.completion.chunk", "choices": [choice]}


@pytest.mark.parametrize("first", [None, {}, {"id": "", "created": "x", "model": 7}])
def test_what_the_stream_does_not_say_is_ours(first):
    chunk = json.loads(events(length_ending(first, IDENTITY, [0], None))[0])
    assert (chunk["id"], chunk["created"], chunk["model"]) == (
        "chatcmpl-ours", 1_700_000_000, "gpt-test"
    )  # fmt: skip


def test_a_client_that_asked_for_usage_gets_what_was_counted():
    chunk = json.loads(events(length_ending(FIRST, IDENTITY, [0], Usage(input=3, output=4)))[-2])
    assert chunk["choices"] == []
    assert chunk["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def test_text_completions_end_in_their_own_form():
    chunk = json.loads(events(completions.length_ending(FIRST, IDENTITY, [0], None))[0])
    assert chunk["object"] == "text_completion"
    assert chunk["choices"][0] == {
        "index": 0, "text": "", "logprobs": None, "finish_reason": "length"
    }  # fmt: skip


def test_finishes_are_found_wherever_they_stand():
    frames = said("a") + said("b", "stop", 1) + b": comment\n\n" + said("", "length", 3)
    assert finished_in(frames + b"data: {broken\n\ndata: [DONE]\n\n") == {1, 3}
    assert finished_in(b"") == set()
