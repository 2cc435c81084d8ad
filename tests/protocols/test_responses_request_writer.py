"""Requests of other protocols as requests of the Responses protocol."""

import json

import pytest

from tollbridge.protocols import chat_request_reader, messages_request_reader
from tollbridge.protocols.abilities import Abilities, Addressee, abilities_of
from tollbridge.protocols.conversation import (
    Carrier,
    Conversation,
    Format,
    Function,
    Reasoning,
    Text,
    Thinking,
    Turn,
    Vendor,
    Wire,
)
from tollbridge.protocols.losses import Losses, Untranslatable
from tollbridge.protocols.responses_request_writer import write_request
from tollbridge.protocols.tool_names import ToolNames

HI = Turn(role="user", parts=[Text(text="hi")])
PLAIN = Abilities()
THINKS = Abilities(thinks="effort", efforts=("low", "medium", "high"), sampling=False)
CACHE = {"type": "ephemeral"}


def write(abilities=PLAIN, most=0, **fields):
    given = {"wire": Wire.CHAT, "model": "m", "turns": [HI], **fields}
    conversation = Conversation(**given)
    losses = Losses()
    to = Addressee("up", abilities, most)
    return write_request(conversation, to, ToolNames(conversation), losses), losses.counts


def test_a_plain_request():
    body, losses = write()
    assert body == {"model": "up", "input": [{"role": "user", "content": "hi"}], "store": False}
    assert not losses


def test_instructions_are_joined_and_a_billing_note_is_left_out():
    system = [
        Text(text="a"),
        Text(text="x-anthropic-billing-header: 1"),
        Text(text="b", cache=CACHE),
    ]
    body, losses = write(wire=Wire.MESSAGES, system=system)
    assert body["instructions"] == "a\n\nb"
    assert losses == {"cache_hint": 1}
    body, _ = write(system=[Text(text="a")], turns=[])
    assert body["input"] == [{"role": "developer", "content": "a"}]
    assert "instructions" not in body


def test_sampling():
    body, losses = write(temperature=0.5, top_p=0.1, stream=True, tier="standard_only")
    assert "max_output_tokens" not in body
    assert (body["temperature"], body["top_p"], body["stream"]) == (0.5, 0.1, True)
    assert body["service_tier"] == "default"
    assert not losses
    body, losses = write(
        THINKS,
        temperature=0.5,
        top_p=0.1,
        top_k=3,
        seed=1,
        presence_penalty=0.5,
        logprobs=2,
        tier="batch",
    )
    assert losses == dict.fromkeys(
        ("temperature", "top_p", "top_k", "seed", "penalties", "logprobs", "tier"), 1
    )
    assert set(body) == {"model", "input", "store"}


@pytest.mark.parametrize(("asked", "most", "said"), [(5, 0, 16), (500, 100, 100), (50, 100, 50)])
def test_the_limit_has_a_floor(asked, most, said):
    body, _ = write(PLAIN, most, max_output=asked)
    assert body["max_output_tokens"] == said


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"stop": ["x"]}, "stop"),
        ({"stop": ["x"], "wire": Wire.MESSAGES}, "stop_sequences"),
        ({"copies": 2}, "n"),
        ({"copies": 2, "wire": Wire.GEMINI}, "generationConfig.candidateCount"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"audio_options": {"voice": "a"}}, "audio"),
        ({"extra": {"container": "c"}, "wire": Wire.MESSAGES}, "container"),
        ({"extra": {"cachedContent": "c"}, "wire": Wire.GEMINI}, "cachedContent"),
        (
            {"extra": {"generationConfig": {"speechConfig": {"a": 1}}}, "wire": Wire.GEMINI},
            "generationConfig.speechConfig",
        ),
        ({"extra": {"context_management": {"edits": [{"type": "compact"}]}}}, "context_management"),
    ],
)
def test_what_changes_the_answer_is_refused_by_name(fields, name):
    with pytest.raises(Untranslatable) as caught:
        write(**fields)
    assert caught.value.name == name


def test_what_says_nothing_is_not_refused():
    extra = {"container": None, "mcp_servers": [], "background": False}
    assert write(extra=extra, stop=[""], modalities=["text"], copies=1)[1] == {}


def test_advisory_fields():
    extra = {
        "logit_bias": {"1": 2},
        "prediction": {"content": "a"},
        "store": True,
        "metadata": {"a": "b"},
        "prompt_cache_key": "k",
        "verbosity": "low",
    }
    body, losses = write(extra=extra)
    assert losses == {"logit_bias": 1, "prediction": 1, "store": 1}
    assert (body["metadata"], body["prompt_cache_key"], body["store"]) == ({"a": "b"}, "k", False)
    assert body["text"] == {"verbosity": "low"}
    edits = {"edits": [{"type": "clear_tool_uses_20250919"}]}
    extra = {"metadata": {"x": 1}, "context_management": edits}
    body, losses = write(wire=Wire.MESSAGES, extra=extra)
    shown = {"toolConfig": {"includeServerSideToolInvocations": True}}
    assert write(wire=Wire.GEMINI, extra=shown)[1] == {"include": 1}
    assert losses == {"metadata": 1} and "metadata" not in body


