"""Proof of a try in another protocol: where it goes, what the gateway writes in, what comes back."""

import json
from urllib.parse import unquote

import msgspec
import pytest

from tests.relay.calls import account
from tests.relay.dialects import said_to, task_for
from tollbridge.protocols.conversation import Conversation, Wire
from tollbridge.protocols.json_peek import FieldError
from tollbridge.protocols.losses import Untranslatable
from tollbridge.protocols.translated_tap import TranslatedTap
from tollbridge.relay.chat_dialects import CHAT
from tollbridge.relay.gemini_dialects import GeminiCall
from tollbridge.relay.messages_dialects import MESSAGES
from tollbridge.relay.responses_dialects import RESPONSES
from tollbridge.relay.translated import path_of, wire_of

OPENAI, COMPATIBLE = account(), account(compatible=True)
ANTHROPIC, GEMINI = account(platform="anthropic"), account(platform="gemini")
SAID = [{"role": "user", "content": "hello"}]
ASKS = {
    "chat": (CHAT, {"model": "m", "messages": SAID}),
    "responses": (RESPONSES, {"model": "m", "input": "hello"}),
    "messages": (MESSAGES, {"model": "m", "messages": SAID, "max_tokens": 500}),
    "gemini": (
        GeminiCall("v1beta", "m", stream=False),
        {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]},
    ),
}
PATHS = {
    "openai": b"/v1/responses",
    "compatible": b"/v1/chat/completions",
    "anthropic": b"/v1/messages",
    "gemini": b"/v1beta/models/m:generateContent",
}
ACCOUNTS = {
    "openai": OPENAI,
    "compatible": COMPATIBLE,
    "anthropic": ANTHROPIC,
    "gemini": GEMINI,
}
# What a vendor answers, in its own words: "hey", ended, 3 tokens in and 1 out.
ANSWERS = {
    "openai": {
        "id": "resp_1", "object": "response", "status": "completed", "model": "up",
        "output": [{"type": "message", "role": "assistant",
                    "content": [{"type": "output_text", "text": "hey", "annotations": []}]}],
        "usage": {"input_tokens": 3, "output_tokens": 1, "total_tokens": 4},
    },
    "compatible": {
        "id": "c", "model": "up",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hey"},
                     "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
    },
    "anthropic": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "up",
        "content": [{"type": "text", "text": "hey"}], "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 1},
    },
    "gemini": {
        "modelVersion": "up", "responseId": "r",
        "candidates": [{"content": {"role": "model", "parts": [{"text": "hey"}]},
                        "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1, "totalTokenCount": 4},
    },
}  # fmt: skip
PAIRS = [
    (client, vendor)
    for client in ASKS
    for vendor in ACCOUNTS
    if not (client == vendor or (client, vendor) == ("responses", "openai")
            or (client == "chat" and vendor in {"openai", "compatible"})
            or (client, vendor) == ("messages", "anthropic"))
]  # fmt: skip


def holds(value, part):
    """Say whether everything of `part` is in the value, level by level."""
    if not isinstance(part, dict):
        return value == part
    return isinstance(value, dict) and all(holds(value.get(k), v) for k, v in part.items())


def pair(client, vendor, **task):
    dialect, body = ASKS[client]
    return dialect.errand(task_for(dialect, body, **task), ACCOUNTS[vendor])


@pytest.mark.parametrize(("client", "vendor"), PAIRS)
def test_every_surface_reaches_every_platform_and_comes_back(client, vendor):
    errand = pair(client, vendor)
    assert (errand.path, errand.content_type) == (PATHS[vendor], b"application/json")
    assert not errand.native
    assert b"hello" in errand.body
    facts, shown = errand.read(msgspec.json.encode(ANSWERS[vendor]), b"application/json")
    assert (facts.model, facts.finished, facts.text_bytes, facts.empty) == ("up", True, 3, False)
    assert (facts.usage.input, facts.usage.output) == (3, 1)
    answer = msgspec.json.decode(shown)
    said = {
        "chat": lambda: answer["choices"][0]["message"]["content"],
        "responses": lambda: answer["output"][0]["content"][0]["text"],
        "messages": lambda: answer["content"][0]["text"],
        "gemini": lambda: answer["candidates"][0]["content"]["parts"][0]["text"],
    }[client]()
    assert said == "hey"


@pytest.mark.parametrize(("client", "vendor"), PAIRS)
@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b"{}", b'{"model":7}', b"null"])
def test_what_is_no_answer_has_no_facts_and_never_raises(client, vendor, body):
    facts, _ = pair(client, vendor).read(body, b"")
    assert facts.empty and facts.usage is None and not facts.text_bytes


def test_an_error_inside_of_a_success_is_the_fault_and_nothing_is_shown():
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}'
    facts, shown = pair("chat", "anthropic").read(body, b"")
    assert (facts.error.type, shown) == ("overloaded_error", b"")


@pytest.mark.parametrize(
    ("limits", "told"), [((None, 77), 77), ((500, 77), 77), ((50, 77), 50), ((50, None), 50)]
)
def test_the_limit_that_the_money_pays_for_is_told_where_it_is_the_lower(limits, told):
    asked, paid = limits
    body = {"model": "m", "messages": SAID} | ({} if asked is None else {"max_tokens": asked})
    sent = said_to(CHAT, task_for(CHAT, body, limit=paid), GEMINI)
    assert sent["generationConfig"]["maxOutputTokens"] == told
    sent = said_to(CHAT, task_for(CHAT, body, limit=paid), ANTHROPIC)
    assert sent["max_tokens"] == told


