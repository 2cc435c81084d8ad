"""The twin of protocols/tool_history.py."""

import re
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.conversation import (
    Call,
    Carrier,
    Part,
    Reasoning,
    Refusal,
    Result,
    Role,
    Text,
    Turn,
    Vendor,
)
from tollbridge.protocols.tool_history import repaired

ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def turn(role: Role, *parts: Part) -> Turn:
    return Turn(role=role, parts=list(parts))


def text(words: str) -> Text:
    return Text(text=words)


def call(id_: str, name: str = "look", arguments: str = "{}") -> Call:
    return Call(id=id_, name=name, arguments=arguments)


def result(id_: str, words: str = "seen", name: str = "") -> Result:
    return Result(call_id=id_, name=name, parts=[Text(text=words)])


def told(turns: list[Turn]) -> list[tuple[str, list[str]]]:
    """Return the turns in short: c:id, r:id=text, or the text itself."""

    def short(part: Part) -> str:
        if isinstance(part, Call):
            return f"c:{part.id}"
        if isinstance(part, Result):
            return f"r:{part.call_id}={''.join(words([part]))}"
        return "".join(words([part]))

    return [(one.role, [short(part) for part in one.parts]) for one in turns]


def words(parts: list[Part]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, (Text, Refusal)):
            yield part.text
        elif isinstance(part, Reasoning):
            yield from part.texts
        elif isinstance(part, Result):
            yield from words(part.parts)
        elif isinstance(part, Call):
            yield part.arguments


def test_a_proper_history_stays_as_it_is():
    turns = [
        turn("system", text("rules")),
        turn("user", text("hi")),
        turn("assistant", Reasoning(texts=["hm"]), call("a"), call("b")),
        turn("user", result("a", name="look"), result("b", name="look"), text("go on")),
        turn("assistant", text("done")),
    ]
    before = deepcopy(turns)
    assert repaired(turns) == before
    assert turns == before
    assert repaired([]) == []
    assert repaired([turn("system", text("alone"))]) == [turn("system", text("alone"))]


def test_results_come_first_and_in_the_order_of_the_calls():
    turns = [
        turn("user", text("hi")),
        turn("assistant", call("a"), call("b")),
        turn("user", text("wait"), result("b", "2")),
        turn("user", result("a", "1"), text("go on")),
    ]
    assert told(repaired(turns))[2:] == [("user", ["r:a=1", "r:b=2", "wait", "go on"])]


def test_parallel_calls_as_single_items_with_notices_between_them():
    turns = [
        turn("user", text("hi")),
        turn("assistant", Reasoning(texts=["one"]), call("a")),
        turn("system", text("notice 1")),
        turn("assistant", Reasoning(texts=["two"]), call("b")),
        turn("system", text("notice 2")),
        turn("user", result("a", "1")),
        turn("user", result("b", "2")),
        turn("assistant", text("done")),
    ]
    assert told(repaired(turns)) == [
        ("user", ["hi"]),
        ("assistant", ["one", "c:a", "two", "c:b"]),
        ("user", ["r:a=1", "r:b=2"]),
        ("system", ["notice 1", "notice 2"]),
        ("assistant", ["done"]),
    ]


def test_calls_one_after_the_other_stay_apart():
    turns = [
        turn("user", text("hi")),
        turn("assistant", call("a")),
        turn("user", result("a", "1")),
        turn("assistant", call("b")),
        turn("user", result("b", "2")),
    ]
    assert [part for _, part in told(repaired(turns))] == [
        ["hi"],
        ["c:a"],
        ["r:a=1"],
        ["c:b"],
        ["r:b=2"],
    ]


def test_a_late_result_goes_to_its_call():
    turns = [
        turn("user", text("hi")),
        turn("assistant", call("a"), call("b")),
        turn("user", result("b", "2")),
        turn("assistant", text("still waiting")),
        turn("user", result("a", "1"), text("there")),
    ]
    assert told(repaired(turns))[2:] == [
        ("user", ["r:a=1", "r:b=2"]),
        ("assistant", ["still waiting"]),
        ("user", ["there"]),
    ]


