"""Foreign tools and their choice in the Responses protocol."""

import pytest

from tollbridge.protocols.abilities import Abilities, Addressee
from tollbridge.protocols.conversation import (
    Conversation,
    Custom,
    Function,
    ServerTool,
    ToolChoice,
    WebSearch,
    Wire,
)
from tollbridge.protocols.losses import Losses, Untranslatable
from tollbridge.protocols.responses_tools_writer import tools_and_choice
from tollbridge.protocols.tool_names import ToolNames

OBJECT = {"type": "object", "properties": {}}
GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": "start: A"}


def write(*tools, choice=None, parallel=None, compatible=False, wire=Wire.CHAT):
    conversation = Conversation(
        wire=wire, model="m", tools=list(tools), choice=choice, parallel=parallel
    )
    names, losses = ToolNames(conversation), Losses()
    to = Addressee("up", Abilities(), 0, compatible=compatible)
    return tools_and_choice(conversation, to, names, losses), losses.counts, names


def test_functions_are_not_strict_unless_the_client_wants_it():
    body, losses, _ = write(Function(name="f"), Function(name="g", schema=OBJECT, strict=True))
    plain = {"type": "function", "name": "f", "parameters": OBJECT, "strict": False}
    assert body == {"tools": [plain, {**plain, "name": "g", "strict": True}]}
    assert not losses


def test_names_fit():
    body, _, names = write(Function(name="f.g", namespace="crm"))
    assert body["tools"][0]["name"] == "crm__f_g"
    assert names.back("crm__f_g") == ("crm", "f.g")


def test_free_text_tools():
    tool = Custom(name="x", description="d", format=GRAMMAR)
    body, _, names = write(tool)
    assert body["tools"] == [{"type": "custom", "name": "x", "description": "d", "format": GRAMMAR}]
    assert not names.customs
    body, _, names = write(tool, compatible=True)
    field = body["tools"][0]["parameters"]["properties"]["input"]
    assert field["type"] == "string" and "start: A" in field["description"]
    assert names.customs == {"x"}


def test_web_search():
    tool = WebSearch(
        wire=Wire.MESSAGES,
        raw={},
        domains=["a.org"],
        blocked=["b.org"],
        uses=3,
        location={"city": "Bonn"},
    )
    body, losses, _ = write(tool)
    assert body["tools"] == [
        {
            "type": "web_search",
            "filters": {"allowed_domains": ["a.org"]},
            "user_location": {"type": "approximate", "city": "Bonn"},
        }
    ]
    assert losses == {"search_option": 1}
    chat = WebSearch(wire=Wire.CHAT, raw={"search_context_size": "low"})
    assert write(chat)[0]["tools"][0]["search_context_size"] == "low"


def test_other_server_tools_are_refused():
    with pytest.raises(Untranslatable) as caught:
        write(ServerTool(wire=Wire.MESSAGES, kind="bash_20250124", raw={}))
    assert caught.value.name == "tools"


def test_hints_of_tools_are_noted():
    tool = Function(name="f", cache={"type": "ephemeral"}, extra={"input_examples": [1]})
    assert write(tool)[1] == {"cache_hint": 1, "tool_example": 1}
    spelled = Function(name="f", extra={"parameters": {"type": "OBJECT"}, "functions": True})
    assert write(spelled)[1] == {}


F, X = Function(name="f"), Custom(name="x")


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (ToolChoice(mode="auto"), "auto"),
        (ToolChoice(mode="none"), "none"),
        (ToolChoice(mode="required"), "required"),
        (ToolChoice(mode="named", names=["f"]), {"type": "function", "name": "f"}),
        (ToolChoice(mode="named", names=["x"]), {"type": "custom", "name": "x"}),
        (ToolChoice(mode="named", names=["stranger"]), None),
        (
            ToolChoice(mode="subset", names=["f", "stranger"], required=True),
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "f"}],
            },
        ),
    ],
)
def test_choices(choice, said):
    body, _, _ = write(F, X, choice=choice, parallel=False)
    assert body.get("tool_choice") == said
    assert body["parallel_tool_calls"] is False


def test_a_choice_without_tools_says_nothing():
    assert write(choice=ToolChoice(mode="required"), parallel=True)[0] == {}


def test_a_free_choice_that_says_more():
    choice = ToolChoice(mode="auto", raw={"mode": "VALIDATED"})
    body, losses, _ = write(F, choice=choice, wire=Wire.GEMINI)
    assert body["tool_choice"] == "auto" and losses == {"strict": 1}


def test_a_choice_that_no_other_protocol_has_is_refused():
    with pytest.raises(Untranslatable) as caught:
        write(F, choice=ToolChoice(mode="other", raw={}), wire=Wire.GEMINI)
    assert caught.value.name == "toolConfig"
