"""The twin of protocols/client_calls.py."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.answer import (
    Answer,
    CallArguments,
    CallEnd,
    CallStart,
    Choice,
    Event,
    Finish,
    Finished,
    TextDelta,
)
from tollbridge.protocols.client_calls import ClientCalls
from tollbridge.protocols.conversation import Call, Conversation, Custom, Function, Text, Wire
from tollbridge.protocols.tool_names import ToolNames

ANSWER = "answer_in_form"


def conversation() -> Conversation:
    return Conversation(
        wire=Wire.RESPONSES,
        model="m",
        tools=[
            Function(name="look.up", namespace="mcp"),
            Function(name="plain"),
            Custom(name="patch"),
        ],
    )


def calls(answer_tool: str | None = None) -> ClientCalls:
    asked = conversation()
    names = ToolNames(asked)
    names.customs.add(names.outward("patch"))
    names.answer_tool = answer_tool
    return ClientCalls(names, asked)


def called(key: int, name: str, *pieces: str, choice: int = 0) -> list[Event]:
    start = CallStart(key, f"id{key}", name, choice=choice)
    return [start, *(CallArguments(key, piece) for piece in pieces), CallEnd(key)]


def test_names_are_the_clients_again():
    events = called(0, "mcp__look_up", '{"a"', ":1}") + called(1, "stranger", "{}")
    made = calls().events(events)
    assert made[0] == CallStart(0, "id0", "look.up", namespace="mcp")
    assert made[1:4] == events[1:4]
    assert made[4] == CallStart(1, "id1", "stranger")
    whole = calls().answer(
        Answer(choices=[Choice(parts=[Call(id="1", name="mcp__look_up", arguments="{}")])])
    )
    call = whole.choices[0].parts[0]
    assert isinstance(call, Call)
    assert (call.namespace, call.name, call.custom) == ("mcp", "look.up", False)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"input": "*** Begin\\n"}', "*** Begin\n"),
        ('{"input": ""}', ""),
        ("", ""),
        ("free text", "free text"),
        ('{"input": "cut', '{"input": "cut'),
        ('{"input": "a", "more": 1}', '{"input": "a", "more": 1}'),
        ('{"input": 1}', '{"input": 1}'),
        ('"text"', '"text"'),
    ],
)
def test_free_text_comes_out_of_its_wrapping(arguments: str, text: str):
    pieces = [arguments[:4], arguments[4:]]
    back = calls()
    made = [event for one in called(3, "patch", *pieces) for event in back.events([one])]
    middle = [CallArguments(3, text)] if text else []
    assert made == [CallStart(3, "id3", "patch", custom=True), *middle, CallEnd(3)]
    call = Call(id="1", name="patch", arguments=arguments)
    given = Answer(choices=[Choice(parts=[call], finish=Finish.STOP)])
    whole = calls().answer(given)
    assert whole.choices[0].parts == [Call(id="1", name="patch", arguments=text, custom=True)]
    assert whole.choices[0].finish is Finish.CALL
    assert call.arguments == arguments
    assert given.choices[0].finish is Finish.STOP


def test_free_text_that_came_as_such_is_not_unwrapped():
    start = CallStart(0, "i", "patch", custom=True)
    events: list[Event] = [start, CallArguments(0, '{"input": "a"}'), CallEnd(0)]
    assert calls().events(events) == events
    call = Call(id="1", name="patch", arguments='{"input": "a"}', custom=True)
    assert calls().answer(Answer(choices=[Choice(parts=[call])])).choices[0].parts == [call]


def test_a_bound_answer_is_text():
    back = calls(ANSWER)
    made = back.events([TextDelta("Well. "), *called(0, ANSWER, "", '{"a"', ":1}")])
    assert made == [TextDelta("Well. "), TextDelta('{"a"', fresh=True), TextDelta(":1}")]
    assert back.finish(Finished(Finish.CALL)) == Finished(Finish.STOP)
    assert back.finish(Finished(Finish.LENGTH)) == Finished(Finish.LENGTH)
    call = Call(id="1", name=ANSWER, arguments='{"a":1}')
    whole = calls(ANSWER).answer(Answer(choices=[Choice(parts=[call], finish=Finish.CALL)]))
    assert whole.choices == [Choice(parts=[Text(text='{"a":1}')], finish=Finish.STOP)]


def test_a_bound_answer_is_told_once_and_never_empty():
    back = calls(ANSWER)
    assert back.events(called(0, ANSWER)) == [TextDelta("{}", fresh=True)]
    assert back.events(called(1, ANSWER, "{}")) == []
    assert back.events(called(2, ANSWER)) == []
    assert back.events(called(3, ANSWER, "[]", choice=1)) == [TextDelta("[]", 1, fresh=True)]
    again = [Call(id=one, name=ANSWER, arguments="") for one in "12"]
    whole = calls(ANSWER).answer(Answer(choices=[Choice(parts=list(again))]))
    assert whole.choices[0].parts == [Text(text="{}")]


def test_a_bound_answer_beside_a_call_ends_with_the_call():
    back = calls(ANSWER)
    back.events([*called(0, ANSWER, "{}"), *called(1, "plain", "{}")])
    assert back.finish(Finished(Finish.CALL)).finish is Finish.CALL
    assert back.finish(Finished(Finish.STOP)).finish is Finish.CALL


def test_without_a_bound_answer_its_name_is_any_name():
    assert calls().events(called(0, ANSWER, "{}"))[0] == CallStart(0, "id0", ANSWER)


@pytest.mark.parametrize("finish", list(Finish))
def test_only_a_natural_end_becomes_a_call(finish: Finish):
    back = calls()
    assert back.finish(Finished(finish)) == Finished(finish)
    back.events(called(0, "plain", "{}"))
    back.events([TextDelta("later")])
    wanted = Finish.CALL if finish is Finish.STOP else finish
    assert back.finish(Finished(finish, "x")) == Finished(wanted, "x")
    assert back.finish(Finished(finish, choice=1)) == Finished(finish, choice=1)
    parts = [Call(id="1", name="plain", arguments="{}")]
    whole = calls().answer(Answer(choices=[Choice(parts=list(parts), finish=finish)]))
    assert whole.choices[0].finish is wanted
    assert calls().answer(Answer(choices=[Choice(parts=[])])).choices[0].finish is None


PIECES = st.lists(st.text(max_size=4), max_size=3)
TOOLS = st.sampled_from(["plain", "patch", "mcp__look_up", ANSWER])


@given(
    st.lists(st.tuples(TOOLS, PIECES, st.booleans(), st.integers(0, 1)), max_size=5), st.randoms()
)
def test_a_stream_says_what_the_whole_answer_says(made, random):
    """Calls whose pieces are mixed at will come back as those of the whole answer."""
    bodies = []
    for name, pieces, wrapped, choice in made:
        text = "".join(pieces)
        whole = json.dumps({"input": text}) if wrapped else text
        bodies.append((name, whole, choice))
    streams = [
        called(key, name, whole[:3], whole[3:], choice=choice)
        for key, (name, whole, choice) in enumerate(bodies)
    ]
    heads = [event for stream in streams for event in stream[:1]]
    tails = [stream[1:] for stream in streams]
    mixed: list[Event] = []
    while any(tails):
        mixed.append(random.choice([tail for tail in tails if tail]).pop(0))
    back = calls(ANSWER)
    seen = back.events([*heads, *mixed])
    choices = []
    for index in (0, 1):
        parts = [
            Call(id=f"id{key}", name=name, arguments=whole)
            for key, (name, whole, choice) in enumerate(bodies)
            if choice == index
        ]
        choices.append(Choice(parts=list(parts), finish=Finish.STOP, index=index))
    for one in calls(ANSWER).answer(Answer(choices=choices)).choices:
        assert _told(seen, one.index) == _shown(one)
        assert back.finish(Finished(Finish.STOP, choice=one.index)).finish is one.finish


def _told(events: list[Event], choice: int) -> tuple[str, list[tuple[object, ...]]]:
    text = "".join(
        one.text for one in events if isinstance(one, TextDelta) and one.choice == choice
    )
    starts = [one for one in events if isinstance(one, CallStart) and one.choice == choice]
    found: list[tuple[object, ...]] = []
    for start in starts:
        pieces = [one for one in events if isinstance(one, CallArguments) and one.key == start.key]
        whole = "".join(piece.text for piece in pieces)
        assert CallEnd(start.key) in events
        found.append((start.id, start.namespace, start.name, start.custom, whole))
    return text, found


def _shown(choice: Choice) -> tuple[str, list[tuple[object, ...]]]:
    text = "".join(part.text for part in choice.parts if isinstance(part, Text))
    calls_ = [part for part in choice.parts if isinstance(part, Call)]
    return text, [(one.id, one.namespace, one.name, one.custom, one.arguments) for one in calls_]
