"""Tools and their choice as clients write them; namespaces come apart and together again."""

import pytest
from hypothesis import given

from tests.protocols import responses_samples as samples
from tollbridge.protocols.conversation import (
    Conversation,
    Custom,
    Function,
    ServerTool,
    ToolChoice,
    WebSearch,
    Wire,
)
from tollbridge.protocols.json_peek import FieldError
from tollbridge.protocols.responses_tools import (
    read_choice,
    read_tools,
    said_additions,
    said_choice,
    said_tools,
    tool_fields,
    written,
)


def conversation(given, choice=None):
    tools = read_tools(given, "tools")
    return Conversation(wire=Wire.RESPONSES, model="m", tools=tools, choice=read_choice(choice))


@given(samples.tools, samples.choices)
def test_tools_and_choice_survive(given, choice):
    found = conversation(given, choice)
    assert said_tools(found) == given
    assert said_choice(found) == choice
    assert said_additions(found) == []


def test_a_namespace_is_flattened():
    tools = [samples.FUNCTION, samples.CUSTOM]
    found = read_tools([{"type": "namespace", "name": "crm", "tools": tools}], "tools")
    assert [(tool.name, tool.namespace) for tool in found] == [("f", "crm"), ("patch", "crm")]
    assert isinstance(found[0], Function) and isinstance(found[1], Custom)
    # The namespace's own description must be there, even if the client gave none.
    assert written(found)[0]["description"] == ""


def test_kinds_of_tools():
    found = read_tools(
        [
            {
                "type": "web_search_preview",
                "user_location": {"type": "approximate", "city": "Bonn"},
            },
            {"type": "namespace", "name": "empty", "tools": []},
            {"type": "mcp", "server_label": "s"},
            {"type": "function", "function": {"name": "nested", "parameters": {}}},
        ],
        "tools",
    )
    assert [type(tool) for tool in found] == [WebSearch, ServerTool, ServerTool, Function]
    assert found[0].location == {"city": "Bonn"}
    assert tool_fields(found[3]) == {"type": "function", "name": "nested", "parameters": {}}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ([{}], "tools[0]"),
        ([{"type": "function", "name": "f", "parameters": []}], "tools[0].parameters"),
        ([{"type": "namespace", "tools": [{}]}], "tools[0].name"),
        ([{"type": "namespace", "name": "n", "tools": {"a": 1}}], "tools[0].tools"),
        ([{"type": "namespace", "name": "n", "tools": [{"type": "mcp"}]}], "tools[0].tools"),
        (
            [{"type": "namespace", "name": "n", "tools": [{"type": "custom"}]}],
            "tools[0].tools[0].name",
        ),
    ],
)
def test_malformed_tools_are_named(given, name):
    with pytest.raises(FieldError) as caught:
        read_tools(given, "tools")
    assert caught.value.name == name


def test_choices():
    assert read_choice(None) is None
    nested = {"type": "function", "function": {"name": "f"}}
    assert read_choice(nested) == ToolChoice(mode="named", names=["f"])
    mixed = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp"}]}
    assert read_choice(mixed) == ToolChoice(mode="other", raw=mixed)
    with pytest.raises(FieldError):
        read_choice("sometimes")


def test_a_custom_tool_is_chosen_as_such():
    chosen = {"type": "custom", "name": "patch"}
    assert said_choice(conversation([samples.CUSTOM], chosen)) == chosen