@pytest.mark.parametrize("vendor", ["openai", "compatible", "anthropic", "gemini"])
def test_a_mapped_model_is_sent_and_the_client_reads_its_own_name(vendor):
    dialect, body = ASKS["messages"]
    if vendor == "anthropic":
        dialect, body = ASKS["chat"]
    errand = dialect.errand(task_for(dialect, body, model="sent"), ACCOUNTS[vendor])
    sent = errand.path if vendor == "gemini" else errand.body
    assert b"sent" in sent
    _, shown = errand.read(msgspec.json.encode(ANSWERS[vendor]), b"")
    assert msgspec.json.decode(shown)["model"] == "m"


@pytest.mark.parametrize(
    ("vendor", "model", "told"),
    [
        ("openai", "gpt-5", {"reasoning": {"effort": "high"}}),
        ("gemini", "gemini-2.5-flash",
         {"generationConfig": {"thinkingConfig": {"thinkingBudget": 24_576}}}),
        ("gemini", "gemini-3-flash",
         {"generationConfig": {"thinkingConfig": {"thinkingLevel": "HIGH"}}}),
        ("compatible", "gpt-5", {"reasoning_effort": "high"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "thinking", [None, {"type": "disabled"}, {"type": "enabled", "budget_tokens": 1_024}]
)
def test_an_effort_of_the_name_is_told_whatever_the_body_said(vendor, model, told, thinking):
    body = {"model": f"{model}-high", "messages": SAID, "max_tokens": 500}
    if thinking is not None:
        body["thinking"] = thinking
    task = task_for(MESSAGES, body, model=model, effort="high")
    sent = said_to(MESSAGES, task, ACCOUNTS[vendor])
    assert holds(sent, told), sent


def test_an_effort_of_the_name_reaches_anthropic():
    body = {"model": "claude-sonnet-4-5-high", "messages": SAID, "max_tokens": 9_000}
    task = task_for(CHAT, body, model="claude-sonnet-4-5", effort="high")
    assert said_to(CHAT, task, ANTHROPIC)["thinking"]["type"] == "enabled"
    assert "thinking" not in said_to(CHAT, task._replace(effort=None), ANTHROPIC)


@pytest.mark.parametrize(
    ("fields", "name"),
    [({"n": 2}, "n"), ({"future_field": {"a": 1}}, "future_field"),
     ({"modalities": ["text", "audio"], "audio": {"voice": "a", "format": "wav"}}, "modalities")],
)  # fmt: skip
def test_what_the_vendor_cannot_be_told_is_named(fields, name):
    task = task_for(CHAT, {"model": "m", "messages": SAID, **fields})
    with pytest.raises(Untranslatable) as error:
        CHAT.errand(task, ANTHROPIC)
    assert error.value.name.startswith(name)
    assert isinstance(error.value, FieldError)
    assert error.value.reason.endswith(".")


@pytest.mark.parametrize(
    ("fields", "wire"),
    [
        ({}, Wire.RESPONSES),
        ({"stop": ["x"]}, Wire.CHAT),
        ({"copies": 2}, Wire.CHAT),
        ({"modalities": ["text", "audio"]}, Wire.CHAT),
        ({"modalities": ["text"]}, Wire.RESPONSES),
        ({"audio_options": {"voice": "a"}}, Wire.CHAT),
    ],
)
def test_openai_is_asked_in_the_protocol_that_can_say_all(fields, wire):
    conversation = Conversation(wire=Wire.MESSAGES, model="m", **fields)
    assert wire_of(OPENAI, conversation) is wire
    assert wire_of(COMPATIBLE, conversation) is Wire.CHAT
    assert wire_of(ANTHROPIC, conversation) is Wire.MESSAGES
    assert wire_of(GEMINI, conversation) is Wire.GEMINI


def test_only_gemini_says_in_its_path_how_it_is_to_answer():
    assert path_of(Wire.GEMINI, "g", stream=True) == (
        b"/v1beta/models/g:streamGenerateContent?alt=sse"
    )
    assert path_of(Wire.GEMINI, "g", stream=False) == b"/v1beta/models/g:generateContent"
    for wire in (Wire.CHAT, Wire.RESPONSES, Wire.MESSAGES):
        assert path_of(wire, "g", stream=True) == path_of(wire, "g", stream=False)


def test_each_stream_is_watched_by_itself():
    dialect, body = ASKS["chat"]
    errand = dialect.errand(task_for(dialect, {**body, "stream": True}), ANTHROPIC)
    assert json.loads(errand.body)["stream"] is True
    first, second = errand.tap(), errand.tap()
    assert isinstance(first, TranslatedTap)
    first.feed(b'event: message_start\ndata: {"type":"message_start","message":{"model":"u"}}\n\n')
    assert (first.model, second.model) == ("u", None)


@pytest.mark.parametrize("name", ["x HTTP/1.1", "a/../b", "a?key=b", "a#b", "a%2e", "ü", "a:b"])
def test_no_name_of_a_model_leaves_its_segment_of_the_path(name):
    path = path_of(Wire.GEMINI, name, stream=False)
    inner = path.removeprefix(b"/v1beta/models/").removesuffix(b":generateContent")
    assert unquote(inner.decode()) == name
    assert not set(b" /?#:") & set(inner)
