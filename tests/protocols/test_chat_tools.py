"""Tools of chat requests are read and written, the old functions among them."""

import pytest

from tollbridge.protocols.abilities import Abilities, Addressee
from tollbridge.protocols.chat_tools import (
    is_custom,
    is_legacy,
    read_choice,
    read_tools,
    write_tools,
)
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
from tollbridge.protocols.losses import Losses, Untranslatable
from tollbridge.protocols.tool_names import ToolNames

OPENAI = Addressee(model="up", abilities=Abilities(), max_output=9)
LIKE = Addressee(model="up", abilities=Abilities(), max_output=9, compatible=True)
EMPTY = {"type": "object", "properties": {}}
GRAMMAR = {"syntax": "lark", "definition": "start: X"}


def written(*tools, to=OPENAI, wire=Wire.MESSAGES, losses=None, **fields):
    said = Conversation(wire=wire, model="m", tools=list(tools), **fields)
    return write_tools(said, to, ToolNames(said), losses or Losses())


def function(name, **fields):
    return {"type": "function", "function": {"name": name, **fields}}


def chosen(*names, to=OPENAI, mode="subset", required=False):
    choice = ToolChoice(mode=mode, names=list(names), required=required)
    return written(Function(name="f"), Function(name="g"), Custom(name="h"), to=to, choice=choice)


def test_tools_are_read():
    hint = {"type": "ephemeral"}
    body = {
        "tools": [
            function("f", parameters=EMPTY, strict=True, x=1) | {"cache_control": hint, "y": 2},
            {"function": {"name": "g", "description": "d"}},
            {"type": "custom", "custom": {"name": "h", "format": {"type": "grammar", "grammar": GRAMMAR}}},
            {"type": "web_search", "filters": {}},
            {"type": "odd"},
        ],
        "functions": [{"name": "old"}],
        "web_search_options": {"user_location": {"type": "approximate", "approximate": {"city": "Bern"}}},
    }  # fmt: skip
    assert read_tools(body) == [
        Function(name="f", schema=EMPTY, strict=True, cache=hint, extra={"x": 1, "tool": {"y": 2}}),
        Function(name="g", description="d"),
        Custom(name="h", format={"type": "grammar", **GRAMMAR}),
        WebSearch(wire=Wire.CHAT, raw=body["tools"][3]),
        ServerTool(wire=Wire.CHAT, kind="odd", raw={"type": "odd"}),
        Function(name="old", extra={"functions": True}),
        WebSearch(wire=Wire.CHAT, raw=body["web_search_options"], location={"city": "Bern"}),
    ]


@pytest.mark.parametrize(
    ("given", "choice"),
    [
        ({}, None),
        ({"tool_choice": "auto"}, ToolChoice(mode="auto")),
        ({"tool_choice": "any"}, ToolChoice(mode="required")),
        ({"function_call": "none"}, ToolChoice(mode="none")),
        ({"function_call": {"name": "f"}}, ToolChoice(mode="named", names=["f"])),
        ({"tool_choice": function("f")}, ToolChoice(mode="named", names=["f"])),
        (
            {"tool_choice": {"type": "custom", "custom": {"name": "f"}}},
            ToolChoice(mode="named", names=["f"]),
        ),
        (
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {"mode": "required", "tools": [function("f")]},
                }
            },
            ToolChoice(mode="subset", names=["f"], required=True),
        ),
        ({"tool_choice": {"type": "odd"}}, ToolChoice(mode="other", raw={"type": "odd"})),
    ],
)
def test_choices_are_read(given, choice):
    assert read_choice(given) == choice


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"tools": [1]}, "tools[0]"),
        ({"tools": [function("")]}, "tools[0].function.name"),
        ({"tools": [function("f", parameters=[])]}, "tools[0].function.parameters"),
        ({"tools": [{"type": "custom"}]}, "tools[0].custom"),
        ({"functions": ["f"]}, "functions[0]"),
        ({"web_search_options": True}, "web_search_options"),
    ],
)
def test_malformed_tools_are_named(body, name):
    with pytest.raises(FieldError) as error:
        read_tools(body)
    assert error.value.name == name
    with pytest.raises(FieldError):
        read_choice({"tool_choice": 1})