def test_an_unanswered_call_has_failed():
    custom = Call(id="a", name="patch", arguments="free", custom=True)
    made = repaired([turn("user", text("hi")), turn("assistant", custom)])
    answer = made[2].parts[0]
    assert isinstance(answer, Result)
    assert (answer.failed, answer.name, answer.custom, answer.call_id) == (True, "patch", True, "a")
    assert list(words(answer.parts)) == ["No result of this call was given."]


def test_an_orphan_becomes_marked_text():
    made = repaired([turn("user", result("gone", "precious", "look"), text("hi"))])
    assert told(made) == [
        ("user", ["[Result of look, a tool call that is not shown]", "precious", "hi"])
    ]


def test_the_same_result_twice_is_told_once_and_another_one_too():
    turns = [
        turn("user", text("hi")),
        turn("assistant", call("a")),
        turn("user", result("a", "1"), result("a", "1"), result("a", "other")),
    ]
    marked = "[Result, a tool call that is not shown]"
    assert told(repaired(turns))[2:] == [("user", ["r:a=1", marked, "other"])]


def test_results_without_ids_find_their_calls_by_name_and_order():
    turns = [
        turn("user", text("hi")),
        turn("assistant", call("", "f"), call("", "g"), call("", "f")),
        turn("user", result("", "f1", "f"), result("x1", "g1", "g"), result("", "f2", "f")),
        turn("assistant", call("b", "h")),
        turn("user", result("", "h1")),
    ]
    made = repaired(turns)
    assert [list(words([part])) for part in made[2].parts] == [["f1"], ["g1"], ["f2"]]
    calls = [part for part in made[1].parts if isinstance(part, Call)]
    assert len({one.id for one in calls}) == 3
    assert all(re.fullmatch(r"call_[0-9a-f]{24}", one.id) for one in calls)
    assert [(one.id, one.name) for one in calls] == [
        (one.call_id, one.name) for one in made[2].parts if isinstance(one, Result)
    ]
    assert told(made)[4] == ("user", ["r:b=h1"])
    assert made == repaired(deepcopy(turns))
    longer = [*turns, turn("assistant", call("", "f"))]
    assert repaired(longer)[:5] == made


@pytest.mark.parametrize("odd", ["a b", "x" * 65, "fc.1", "é", "call\n"])
def test_ids_that_do_not_fit_are_replaced_alike_wherever_they_stand(odd: str):
    turns = [
        turn("user", text("hi")),
        turn("assistant", call(odd)),
        turn("user", result(odd)),
    ]
    one = repaired(turns)
    other = repaired([turn("user", text("hi")), turn("assistant", call("z")), *turns])
    ids = {part.id for made in (one, other) for part in made[-2].parts if isinstance(part, Call)}
    assert len(ids - {"z"}) == 1
    made = one[1].parts[0]
    assert isinstance(made, Call)
    assert len(made.id) <= 40
    assert told(one)[2] == ("user", [f"r:{made.id}=seen"])


def test_an_id_that_is_used_again_is_another_call():
    turns = [
        turn("user", text("hi")),
        turn("assistant", call("1", arguments="[1]")),
        turn("user", result("1", "one")),
        turn("assistant", call("1", arguments="[2]")),
        turn("user", result("1", "two")),
    ]
    made = repaired(turns)
    assert told(made)[1:3] == [("assistant", ["c:1"]), ("user", ["r:1=one"])]
    again = made[3].parts[0]
    assert isinstance(again, Call)
    assert again.id != "1"
    assert told(made)[4] == ("user", [f"r:{again.id}=two"])


def test_an_id_that_we_made_is_not_made_again_for_another_call():
    start = turn("user", text("hi"))
    made = repaired([start, turn("assistant", call("odd id"))])[1].parts[0]
    assert isinstance(made, Call)
    both = repaired([start, turn("assistant", call("odd id"), call(made.id))])[1].parts
    ids = [part.id for part in both if isinstance(part, Call)]
    assert ids[1] == made.id
    assert ids[0] != ids[1]


def test_nothing_is_dropped_but_a_carrier_without_words_stays():
    signed = Text(text="", carrier=Carrier(Vendor.GEMINI, "sig"))
    sealed = Reasoning(texts=[], carrier=Carrier(Vendor.OPENAI, "enc"))
    turns = [
        turn("user", text("hi"), text(""), text(" \n")),
        turn("assistant", text(""), Refusal(text=""), Reasoning(texts=[""])),
        turn("assistant", signed, sealed),
        turn("user"),
    ]
    assert repaired(turns) == [turn("user", text("hi")), turn("assistant", signed, sealed)]


