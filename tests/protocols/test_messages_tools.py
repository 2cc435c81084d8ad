"""The twin of protocols/messages_tools.py."""

import pytest

from tollbridge.protocols.abilities import Abilities
from tollbridge.protocols.conversation import (
    Conversation,
    Custom,
    Format,
    Function,
    ServerTool,
    ToolChoice,
    WebSearch,
    Wire,
)
from tollbridge.protocols.losses import Losses, Untranslatable
from tollbridge.protocols.messages_tools import toolbox
from tollbridge.protocols.tool_names import ToolNames

OLD = Abilities(output_schema=False)
SEE = Function(name="see", description="d", schema={"type": "object", "properties": {}})
TELL = Function(name="tell", namespace="space")
FORM = Format(kind="schema", name="f", schema={"type": "object", "properties": {"a": {}}})


def box(*tools, abilities=OLD, thinks=False, wire=Wire.CHAT, **fields):
    conversation = Conversation(wire=wire, model="m", tools=list(tools), **fields)
    names, losses = ToolNames(conversation, 128), Losses()
    made = toolbox(conversation, abilities, names, losses, thinks=thinks)
    return made, names, dict(losses.counts)


def choose(mode, **fields):
    return ToolChoice(mode=mode, **fields)


def test_functions_have_a_schema_and_an_outward_name():
    made, names, lost = box(
        SEE, TELL, Function(name="a.b", strict=True, extra={"response": {"a": 1}})
    )
    assert made.tools == [
        {"name": "see", "description": "d", "input_schema": SEE.schema},
        {"name": "space__tell", "input_schema": {"type": "object", "properties": {}}},
        {"name": "a_b", "input_schema": {"type": "object", "properties": {}}},
    ]
    assert names.back("space__tell") == ("space", "tell")
    assert lost == {"strict": 1, "tool_example": 1}


def test_the_own_protocols_tools_are_said_again():
    tool = Function(name="n", schema={"anyOf": []}, strict=True, extra={"defer_loading": True})
    search = WebSearch(wire=Wire.MESSAGES, raw={"type": "web_search_9", "new": 1})
    bash = ServerTool(wire=Wire.MESSAGES, kind="bash", raw={"type": "bash", "name": "bash"})
    made, _, lost = box(
        tool, search, bash, wire=Wire.MESSAGES, parallel=True,
        choice=choose("named", names=["bash"]),
    )  # fmt: skip
    assert made.tools == [
        {"name": "n", "input_schema": {"anyOf": []}, "strict": True, "defer_loading": True},
        search.raw,
        bash.raw,
    ]
    assert made.choice == {"type": "tool", "name": "bash", "disable_parallel_tool_use": False}
    assert not lost


def test_free_text_becomes_a_field():
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: A"}
    made, names, _ = box(Custom(name="patch", description="d", format=grammar))
    (tool,) = made.tools
    assert names.customs == {"patch"}
    assert tool["input_schema"]["required"] == ["input"]
    assert tool["description"] == "d\n\nThe input must follow this lark grammar:\nstart: A"


def test_searches_of_others():
    raw = {"type": "web_search", "search_context_size": "high"}
    search = WebSearch(
        wire=Wire.RESPONSES, raw=raw, domains=["a"], blocked=["b"], uses=2,
        location={"city": "Bern", "country": None},
    )  # fmt: skip
    made, _, lost = box(search)
    assert made.tools == [{
        "type": "web_search_20250305", "name": "web_search", "max_uses": 2,
        "allowed_domains": ["a"], "user_location": {"type": "approximate", "city": "Bern"},
    }]  # fmt: skip
    assert lost == {"search_option": 1}
    blocked = box(WebSearch(wire=Wire.CHAT, raw={}, blocked=["b"]))[0].tools[0]
    assert blocked["blocked_domains"] == ["b"]


def test_other_vendors_tools_are_refused():
    with pytest.raises(Untranslatable) as raised:
        box(ServerTool(wire=Wire.RESPONSES, kind="file_search", raw={}))
    assert raised.value.name == "tools" and "file_search" in raised.value.reason


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, None),
        (choose("auto"), {"type": "auto"}),
        (choose("none"), {"type": "none"}),
        (choose("required"), {"type": "any"}),
        (choose("named", names=["see"]), {"type": "tool", "name": "see"}),
        (choose("named", names=["tell"]), {"type": "tool", "name": "space__tell"}),
        (choose("named", names=["stranger"]), None),
        (choose("subset", names=["see"], required=True), {"type": "any"}),
    ],
)
def test_choices(choice, expected):
    made, _, _ = box(SEE, TELL, choice=choice)
    assert made.choice == expected
    if choice is not None and choice.mode == "subset":
        assert [tool["name"] for tool in made.tools] == ["see"]


def test_a_choice_without_tools_is_none():
    assert box(choice=choose("required"), parallel=False)[0].choice is None
    with pytest.raises(Untranslatable):
        box(SEE, choice=choose("other", raw={}))


def test_a_free_choice_that_says_more():
    free = choose("auto", raw={"mode": "VALIDATED"})
    made, _, lost = box(SEE, choice=free, wire=Wire.GEMINI)
    assert made.choice == {"type": "auto"} and lost == {"strict": 1}


def test_a_choice_is_refused_by_the_clients_own_word():
    with pytest.raises(Untranslatable) as caught:
        box(SEE, choice=choose("other", raw={}), wire=Wire.GEMINI)
    assert caught.value.name == "toolConfig"


def test_one_call_at_a_time():
    assert box(SEE, parallel=False)[0].choice == {
        "type": "auto",
        "disable_parallel_tool_use": True,
    }
    assert box(SEE, parallel=False, choice=choose("none"))[0].choice == {"type": "none"}
    assert box(SEE, parallel=True)[0].choice is None


def test_who_thinks_cannot_be_forced():
    made, _, lost = box(SEE, choice=choose("required"), thinks=True)
    assert made.choice == {"type": "auto"} and lost == {"tool_choice": 1}
    assert box(SEE, choice=choose("none"), thinks=True)[0].choice == {"type": "none"}


def test_a_bound_answer_is_a_forced_tool():
    made, names, _ = box(format=FORM)
    (tool,) = made.tools
    assert tool["name"] == names.answer_tool and tool["input_schema"] == FORM.schema
    assert made.choice["type"] == "tool" and made.choice["name"] == names.answer_tool
    assert made.instruction is None


@pytest.mark.parametrize(("tools", "thinks"), [((SEE,), False), ((), True), ((SEE,), True)])
def test_a_bound_answer_beside_tools_or_thoughts_is_asked_for(tools, thinks):
    made, names, _ = box(*tools, format=FORM, thinks=thinks)
    assert made.choice is None and names.answer_tool in made.instruction
    assert len(made.tools) == len(tools) + 1


def test_a_bound_answer_where_no_tool_may_be_called_stands_alone():
    made, names, _ = box(SEE, format=FORM, choice=choose("none"))
    assert [tool["name"] for tool in made.tools] == [names.answer_tool]
    assert made.choice["type"] == "tool"
    kept, _, lost = box(SEE, format=FORM, choice=choose("required"), thinks=True)
    assert kept.choice == {"type": "auto"} and lost == {"tool_choice": 1}


def test_models_that_can_be_bound_need_no_tool():
    made, names, _ = box(format=FORM, abilities=Abilities())
    assert made.tools == [] and names.answer_tool is None
    assert box(format=Format(kind="json"))[0].tools == []
