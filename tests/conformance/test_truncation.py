"""A stream that is cut after any of its events, or broken off by an error, is never a success.

For the taps of each protocol and for all translations, on short recordings of each kind.
"""

import json
import re

import pytest

from tests.conformance import crossing, dialogues, judges, plainly
from tests.conformance.dialogues import WIRES, Dialogue
from tollbridge.protocols.chat_stream import ChatTap
from tollbridge.protocols.gemini_stream import GeminiTap
from tollbridge.protocols.messages_stream import MessagesTap
from tollbridge.protocols.responses_stream import ResponsesTap

EACH_KIND = 5
KINDS = ("tool_call", "reasoning_out", "")
LONGEST = 36
TAPS = {"chat": ChatTap, "responses": ResponsesTap, "messages": MessagesTap, "gemini": GeminiTap}
FINISH = {
    "chat": rb'"finish_reason": ?"',
    "responses": rb'"type": ?"response\.(?:completed|incomplete)"',
    "messages": rb'"stop_reason": ?"',
    "gemini": rb'"(?:finishReason|blockReason)": ?"',
}
_FAULT = {"message": "Overloaded", "type": "server_error", "code": "overloaded"}
_FLAT = {"message": "Overloaded", "code": "overloaded", "param": None}
_OPENROUTER = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
_FAILED = {"id": "resp_1", "object": "response", "status": "failed", "error": _FAULT, "output": []}
_GOOGLE = {"error": {"code": 499, "message": "The operation was cancelled.", "status": "CANCELLED"}}


def event(data, name=None):
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data)}\n\n".encode()


# The shapes in which vendors break off (protocols.md 8.3).
ERRORS = {
    "chat": (
        event({"error": _FAULT}),
        event({"error": _FAULT}, "error"),
        event({"id": "gen-1", "choices": [_OPENROUTER], "error": {"code": 502, "message": "x"}}),
    ),
    "responses": (
        event({"type": "error", "sequence_number": 2, "error": _FAULT}, "error"),
        event({**_FLAT, "type": "error", "sequence_number": 2}, "error"),
        event({"type": "response.failed", "response": _FAILED}, "response.failed"),
    ),
    "messages": (event({"type": "error", "error": _FAULT}, "error"),),
    "gemini": (event(_GOOGLE), json.dumps(_GOOGLE, indent=2).encode()),
}


def finish_at(one: Dialogue) -> int:
    """Return which event says that the model has ended."""
    found = [bool(re.search(FINISH[one.wire], frame)) for frame in one.frames()]
    return found.index(True)


@pytest.fixture(scope="module")
def short(corpus):
    """The shortest streams with calls, with thoughts and with neither, of each protocol."""
    chosen: dict[str, list[Dialogue]] = {wire: [] for wire in WIRES}
    streams = [
        one
        for one in dialogues.answered(corpus)
        if one.streamed
        and 3 <= len(one.frames()) <= LONGEST
        and crossing.copies(one) == 1
        and not plainly.is_faulty(one.objects)
        and sum(bool(re.search(FINISH[one.wire], frame)) for frame in one.frames()) == 1
    ]
    for wire in WIRES:
        for kind in KINDS:
            fit = [
                one
                for one in streams
                if one.wire == wire
                and (kind in one.features if kind else not {*KINDS} & {*one.features})
            ]
            chosen[wire] += sorted(fit, key=lambda one: (-len(one.frames()), one.id))[:EACH_KIND]
        assert len(chosen[wire]) >= 12
    return chosen


def run(tap, frames):
    early = b"".join([tap.feed(frame) for frame in frames])
    ended = tap.finished
    tap.close()
    return early, ended, tap.finish_text()


@pytest.mark.parametrize("wire", WIRES)
def test_a_cut_stream_of_the_same_protocol(short, wire):
    for one in short[wire]:
        frames, last = one.frames(), finish_at(one)
        for count in range(len(frames) + 1):
            tap = TAPS[wire]()
            early, ended, late = run(tap, frames[:count])
            assert early + late == b"".join(frames[:count])
            assert ended == tap.finished == (count > last), (one.id, count)
            assert not judges.has_terminal(wire, early), (one.id, count)


@pytest.mark.parametrize("client", WIRES)
@pytest.mark.parametrize("wire", WIRES)
def test_a_cut_stream_of_another_protocol(short, wire, client):
    for one in short[wire] if wire != client else ():
        frames, last = one.frames(), finish_at(one)
        for count in range(len(frames) + 1):
            made = crossing.streamed(one, client, frames[:count])
            assert made.tap.finished == (count > last), (one.id, count)
            assert not judges.has_terminal(client, made.early), (one.id, count)
            assert judges.has_terminal(client, made.late) == (count > last), (one.id, count)
            assert made.tap.error is None, (one.id, count)


@pytest.mark.parametrize("wire", WIRES)
def test_an_error_in_a_stream_of_the_same_protocol(short, wire):
    for one in short[wire]:
        frames = one.frames()
        for error in ERRORS[wire]:
            for count in range(finish_at(one) + 1):
                tap = TAPS[wire]()
                early, _, _ = run(tap, [*frames[:count], error])
                # An error counts more than an end, and some say both.
                assert tap.error is not None, (one.id, count, error)
                assert early == b"".join(frames[:count]), (one.id, count, error)


@pytest.mark.parametrize("client", WIRES)
@pytest.mark.parametrize("wire", WIRES)
def test_an_error_in_a_stream_of_another_protocol(short, wire, client):
    for one in short[wire] if wire != client else ():
        frames = one.frames()
        for error in ERRORS[wire]:
            for count in range(finish_at(one) + 1):
                made = crossing.streamed(one, client, [*frames[:count], error])
                assert made.tap.error is not None, (one.id, count, error)
                assert not judges.has_terminal(client, made.frames), (one.id, count, error)


@pytest.mark.parametrize("wire", WIRES)
def test_an_event_that_is_cut_in_two(short, wire):
    """The last bytes of a stream may be half an event, which says nothing."""
    client = WIRES[WIRES.index(wire) - 1]
    one = short[wire][0]
    frames, last = one.frames(), finish_at(one)
    for length in range(len(frames[last].rstrip())):
        halved = [*frames[:last], frames[last][:length]]
        made = crossing.streamed(one, client, halved)
        assert not made.tap.finished, length
        assert not judges.has_terminal(client, made.frames), length
        tap = TAPS[wire]()
        run(tap, halved)
        assert not tap.finished, length