def test_the_user_begins():
    made = repaired([turn("system", text("rules")), turn("assistant", text("hello"))])
    assert [one.role for one in made] == ["system", "user", "assistant"]
    assert repaired(made) == made


def test_parts_in_anothers_turn_find_their_place():
    turns = [
        turn("user", text("hi"), call("a"), result("a", "1")),
        turn("assistant", call("b"), result("b", "2"), text("so")),
    ]
    assert told(repaired(turns)) == [
        ("user", ["hi"]),
        ("assistant", ["c:a"]),
        ("user", ["r:a=1"]),
        ("assistant", ["c:b"]),
        ("user", ["r:b=2"]),
        ("assistant", ["so"]),
    ]


def test_what_turns_say_of_themselves_is_joined():
    one = Turn(role="user", name="ann", parts=[text("a")], extra={"x": 1})
    other = Turn(role="user", name="bob", parts=[text("b")], extra={"y": 2})
    assert repaired([one, one])[0].name == "ann"
    made = repaired([one, other])[0]
    assert (made.name, made.extra) == ("", {"x": 1, "y": 2})


IDS = st.sampled_from(["", "a", "b", "c", "odd id", "x" * 70])
NAMES = st.sampled_from(["f", "g"])
WORDS = st.text("abc \n", max_size=5)
PARTS: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, text=WORDS),
    st.builds(Reasoning, texts=st.lists(WORDS, max_size=2)),
    st.builds(Call, id=IDS, name=NAMES, arguments=WORDS),
    st.builds(
        Result,
        call_id=IDS,
        name=st.one_of(st.just(""), NAMES),
        parts=st.lists(st.builds(Text, text=WORDS), max_size=2),
    ),
)
TURNS = st.lists(
    st.builds(
        Turn,
        role=st.sampled_from(["user", "assistant", "system"]),
        parts=st.lists(PARTS, max_size=4),
    ),
    max_size=10,
)


@given(TURNS)
def test_every_history_is_put_in_order(turns: list[Turn]):
    before = deepcopy(turns)
    made = repaired(turns)
    assert turns == before
    assert repaired(made) == made
    roles = [one.role for one in made]
    assert all(one != other for one, other in pairwise(roles))
    assert next((role for role in roles if role != "system"), "user") == "user"
    ids = [part.id for one in made for part in one.parts if isinstance(part, Call)]
    assert len(ids) == len(set(ids))
    assert all(ID.fullmatch(id_) for id_ in ids)
    for at, one in enumerate(made):
        assert one.parts
        _check_results(made, at)


def _check_results(made: list[Turn], at: int) -> None:
    results = [part for part in made[at].parts if isinstance(part, Result)]
    before = made[at - 1].parts if at else []
    calls = [part for part in before if isinstance(part, Call)]
    assert all(made[at].role == "assistant" for part in made[at].parts if isinstance(part, Call))
    assert [(one.call_id, one.name) for one in results] == [(one.id, one.name) for one in calls]
    assert made[at].parts[: len(results)] == results
    if at == len(made) - 1:
        assert not any(isinstance(part, Call) for part in made[at].parts)


@given(TURNS)
def test_no_history_loses_a_call_a_result_or_a_text(turns: list[Turn]):
    def all_words(of: list[Turn]) -> Counter[str]:
        return Counter(one for turn in of for one in words(turn.parts) if one.strip())

    def calls(of: list[Turn]) -> list[tuple[str, str]]:
        found = [part for turn in of for part in turn.parts if isinstance(part, Call)]
        return [(one.name, one.arguments) for one in found]

    made = repaired(turns)
    assert calls(made) == calls(turns)
    missing = all_words(turns) - all_words(made)
    # Only a result that says again what was said may be told once.
    results = [part for one in turns for part in one.parts if isinstance(part, Result)]
    again = Counter(one for part in results for one in words([part]))
    assert all(again[word] > 1 and all_words(made)[word] for word in missing)
