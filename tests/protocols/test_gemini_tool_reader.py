"""Tools of Gemini requests and the choice among them."""

import pytest

from tollbridge.protocols.conversation import (
    Function,
    ServerTool,
    ToolChoice,
    WebSearch,
    Wire,
)
from tollbridge.protocols.gemini_tool_reader import read_choice, read_tools
from tollbridge.protocols.json_peek import FieldError


def test_each_kind_of_tool():
    own = {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}
    plain = {"type": "object", "properties": {"a": {"type": "string"}}}
    tools = read_tools(
        {
            "tools": [
                {
                    "function_declarations": [
                        {"name": "f", "description": "d", "parameters": own},
                        {"name": "g", "parameters_json_schema": plain},
                        {"name": "h"},
                    ],
                    "codeExecution": {},
                },
                {"google_search": {"exclude_domains": ["x"]}},
            ]
        }
    )
    assert tools == [
        Function(name="f", description="d", schema=plain, extra={"parameters": own}),
        Function(name="g", schema=plain),
        Function(name="h"),
        ServerTool(wire=Wire.GEMINI, kind="codeExecution", raw={"codeExecution": {}}),
        WebSearch(
            wire=Wire.GEMINI, raw={"googleSearch": {"exclude_domains": ["x"]}}, blocked=["x"]
        ),
    ]


@pytest.mark.parametrize(
    ("calling", "choice"),
    [
        ({"mode": "AUTO"}, ToolChoice(mode="auto")),
        ({"mode": "none"}, ToolChoice(mode="none")),
        ({"mode": "ANY"}, ToolChoice(mode="required")),
        (
            {"mode": "ANY", "allowed_function_names": ["f"]},
            ToolChoice(mode="named", names=["f"]),
        ),
        (
            {"mode": "ANY", "allowedFunctionNames": ["f", "g"]},
            ToolChoice(mode="subset", names=["f", "g"], required=True),
        ),
        (
            {"mode": "VALIDATED", "allowedFunctionNames": ["f"]},
            ToolChoice(mode="subset", names=["f"]),
        ),
        ({"mode": "VALIDATED"}, ToolChoice(mode="auto", raw={"mode": "VALIDATED"})),
        ({"mode": "MODE_UNSPECIFIED"}, None),
        ({}, None),
    ],
)
def test_choice(calling, choice):
    assert read_choice({"toolConfig": {"function_calling_config": calling}}) == (choice, {})


def test_what_else_the_settings_of_tools_say():
    config = {
        "retrieval_config": {"languageCode": "de"},
        "functionCallingConfig": {"mode": "AUTO", "stream_function_call_arguments": True},
    }
    assert read_choice({"toolConfig": config})[1] == {
        "retrievalConfig": {"languageCode": "de"},
        "functionCallingConfig": {"streamFunctionCallArguments": True},
    }


@pytest.mark.parametrize(
    ("tools", "name"),
    [
        ({}, "tools"),
        ([3], "tools[0]"),
        ([{"functionDeclarations": {}}], "tools[0].functionDeclarations"),
        ([{"functionDeclarations": [3]}], "tools[0].functionDeclarations[0]"),
        ([{"functionDeclarations": [{}]}], "tools[0].functionDeclarations[0].name"),
        (
            [{"functionDeclarations": [{"name": "f", "parameters": 3}]}],
            "tools[0].functionDeclarations[0].parameters",
        ),
    ],
)
def test_malformed_tools_are_named(tools, name):
    with pytest.raises(FieldError) as caught:
        read_tools({"tools": tools})
    assert caught.value.name == name


def test_malformed_choices_are_named():
    calling = {"allowedFunctionNames": [3]}
    with pytest.raises(FieldError, match="allowedFunctionNames"):
        read_choice({"toolConfig": {"functionCallingConfig": calling}})
