"""Proof of service tiers: each protocol's own word is read where it stands, the usual one is none."""

import json

import pytest

from tollbridge.protocols import chat, completions, gemini, messages, responses
from tollbridge.protocols.chat_stream import ChatTap
from tollbridge.protocols.service_tier import tier_name, with_tier
from tollbridge.protocols.usage import Usage


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("flex", "flex"),
        ("PRIORITY", "priority"),
        ("default", ""),
        ("auto", ""),
        ("standard", ""),
        ("ON_DEMAND", ""),
        ("ON_DEMAND_FLEX", "flex"),
        ("ON_DEMAND_PRIORITY", "priority"),
        ("PROVISIONED_THROUGHPUT", "provisioned_throughput"),
        (None, ""),
        (7, ""),
        ("", ""),
        ("a b", ""),
        ("x" * 33, ""),
        ("x" * 32, "x" * 32),
    ],
)
def test_names(said, name):
    assert tier_name(said) == name
    assert with_tier(Usage(input=1), said) == Usage(input=1, tier=name)
    assert with_tier(None, said) is None


CHAT = {
    "model": "m",
    "service_tier": "flex",
    "choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}
TEXT = CHAT | {"choices": [{"text": "hi", "finish_reason": "stop"}]}
RESPONSE = {
    "model": "m",
    "service_tier": "priority",
    "status": "completed",
    "output": [],
    "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
}
MESSAGE = {
    "model": "m",
    "content": [{"type": "text", "text": "hi"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1, "output_tokens": 2, "service_tier": "batch"},
}
GEMINI = {
    "candidates": [{"content": {"parts": [{"text": "hi"}]}, "finishReason": "STOP"}],
    "usageMetadata": {
        "promptTokenCount": 1,
        "candidatesTokenCount": 2,
        "totalTokenCount": 3,
        "serviceTier": "priority",
    },
}


@pytest.mark.parametrize(
    ("read", "reply", "tier"),
    [
        (chat.read_reply, CHAT, "flex"),
        (chat.read_reply, CHAT | {"service_tier": "default"}, ""),
        (chat.read_reply, CHAT | {"extra": {"quick": "no"}, "service_tier": None}, ""),
        (completions.read_reply, TEXT, "flex"),
        (responses.read_reply, RESPONSE, "priority"),
        (messages.read_reply, MESSAGE, "batch"),
        (gemini.read_reply, GEMINI, "priority"),
    ],
)
def test_whole_answers(read, reply, tier):
    facts = read(json.dumps(reply).encode())
    assert facts.usage == Usage(input=1, output=2, tier=tier)


def test_a_stream_says_it_in_the_chunk_that_bears_the_usage():
    tap = ChatTap()
    chunk = {"model": "m", "service_tier": "flex", "choices": [], "usage": CHAT["usage"]}
    tap.feed(b"data: " + json.dumps(chunk).encode() + b"\n\n")
    assert tap.usage == Usage(input=1, output=2, tier="flex")
