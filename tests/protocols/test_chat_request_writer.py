"""Conversations as chat requests: the same protocol loses nothing, others are said or refused."""

import hashlib

import pytest
from hypothesis import given

from tests.protocols import recordings
from tests.protocols.chat_bodies import BODIES
from tollbridge.protocols.abilities import Abilities, Addressee
from tollbridge.protocols.chat_request_reader import read_request
from tollbridge.protocols.chat_request_writer import write_request
from tollbridge.protocols.conversation import (
    Conversation,
    Custom,
    Format,
    Function,
    Text,
    Thinking,
    Turn,
    Wire,
)
from tollbridge.protocols.losses import Losses, Untranslatable
from tollbridge.protocols.tool_names import ToolNames

EFFORTS = ("low", "medium", "high")
THINKER = Abilities(thinks="effort", efforts=EFFORTS, sampling=False)
OPENAI = Addressee(model="up", abilities=Abilities(), max_output=1000)
LIKE = Addressee(model="up", abilities=Abilities(), max_output=1000, compatible=True)
HI = [Turn(role="user", parts=[Text(text="hi")])]


def again(body, to=OPENAI):
    said = read_request(body)
    losses = Losses()
    written = write_request(said, to, ToolNames(said), losses)
    assert losses.counts == {}
    return written


def asked(to=OPENAI, losses=None, wire=Wire.MESSAGES, **fields):
    said = Conversation(wire=wire, model="m", **{"turns": HI, **fields})
    body = write_request(said, to, ToolNames(said), losses or Losses())
    assert body.pop("model") == "up"
    assert body.pop("messages")
    return body


def lost(to=OPENAI, **fields):
    losses = Losses()
    asked(to, losses, **fields)
    return dict(losses.counts)


def refused(to=OPENAI, **fields):
    with pytest.raises(Untranslatable) as error:
        asked(to, **fields)
    assert error.value.reason.endswith(".")
    return error.value.name


def test_every_recorded_request_comes_back(corpus):
    compared = 0
    for one in recordings.load(corpus, "openai_chat"):
        body = one.request
        if not isinstance(body, dict) or not body.get("messages") or not body.get("model"):
            continue
        compared += 1
        to = Addressee(model=body["model"], abilities=Abilities(), max_output=1)
        assert _plain(again(body, to)) == _plain(body), one.file
    assert compared > 300


def _plain(body):
    """Return a request with the several spellings of one thing made one."""
    fields = {name: value for name, value in body.items() if value not in (None, [], False)}
    limit = fields.pop("max_tokens", None) or fields.pop("max_completion_tokens", None)
    options = {"include_usage": True} | (fields.pop("stream_options", None) or {})
    if fields.get("stream"):
        fields["stream_options"] = options
    if fields.get("response_format") == {"type": "text"}:
        del fields["response_format"]
    if isinstance(fields.get("stop"), str):
        fields["stop"] = [fields["stop"]]
    if fields.get("tool_choice") == "any":
        fields["tool_choice"] = "required"
    if fields.get("n") == 1:
        del fields["n"]
    if "user" in fields:
        fields["safety_identifier"] = fields.pop("user")
    fields["tools"] = [_plain_tool(tool) for tool in fields.get("tools", ())]
    fields["messages"] = [_plain_message(message) for message in body["messages"]]
    return fields | {"limit": limit}


def _plain_tool(tool):
    function = {k: v for k, v in tool.get("function", {}).items() if v not in (None, "")}
    return {"type": "function", **tool, **({"function": function} if function else {})}


def _plain_message(message):
    plain = {k: v for k, v in message.items() if v not in (None, [], "")}
    content = plain.get("content")
    if isinstance(content, list):
        plain["content"] = [_plain_part(part) for part in content]
        if len(content) == 1 and content[0].keys() == {"type", "text"}:
            plain["content"] = content[0]["text"]
    return plain


