"""Proof of the names of tools on their way out and back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.conversation import Conversation, Custom, Function, ServerTool, Wire
from tollbridge.protocols.tool_names import ToolNames

names = st.text(max_size=90)
tools = st.lists(st.tuples(st.sampled_from(["", "ns", "n s"]), names), max_size=12, unique=True)


def names_of(*tools, longest=64):
    conversation = Conversation(wire=Wire.CHAT, model="m", tools=list(tools))
    return ToolNames(conversation, longest)


def test_a_name_that_is_allowed_stays_as_it_is():
    known = names_of(Function(name="look_up-2"), Custom(name="shell"))
    assert known.outward("look_up-2") == "look_up-2"
    assert known.back("look_up-2") == ("", "look_up-2")
    assert known.back("shell") == ("", "shell")
    assert (known.answer_tool, known.customs) == (None, set())


@pytest.mark.parametrize(
    ("name", "namespace", "outward"),
    [
        ("a.b", "", "a_b"),
        ("a b/c", "", "a_b_c"),
        ("read", "files", "files__read"),
        ("read", "my files", "my_files__read"),
        ("ü", "", "_"),
        ("", "", "_"),
        ("n" * 70, "", "n" * 64),
    ],
)
def test_a_name_that_is_not_allowed_is_written_as_one_that_is(name, namespace, outward):
    known = names_of(Function(name=name, namespace=namespace))
    assert known.outward(name, namespace) == outward
    assert known.back(outward) == (namespace, name)


def test_two_tools_never_share_a_name_and_the_first_keeps_the_plain_one():
    known = names_of(Function(name="a_b"), Function(name="a.b"), Function(name="a b"))
    made = [known.outward(name) for name in ("a_b", "a.b", "a b")]
    assert made[0] == "a_b"
    assert len(set(made)) == 3
    assert [known.back(one)[1] for one in made] == ["a_b", "a.b", "a b"]


def test_the_same_name_in_two_namespaces_is_two_tools():
    known = names_of(
        Function(name="read"), Function(name="read", namespace="a"), Function(name="a__read")
    )
    outward = [known.outward("read"), known.outward("read", "a"), known.outward("a__read")]
    assert len(set(outward)) == 3
    assert [known.back(one) for one in outward] == [("", "read"), ("a", "read"), ("", "a__read")]


def test_a_strangers_name_comes_back_as_it_is():
    assert names_of().back("nobody.knows") == ("", "nobody.knows")


def test_what_the_vendor_runs_has_no_name_of_the_clients():
    known = names_of(ServerTool(wire=Wire.CHAT, kind="x", raw={}), Function(name="f"))
    assert known.back("x") == ("", "x")
    assert known.outward("x") == "x"


def test_the_same_request_has_the_same_names_every_time():
    both = [Function(name="a.b"), Function(name="a_b")]
    assert [names_of(*both).outward(name) for name in ("a.b", "a_b")] == [
        names_of(*both).outward(name) for name in ("a.b", "a_b")
    ]


@given(tools, st.sampled_from([64, 128]))
def test_whatever_they_are_called_all_go_out_allowed_and_come_back_themselves(given_tools, longest):
    known = names_of(
        *(Function(name=name, namespace=space) for space, name in given_tools), longest=longest
    )
    out = {tool: known.outward(tool[1], tool[0]) for tool in given_tools}
    assert len(set(out.values())) == len(given_tools)
    for tool, name in out.items():
        assert re.fullmatch(rf"[A-Za-z0-9_-]{{1,{longest}}}", name)
        assert known.back(name) == tool
        assert known.outward(tool[1], tool[0]) == name
