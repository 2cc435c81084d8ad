"""Proof that the record of a search goes to nobody but who searched, and that nothing else is lost."""

import msgspec
import pytest

from tollbridge.protocols.abilities import Addressee, abilities_of
from tollbridge.protocols.conversation import Opaque, Text, Turn, Wire
from tollbridge.protocols.losses import Losses, Untranslatable
from tollbridge.protocols.search_traces import untraced
from tollbridge.protocols.translation import Translation, read_request

CALLED = Opaque(wire=Wire.RESPONSES, kind="web_search_call", raw={"id": "ws_1"})
USED = Opaque(wire=Wire.MESSAGES, kind="server_tool_use", raw={"name": "web_search"})
FOUND = Opaque(wire=Wire.MESSAGES, kind="web_search_tool_result", raw={})
OTHERS = [
    Opaque(wire=Wire.MESSAGES, kind="server_tool_use", raw={"name": "code_execution"}),
    Opaque(wire=Wire.RESPONSES, kind="file_search_call", raw={}),
    Opaque(wire=Wire.GEMINI, kind="web_search_call", raw={}),
]
SAID = Text(text="It rains.")
ASKED = Turn(role="user", parts=[Text(text="What is the weather?")])
R_HISTORY = {
    "model": "m",
    "input": [
        {"role": "user", "content": "What is the weather?"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed",
         "action": {"type": "search", "query": "weather"}},
        {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed",
         "content": [{"type": "output_text", "text": "It rains.", "annotations": []}]},
        {"role": "user", "content": "And tomorrow?"},
    ],
}  # fmt: skip
A_HISTORY = {
    "model": "m",
    "max_tokens": 500,
    "messages": [
        {"role": "user", "content": "What is the weather?"},
        {"role": "assistant", "content": [
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search",
             "input": {"query": "weather"}},
            {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
            {"type": "text", "text": "It rains."},
        ]},
        {"role": "user", "content": "And tomorrow?"},
    ],
}  # fmt: skip
PLATFORM = {
    Wire.CHAT: "openai",
    Wire.RESPONSES: "openai",
    Wire.MESSAGES: "anthropic",
    Wire.GEMINI: "gemini",
}
CROSSINGS = [
    (wire, body, target)
    for wire, body in ((Wire.RESPONSES, R_HISTORY), (Wire.MESSAGES, A_HISTORY))
    for target in Wire
    if target is not wire
]


def test_traces_go_and_all_else_stays():
    turns = [
        ASKED,
        Turn(role="assistant", parts=[CALLED, USED, FOUND, SAID, *OTHERS]),
        Turn(role="assistant", parts=[CALLED]),
        ASKED,
    ]
    before = msgspec.json.encode(turns)
    losses = Losses()
    assert untraced(turns, losses) == [ASKED, Turn(role="assistant", parts=[SAID, *OTHERS]), ASKED]
    assert losses.counts == {"search_trace": 4}
    assert msgspec.json.encode(turns) == before


def test_without_traces_the_turns_are_the_same_object():
    turns = [ASKED, Turn(role="assistant", parts=[SAID, *OTHERS])]
    losses = Losses()
    assert untraced(turns, losses) is turns
    assert not losses.counts


@pytest.mark.parametrize(("wire", "body", "target"), CROSSINGS)
def test_a_history_with_a_search_can_go_on_at_every_other_vendor(wire, body, target):
    conversation = read_request(wire, msgspec.json.encode(body))
    to = Addressee("m", abilities_of(PLATFORM[target], "m"), 32_000, False)
    translation = Translation(conversation, target, to)
    sent = translation.body.decode()
    assert all(text in sent for text in ("What is the weather?", "It rains.", "And tomorrow?"))
    assert not any(trace in sent for trace in ("ws_1", "srvtoolu_1", "web_search"))
    assert translation.losses.counts["search_trace"] == (1 if wire is Wire.RESPONSES else 2)


def test_what_another_tool_of_the_vendor_did_is_still_refused():
    body = msgspec.json.encode(A_HISTORY).replace(b'"web_search"', b'"code_execution"')
    to = Addressee("m", abilities_of("gemini", "m"), 32_000, False)
    with pytest.raises(Untranslatable):
        Translation(read_request(Wire.MESSAGES, body), Wire.GEMINI, to)