def _plain_part(part):
    """Return a part without what its bytes say better than its client did."""
    if part["type"] not in {"image_url", "file"}:
        return {name: value for name, value in part.items() if value is not None}
    inner = part[part["type"]]
    data = inner.get("url") or inner.get("file_data")
    return [
        part["type"],
        inner.get("detail"),
        inner.get("filename"),
        data and data.rpartition(",")[2],
    ]


@given(BODIES)
def test_the_same_protocol_loses_nothing(body):
    if "tools" not in body:
        body.pop("parallel_tool_calls", None)
    assert again(body) == body


def test_old_functions_come_back():
    body = {
        "model": "up",
        "messages": [
            {"role": "user", "content": "q"},
            {
                "role": "assistant",
                "content": None,
                "function_call": {"name": "f", "arguments": "{}"},
            },
            {"role": "function", "name": "f", "content": "r"},
        ],
        "functions": [{"name": "f", "description": "d", "parameters": {"type": "object"}}],
        "function_call": {"name": "f"},
    }
    assert again(body) == body


def test_streams_always_report_their_usage():
    assert asked(stream=True) == {"stream": True, "stream_options": {"include_usage": True}}
    body = {"model": "up", "messages": [{"role": "user", "content": "q"}], "stream": True}
    options = {"include_obfuscation": False}
    assert again({**body, "stream_options": options})["stream_options"] == {
        "include_obfuscation": False,
        "include_usage": True,
    }


def test_limits():
    assert asked(max_output=5) == {"max_completion_tokens": 5}
    assert asked(max_output=5000) == {"max_completion_tokens": 1000}
    assert asked(LIKE, max_output=5) == {"max_tokens": 5}
    old = Addressee(model="up", abilities=Abilities(old_limit_field=True), max_output=9)
    assert asked(old, max_output=5) == {"max_tokens": 5}


def test_sampling():
    fields = {"temperature": 0.5, "top_p": 0.1, "presence_penalty": 1.5}
    assert asked(**fields) == fields
    thinker = Addressee(model="up", abilities=THINKER, max_output=9)
    assert asked(thinker, **fields) == {}
    assert lost(thinker, **fields) == {"temperature": 1, "top_p": 1, "penalties": 1}
    assert lost(thinker, temperature=1, top_p=1, frequency_penalty=0) == {}
    either = Addressee(model="up", abilities=Abilities(both_samplings=False), max_output=9)
    assert asked(either, temperature=0.5, top_p=0.1) == {"temperature": 0.5}
    assert lost(top_k=3) == {"top_k": 1}
    assert asked(wire=Wire.GEMINI, logprobs=30, seed=4, copies=2) == {
        "logprobs": True,
        "top_logprobs": 20,
        "seed": 4,
        "n": 2,
    }
    assert lost(thinker, logprobs=1) == {"logprobs": 1}


def test_stops():
    five = list("abcde")
    assert asked(stop=five[:4]) == {"stop": five[:4]}
    assert asked(LIKE, stop=five) == {"stop": five}
    assert refused(stop=five) == "stop_sequences"
    assert refused(stop=five, wire=Wire.GEMINI) == "generationConfig.stopSequences"


@pytest.mark.parametrize(
    ("wish", "effort"),
    [
        (Thinking(effort="low"), "low"),
        (Thinking(effort="max"), "high"),
        (Thinking(budget=20_000), "high"),
        (Thinking(budget=-1), "medium"),
        (Thinking(enabled=True), "medium"),
        (Thinking(adaptive=True, enabled=True, effort="low"), "low"),
        (Thinking(enabled=False), "low"),
        (Thinking(budget=0), "low"),
        (Thinking(), None),
    ],
)
def test_efforts(wish, effort):
    thinker = Addressee(model="up", abilities=THINKER, max_output=9)
    assert asked(thinker, thinking=wish).get("reasoning_effort") == effort
    assert "reasoning_effort" not in asked(thinking=wish)


def test_efforts_that_are_not_there_are_a_loss():
    assert lost(thinking=Thinking(effort="high")) == {"effort": 1}
    assert lost(thinking=Thinking(enabled=False)) == {}


