"""The twin of protocols/messages_request_reader.py."""

import pytest

from tests.protocols import messages_oracle as oracle
from tollbridge.protocols.conversation import (
    Format,
    Function,
    ServerTool,
    Text,
    Thinking,
    ToolChoice,
    Turn,
    WebSearch,
    Wire,
)
from tollbridge.protocols.json_peek import FieldError
from tollbridge.protocols.messages_request_reader import (
    BILLING,
    is_billing_header,
    read_request,
)

HI = [{"role": "user", "content": "hi"}]


def read(**fields):
    return read_request({"model": "claude", "max_tokens": 9, "messages": HI, **fields})


def test_the_least_request():
    found = read()
    assert (found.wire, found.model, found.max_output) == (Wire.MESSAGES, "claude", 9)
    assert found.turns == [Turn(role="user", parts=[Text(text="hi")])]
    assert (found.stream, found.wants_usage, found.extra) == (False, True, {})


def test_scalars():
    found = read(
        temperature=1, top_p=0.5, top_k=3, stop_sequences=["a"], stream=True, service_tier="auto",
        metadata={"user_id": "u", "more": 1}, container="c", inference_geo=None,
    )  # fmt: skip
    assert (found.temperature, found.top_p, found.top_k, found.stop) == (1, 0.5, 3, ["a"])
    assert (found.stream, found.tier, found.end_user) == (True, "auto", "u")
    assert found.extra == {"container": "c", "metadata": {"more": 1}}


def test_system_and_instructions_in_between():
    header = "x-anthropic-billing-header: cc_version=1"
    found = read(
        system=[{"type": "text", "text": header}, {"type": "text", "text": "be kind"}],
        messages=[*HI, {"role": "system", "content": "now be brief"}],
    )
    assert found.system == [Text(text=header, extra={BILLING: True}), Text(text="be kind")]
    assert found.turns[1] == Turn(role="system", parts=[Text(text="now be brief")])
    assert read(system="a").system == [Text(text="a")]
    assert is_billing_header("X-Anthropic-Billing-Header: x") and not is_billing_header("be kind")


def test_tools():
    search = {
        "type": "web_search_20250305", "name": "web_search", "max_uses": 2,
        "allowed_domains": ["a"], "user_location": {"type": "approximate", "city": "Bern"},
    }  # fmt: skip
    bash = {"type": "bash_20250124", "name": "bash"}
    own = {
        "type": "custom", "name": "n", "description": "d", "input_schema": {"type": "object"},
        "strict": True, "cache_control": {"type": "ephemeral"}, "input_examples": [{}],
    }  # fmt: skip
    assert read(tools=[own, search, bash]).tools == [
        Function(
            name="n", description="d", schema={"type": "object"}, strict=True,
            cache={"type": "ephemeral"}, extra={"input_examples": [{}]},
        ),
        WebSearch(
            wire=Wire.MESSAGES, raw=search, domains=["a"], uses=2, location={"city": "Bern"}
        ),
        ServerTool(wire=Wire.MESSAGES, kind="bash_20250124", raw=bash),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "choice", "parallel"),
    [
        ({"type": "auto"}, ToolChoice(mode="auto"), None),
        ({"type": "any", "disable_parallel_tool_use": True}, ToolChoice(mode="required"), False),
        ({"type": "none"}, ToolChoice(mode="none"), None),
        ({"type": "tool", "name": "n"}, ToolChoice(mode="named", names=["n"]), None),
        ({"type": "new"}, ToolChoice(mode="other", raw={"type": "new"}), None),
    ],
)
def test_choices(given, choice, parallel):
    found = read(tool_choice=given)
    assert (found.choice, found.parallel) == (choice, parallel)


@pytest.mark.parametrize(
    ("fields", "thinking"),
    [
        ({}, None),
        ({"output_config": {"effort": "low"}}, Thinking(effort="low")),
        ({"thinking": {"type": "disabled"}}, Thinking(enabled=False)),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2000, "display": "omitted"}},
            Thinking(enabled=True, budget=2000, shown=False),
        ),
        (
            {"thinking": {"type": "adaptive", "display": "summarized", "x": 1}},
            Thinking(enabled=True, adaptive=True, shown=True, extra={"x": 1}),
        ),
        (
            {"thinking": {"type": "new", "display": "other"}},
            Thinking(enabled=True, extra={"type": "new", "display": "other"}),
        ),
    ],
)
def test_thinking(fields, thinking):
    assert read(**fields).thinking == thinking


def test_formats_of_both_ages():
    form = {"type": "json_schema", "schema": {"type": "object"}}
    expected = Format(kind="schema", schema={"type": "object"})
    found = read(output_config={"format": form, "task_budget": {"total": 1}})
    assert found.format == expected
    assert found.extra == {"output_config": {"task_budget": {"total": 1}}}
    assert read(output_format=form).format == expected


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"model": None}, "model"),
        ({"max_tokens": None}, "max_tokens"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": ["x"]}, "messages.0"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": [], "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{}]}]}, "messages.0.content.0.type"),
        ({"system": [{"type": "new"}]}, "system.0.type"),
        ({"system": 4}, "system"),
        ({"tools": [4]}, "tools.0"),
        ({"tools": [{}]}, "tools.0.name"),
        ({"tools": [{"type": "web_search_1", "allowed_domains": [4]}]}, "tools.0.allowed_domains"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"thinking": {}}, "thinking.type"),
        ({"stop_sequences": [4]}, "stop_sequences"),
        ({"temperature": "hot"}, "temperature"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
        ({"metadata": {"user_id": 5}}, "metadata.user_id"),
    ],
)
def test_the_field_to_blame_is_named(fields, name):
    with pytest.raises(FieldError) as raised:
        read(**fields)
    assert raised.value.name == name


def test_recorded_requests(corpus):
    seen = 0
    for one in oracle.recorded(corpus, streams=True) + oracle.recorded(corpus, streams=False):
        if not isinstance(one.request, dict):
            continue
        found = read_request({"model": "m", **one.request})
        assert len(found.turns) == len(one.request["messages"]), one.file
        assert len(found.tools) == len(one.request.get("tools") or []), one.file
        seen += 1
    assert seen > 200