def test_the_end_users_name_is_not_told():
    body, _ = write(end_user="bob@example.com")
    assert len(body["safety_identifier"]) == 64
    assert "bob" not in json.dumps(body)


@pytest.mark.parametrize(
    ("thinking", "wire", "reasoning"),
    [
        (Thinking(effort="low"), Wire.CHAT, {"effort": "low", "summary": "auto"}),
        (Thinking(effort="max"), Wire.CHAT, {"effort": "high", "summary": "auto"}),
        (Thinking(budget=1024, enabled=True), Wire.MESSAGES, {"effort": "low", "summary": "auto"}),
        (
            Thinking(enabled=True, adaptive=True),
            Wire.MESSAGES,
            {"effort": "medium", "summary": "auto"},
        ),
        (Thinking(enabled=True, shown=False), Wire.MESSAGES, {"effort": "medium"}),
        (Thinking(effort="high"), Wire.GEMINI, {"effort": "high"}),
        (Thinking(budget=-1, shown=True), Wire.GEMINI, {"effort": "medium", "summary": "auto"}),
        (Thinking(enabled=False), Wire.MESSAGES, {"effort": "low"}),
        (Thinking(effort="low"), Wire.MESSAGES, {"effort": "low"}),
    ],
)
def test_thinking(thinking, wire, reasoning):
    body, _ = write(THINKS, thinking=thinking, wire=wire)
    assert body["reasoning"] == reasoning
    carriers = wire is not Wire.CHAT and "summary" in reasoning
    assert body.get("include") == (["reasoning.encrypted_content"] if carriers else None)


def test_a_model_that_does_not_think_is_not_told_to():
    body, losses = write(thinking=Thinking(effort="high"), wire=Wire.MESSAGES)
    assert "reasoning" not in body and "include" not in body
    assert losses == {"effort": 1}


def test_replayed_thoughts_are_asked_for_again():
    thought = Reasoning(texts=[], carrier=Carrier(Vendor.OPENAI, "gAAA"))
    turns = [HI, Turn(role="assistant", parts=[thought, Text(text="a")]), HI]
    assert write(turns=turns)[0]["include"] == ["reasoning.encrypted_content"]


def test_the_form_of_the_answer():
    body, _ = write(format=Format(kind="json"))
    assert body["text"] == {"format": {"type": "json_object"}}
    body, _ = write(format=Format(kind="schema", schema={"type": "object"}))
    form = {
        "type": "json_schema",
        "name": "response",
        "schema": {"type": "object"},
        "strict": False,
    }
    assert body["text"] == {"format": form}


def test_tools_go_along():
    body, _ = write(tools=[Function(name="f")], parallel=True)
    assert (body["tools"][0]["name"], body["parallel_tool_calls"]) == ("f", True)


READERS = {
    "chat-completions": chat_request_reader.read_request,
    "anthropic": messages_request_reader.read_request,
}


def test_requests_written_by_hand_in_two_protocols_say_the_same(corpus):
    seen, refused = 0, []
    for line in (corpus / "request_pairs.jsonl").read_text().splitlines():
        pair = json.loads(line)
        wanted = pair["requests"].get("responses")
        for name, read in READERS.items():
            if wanted is None or name not in pair["requests"]:
                continue
            conversation = read(pair["requests"][name])
            to = Addressee(wanted["model"], abilities_of("openai", wanted["model"]), 0)
            try:
                body = write_request(conversation, to, ToolNames(conversation), Losses())
            except Untranslatable as error:
                refused.append((pair["case"], error.name))
                continue
            tools = [
                [tool.get("name", tool["type"]) for tool in form.get("tools", ())]
                for form in (body, wanted)
            ]
            assert tools[0] == tools[1], pair["case"]
            # Some pairs are written with other words or without an effort; what both say agrees.
            effort = body.get("reasoning", {}).get("effort")
            if effort is not None and pair["case"] != "simpleRequest":
                assert effort == wanted["reasoning"]["effort"], pair["case"]
            if "tool_choice" in wanted:
                assert body["tool_choice"] == wanted["tool_choice"], pair["case"]
            if "parallel_tool_calls" in wanted:
                assert body["parallel_tool_calls"] == wanted["parallel_tool_calls"], pair["case"]
            if "text" in body:
                assert body["text"]["format"]["type"] == wanted["text"]["format"]["type"]
            seen += 1
    assert refused == [("responsesToolSearchInputParam", "tools")]
    assert seen > 20
