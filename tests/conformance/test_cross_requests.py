"""Every recorded request for each other vendor: what is sent is sound, or the client's field is named.

And in its own protocol it comes out as it came in.
"""

import json

import pytest

from tests.conformance import asks, crossing, dialogues, sameness
from tests.conformance.dialogues import PAIRS
from tollbridge.protocols import (
    chat_request_writer,
    gemini_request_writer,
    messages_request_writer,
    responses_request_writer,
)
from tollbridge.protocols.abilities import Abilities, Addressee
from tollbridge.protocols.json_peek import FieldError
from tollbridge.protocols.losses import Losses, Untranslatable
from tollbridge.protocols.tool_names import ToolNames

# The vendor has answered these with a 400 itself.
MALFORMED = frozenset({"71051a9268d1", "a212d9fe1a5e", "476af0c248ad"})
ALL_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
THINKS = {"chat": "effort", "responses": "effort", "messages": "adaptive", "gemini": "level"}
WRITERS = {
    "chat": chat_request_writer.write_request,
    "responses": responses_request_writer.write_request,
    "messages": messages_request_writer.write_request,
    "gemini": gemini_request_writer.write_request,
}
# The client gave two limits, of which the lower one counts.
TWO_LIMITS = frozenset({"47cf2ef219f6"})


def recorded(corpus, wire):
    return [
        one
        for one in dialogues.load(corpus)
        if one.wire == wire and one.request is not None and one.id not in MALFORMED
    ]


def field_names(request):
    """Return the names that a refusal may begin with."""
    spelled = {dialogues.camel(name) for name in request}
    return set(request) | spelled


@pytest.mark.parametrize(("client", "up"), PAIRS)
def test_requests_of_other_protocols(corpus, client, up):
    wrong, refused, seen = {}, 0, 0
    for one in recorded(corpus, client):
        seen += 1
        try:
            body = json.loads(crossing.requested(one, up).body)
        except Untranslatable as error:
            refused += 1
            if error.name.split(".")[0] not in field_names(one.request) or not error.reason:
                wrong[one.id] = f"refused by a field that the client has not: {error.name}"
            continue
        found = asks.complaints(up, body) + asks.broken_rules(up, body)
        if found:
            wrong[one.id] = found
    assert wrong == {}
    assert seen > 200 and refused < seen / 4


@pytest.mark.parametrize("wire", dialogues.WIRES)
def test_requests_of_the_same_protocol(corpus, wire):
    abilities = Abilities(thinks=THINKS[wire], efforts=ALL_EFFORTS)
    wrong = []
    for one in recorded(corpus, wire):
        if one.id in TWO_LIMITS:
            continue
        to = Addressee(one.model, abilities, 64_000)
        asked = crossing.asking(one)
        body = WRITERS[wire](asked, to, ToolNames(asked, 128), Losses())
        if sameness.normal(wire, body) != sameness.normal(wire, one.request):
            wrong.append(one.id)
    assert wrong == []


def test_what_a_vendor_calls_malformed_is_named(corpus):
    for one in dialogues.load(corpus):
        if one.id in MALFORMED:
            assert one.status == 400
            with pytest.raises(FieldError):
                crossing.asking(one)


@pytest.mark.parametrize(
    ("wire", "body"),
    [
        ("chat", {"model": "m", "messages": [{"role": "user", "content": [{"type": "x"}]}]}),
        ("chat", {"model": "m", "messages": [{"role": "user", "content": "a", "extra": 1}]}),
        ("responses", {"model": "m", "input": [{"type": "function_call", "name": "f"}]}),
        ("messages", {"model": "m", "max_tokens": 1, "messages": [{"role": "user"}]}),
        ("messages", {"model": "m", "max_tokens": 1, "messages": [], "extra": 1}),
        ("gemini", {"contents": [{"role": "user", "parts": [{"txt": "a"}]}]}),
    ],
)
def test_the_judge_complains(wire, body):
    assert asks.complaints(wire, body)


CALL = {"type": "tool_use", "id": "a", "name": "f", "input": {}}
HI = {"role": "user", "content": "hi"}


@pytest.mark.parametrize(
    ("wire", "body"),
    [
        ("messages", {"messages": [HI, {"role": "assistant", "content": [CALL]}, HI]}),
        ("messages", {"messages": [HI, HI]}),
        ("chat", {"messages": [HI, {"role": "tool", "tool_call_id": "a", "content": "x"}]}),
        ("chat", {"messages": [HI, {"role": "assistant", "tool_calls": [{"id": "a"}]}, HI]}),
        ("responses", {"input": [{"type": "function_call_output", "call_id": "a"}]}),
        ("gemini", {"contents": [{"role": "model", "parts": [{"text": "a"}]}]}),
    ],
)
def test_the_judge_of_histories_complains(wire, body):
    assert asks.broken_rules(wire, body)