def test_functions_of_other_protocols():
    losses = Losses()
    tools = [
        Function(name="a.b", description="d", strict=True, cache={}, extra={"input_examples": []}),
        Function(name="g", schema=EMPTY),
    ]
    assert written(*tools, losses=losses, parallel=False) == {
        "tools": [
            function("a_b", description="d", parameters=EMPTY, strict=True),
            function("g", parameters=EMPTY),
        ],
        "parallel_tool_calls": False,
    }
    assert losses.counts == {"cache_hint": 1, "tool_example": 1}
    assert written(parallel=False, choice=ToolChoice(mode="required")) == {}


def test_how_a_tool_was_spelled_is_no_loss():
    losses = Losses()
    spelled = Function(name="f", extra={"parameters": {"type": "OBJECT"}, "group": {"name": "x"}})
    written(spelled, Function(name="g", extra={"additional": 1}), losses=losses)
    assert losses.counts == {}


def test_free_text_tools():
    tool = Custom(name="h", description="d", format={"type": "grammar", **GRAMMAR})
    nested = {"name": "h", "description": "d", "format": {"type": "grammar", "grammar": GRAMMAR}}
    assert written(tool)["tools"] == [{"type": "custom", "custom": nested}]
    [told] = written(tool, to=LIKE)["tools"]
    assert told["function"]["parameters"]["required"] == ["input"]
    assert told["function"]["description"].startswith("d\n\n")
    assert told["function"]["description"].endswith("start: X")
    said = Conversation(wire=Wire.CHAT, model="m", tools=[tool, Function(name="f")])
    assert is_custom(said, "h", OPENAI)
    assert not is_custom(said, "h", LIKE) and not is_custom(said, "f", OPENAI)


def test_choices():
    assert chosen("g", mode="named")["tool_choice"] == function("g")
    assert chosen("h", mode="named")["tool_choice"] == {"type": "custom", "custom": {"name": "h"}}
    assert "tool_choice" not in chosen("strange", mode="named")
    assert chosen("f", "h", required=True)["tool_choice"] == {
        "type": "allowed_tools",
        "allowed_tools": {
            "mode": "required",
            "tools": [function("f"), {"type": "custom", "custom": {"name": "h"}}],
        },
    }
    assert chosen(mode="required")["tool_choice"] == "required"
    losses = Losses()
    valid = ToolChoice(mode="auto", raw={"mode": "VALIDATED"})
    body = written(Function(name="f"), wire=Wire.GEMINI, choice=valid, losses=losses)
    assert body["tool_choice"] == "auto" and losses.counts == {"strict": 1}
    spaced = Function(name="f", namespace="mcp")
    choice = ToolChoice(mode="named", names=["f"])
    assert written(spaced, wire=Wire.RESPONSES, choice=choice)["tool_choice"] == function("mcp__f")


def test_a_subset_is_all_there_is_for_compatible_vendors():
    body = chosen("g", to=LIKE, required=True)
    assert [one["function"]["name"] for one in body["tools"]] == ["g"]
    assert body["tool_choice"] == "required"


def test_web_search():
    losses = Losses()
    place = {"city": "Bern", "latitude": 1}
    tool = WebSearch(
        wire=Wire.RESPONSES, raw={"search_context_size": "low"}, domains=["a"], location=place
    )
    assert written(tool, losses=losses) == {
        "web_search_options": {
            "search_context_size": "low",
            "user_location": {"type": "approximate", "approximate": {"city": "Bern"}},
        }
    }
    assert losses.counts == {"search_option": 1}
    raw = {"type": "web_search"}
    assert written(WebSearch(wire=Wire.CHAT, raw=raw), wire=Wire.CHAT) == {"tools": [raw]}


def test_what_only_one_vendor_runs_is_refused():
    tool = ServerTool(wire=Wire.MESSAGES, kind="bash_20250124", raw={"type": "bash_20250124"})
    with pytest.raises(Untranslatable) as error:
        written(tool)
    assert error.value.name == "tools" and "bash" in error.value.reason
    with pytest.raises(Untranslatable):
        chosen(mode="other")
    assert written(tool, wire=Wire.CHAT) == {"tools": [tool.raw]}


def test_old_functions_are_known_again():
    old = Function(name="f", extra={"functions": True})
    assert is_legacy(Conversation(wire=Wire.CHAT, model="m", tools=[old]))
    assert not is_legacy(Conversation(wire=Wire.RESPONSES, model="m", tools=[old]))
    assert not is_legacy(Conversation(wire=Wire.CHAT, model="m", tools=[Function(name="f")]))
    told = written(old, wire=Wire.CHAT, choice=ToolChoice(mode="auto"))
    assert told == {"functions": [{"name": "f"}], "function_call": "auto"}
