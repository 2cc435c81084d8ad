"""Tools of other protocols in Gemini's words."""

import pytest
from google.genai import types

from tollbridge.protocols.conversation import (
    Conversation,
    Custom,
    Function,
    ServerTool,
    ToolChoice,
    WebSearch,
    Wire,
)
from tollbridge.protocols.gemini_request_writer import NAME_MAX
from tollbridge.protocols.gemini_tool_writer import ToolWriter
from tollbridge.protocols.losses import Losses, Untranslatable
from tollbridge.protocols.tool_names import ToolNames

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}


def writer_of(*tools, losses=None, plain=False, mix=False, wire=Wire.CHAT, names=None, **fields):
    conversation = Conversation(wire=wire, model="m", tools=list(tools), **fields)
    names = names or ToolNames(conversation, NAME_MAX)
    return ToolWriter(conversation, names, losses or Losses(), plain=plain, asks_to_mix=mix)


def tools_of(*tools, **options):
    made = writer_of(*tools, **options).tools()
    for tool in made:
        types.Tool.model_validate(tool)
    return made


def test_functions_are_one_tool_with_full_schemas():
    losses = Losses()
    function = Function(
        name="f",
        description="d",
        schema=SCHEMA,
        strict=True,
        cache={},
        extra={"input_examples": []},
    )
    assert tools_of(function, Function(name="g"), losses=losses) == [
        {
            "functionDeclarations": [
                {"name": "f", "description": "d", "parametersJsonSchema": SCHEMA},
                {"name": "g"},
            ]
        }
    ]
    assert losses.counts == {"strict": 1, "cache_hint": 1, "tool_example": 1}
    losses.counts.clear()
    tools_of(Function(name="g", extra={"group": {"name": "x"}, "functions": True}), losses=losses)
    assert losses.counts == {}


def test_an_older_upstream_gets_googles_own_schema():
    made = tools_of(Function(name="f", schema=SCHEMA), plain=True)
    declared = made[0]["functionDeclarations"][0]
    assert "parametersJsonSchema" not in declared
    assert "additionalProperties" not in declared["parameters"]


def test_free_text_tools_are_functions_with_one_text():
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: A"}}
    custom = Custom(name="apply.patch", description="d", format=grammar)
    conversation = Conversation(wire=Wire.CHAT, model="m", tools=[custom])
    names = ToolNames(conversation, NAME_MAX)
    declared = tools_of(custom, names=names)[0]["functionDeclarations"][0]
    assert declared["parametersJsonSchema"]["required"] == ["input"]
    assert "start: A" in declared["description"]
    assert names.customs == {declared["name"]}


def test_long_names_fit():
    made = tools_of(Function(name="f" * 128))
    assert made[0]["functionDeclarations"][0]["name"] == "f" * 128


def test_the_search_of_the_web_is_the_one_tool_that_all_have():
    losses = Losses()
    search = WebSearch(wire=Wire.MESSAGES, raw={"type": "x"}, domains=["a"], uses=3)
    assert tools_of(search, losses=losses) == [{"googleSearch": {}}]
    assert losses.counts == {"search_option": 2}


def test_other_vendors_own_tools_are_refused():
    tool = ServerTool(wire=Wire.RESPONSES, kind="code_interpreter", raw={})
    with pytest.raises(Untranslatable, match="tools"):
        tools_of(tool)
    own = ServerTool(wire=Wire.GEMINI, kind="codeExecution", raw={"codeExecution": {}})
    assert tools_of(own) == [{"codeExecution": {}}]


F, G = Function(name="f"), Function(name="a b")


@pytest.mark.parametrize(
    ("choice", "calling"),
    [
        (ToolChoice(mode="auto"), {"mode": "AUTO"}),
        (ToolChoice(mode="none"), {"mode": "NONE"}),
        (ToolChoice(mode="required"), {"mode": "ANY"}),
        (
            ToolChoice(mode="named", names=["a b"]),
            {"mode": "ANY", "allowedFunctionNames": ["a_b"]},
        ),
        (
            ToolChoice(mode="subset", names=["f", "a b"], required=True),
            {"mode": "ANY", "allowedFunctionNames": ["f", "a_b"]},
        ),
        (
            ToolChoice(mode="subset", names=["f"]),
            {"mode": "VALIDATED", "allowedFunctionNames": ["f"]},
        ),
    ],
)
def test_choice(choice, calling):
    config = writer_of(F, G, choice=choice).config()
    assert config == {"functionCallingConfig": calling}
    types.ToolConfig.model_validate(config)


def test_a_choice_without_its_tool_is_dropped():
    losses = Losses()
    named = ToolChoice(mode="named", names=["absent"])
    assert writer_of(F, choice=named, losses=losses).config() == {}
    assert losses.counts == {"tool_choice": 1}
    assert writer_of(choice=ToolChoice(mode="required")).config() == {}
    assert writer_of(F).config() == {}


def test_no_parallel_calls_is_only_a_wish():
    losses = Losses()
    writer_of(F, parallel=False, losses=losses).config()
    assert losses.counts == {"parallel": 1}


def test_a_strange_choice_is_refused():
    with pytest.raises(Untranslatable, match="tool_choice"):
        writer_of(F, choice=ToolChoice(mode="other", raw={})).config()


SEARCH = WebSearch(wire=Wire.CHAT, raw={})
MIXED = {"includeServerSideToolInvocations": True}


@pytest.mark.parametrize(
    ("tools", "choice", "config"),
    [
        ([F, SEARCH], None, MIXED),
        ([F, SEARCH], ToolChoice(mode="auto"), MIXED),
        (
            [SEARCH, F],
            ToolChoice(mode="required"),
            MIXED | {"functionCallingConfig": {"mode": "ANY"}},
        ),
        ([SEARCH], None, {}),
        ([F, G], None, {}),
    ],
)
def test_a_model_that_must_be_told_of_a_search_beside_functions_is(tools, choice, config):
    made = writer_of(*tools, choice=choice, mix=True).config()
    assert made == config
    types.ToolConfig.model_validate(made)
    assert "includeServerSideToolInvocations" not in writer_of(*tools, choice=choice).config()