def test_forms():
    schema = {"type": "object"}
    form = Format(kind="schema", schema=schema)
    told = {"type": "json_schema", "json_schema": {"name": "response", "schema": schema}}
    assert asked(format=form) == {"response_format": told}
    assert asked(format=Format(kind="json")) == {"response_format": {"type": "json_object"}}
    loose = Addressee(model="up", abilities=Abilities(output_schema=False), max_output=9)
    for system in ([], [Text(text="s")], [Text(text="s"), Text(text="t")]):
        said = Conversation(wire=Wire.GEMINI, model="m", system=system, turns=HI, format=form)
        body = write_request(said, loose, ToolNames(said), Losses())
        assert body["response_format"] == {"type": "json_object"}
        assert body["messages"][0]["role"] == "system"
        assert '{"type":"object"}' in str(body["messages"][0]["content"])


def test_modalities_and_images():
    assert asked(modalities=["text"]) == {}
    assert refused(modalities=["image"]) == "generationConfig.responseModalities"
    assert refused(LIKE, modalities=["audio"]) == "generationConfig.responseModalities"
    options = {"aspectRatio": "1:1", "imageSize": "2K"}
    assert asked(LIKE, modalities=["image", "text"], image_options=options) == {
        "modalities": ["image", "text"],
        "image_config": {"aspect_ratio": "1:1", "image_size": "2K"},
    }


def test_the_end_user_is_not_named_to_another_vendor():
    hidden = hashlib.sha256(b"account_1").hexdigest()
    assert asked(end_user="account_1") == {"safety_identifier": hidden}
    assert asked(LIKE, end_user="account_1") == {"user": hidden}


def test_tiers():
    assert asked(tier="standard_only") == {"service_tier": "default"}
    assert asked(tier="PRIORITY") == {"service_tier": "priority"}
    assert lost(tier="odd") == {"tier": 1}
    assert lost(LIKE, tier="flex") == {"tier": 1}
    assert lost(LIKE, tier="auto") == {}


def test_other_protocols_fields():
    clears = {"edits": [{"type": "clear_tool_uses_20250919"}]}
    assert lost(extra={"metadata": {"a": 1}, "context_management": clears}) == {
        "metadata": 1,
        "context_edit": 1,
    }
    assert refused(extra={"context_management": {"edits": [{"type": "compact_20260112"}]}})
    assert refused(extra={"container": "c"}) == "container"
    assert lost(extra={"container": None, "background": False, "mcp_servers": []}) == {}
    assert asked(wire=Wire.RESPONSES, extra={"verbosity": "low", "prompt_cache_key": "k"}) == {
        "verbosity": "low",
        "prompt_cache_key": "k",
    }
    assert lost(LIKE, wire=Wire.RESPONSES, extra={"verbosity": "low", "truncation": "auto"}) == {
        "verbosity": 1,
        "context_edit": 1,
    }
    moderation = {"moderation": {"model": "omni"}}
    assert asked(wire=Wire.RESPONSES, extra=moderation) == moderation
    assert refused(LIKE, wire=Wire.RESPONSES, extra=moderation) == "moderation"
    assert refused(wire=Wire.GEMINI, extra={"generationConfig": {"speechConfig": {"a": 1}}}) == (
        "generationConfig.speechConfig"
    )
    assert lost(wire=Wire.GEMINI, extra={"generationConfig": {"mediaResolution": "LOW"}}) == {
        "image_detail": 1
    }
    # What Google's own search did is only shown, never asked for.
    shown = {"toolConfig": {"includeServerSideToolInvocations": True}}
    assert lost(wire=Wire.GEMINI, extra=shown) == {"include": 1}


def test_free_text_tools_for_vendors_without_them():
    tools = [Custom(name="patch"), Function(name="f")]
    said = Conversation(wire=Wire.RESPONSES, model="m", turns=HI, tools=tools)
    names = ToolNames(said)
    assert write_request(said, LIKE, names, Losses())["tools"][0]["type"] == "function"
    assert names.customs == {"patch"}
    names = ToolNames(said)
    assert write_request(said, OPENAI, names, Losses())["tools"][0]["type"] == "custom"
    assert names.customs == set()
