"""Histories of other protocols as Gemini's contents."""

import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.conversation import (
    Call,
    Carrier,
    Conversation,
    Document,
    Image,
    Opaque,
    Reasoning,
    Refusal,
    Result,
    Text,
    Turn,
    Vendor,
    Video,
    Wire,
)
from tollbridge.protocols.gemini_request_writer import NAME_MAX
from tollbridge.protocols.gemini_signature import NO_SIGNATURE
from tollbridge.protocols.gemini_turn_writer import TurnWriter
from tollbridge.protocols.losses import Losses, Untranslatable
from tollbridge.protocols.tool_names import ToolNames

SIGNED = Carrier(Vendor.GEMINI, "c2ln")
FOREIGN = Carrier(Vendor.ANTHROPIC, "sig")
PNG = Image(data="AAAA", mime="image/png")
BLOB = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}


def contents_of(*turns, wire=Wire.CHAT, losses=None, signed=False):
    conversation = Conversation(wire=wire, model="m", turns=list(turns))
    names = ToolNames(conversation, NAME_MAX)
    return TurnWriter(conversation, names, losses or Losses(), signed=signed).contents()


def user(*parts, **fields):
    return Turn(role="user", parts=list(parts), **fields)


def assistant(*parts):
    return Turn(role="assistant", parts=list(parts))


HI = user(Text(text="hi"))
F = Call(id="a", name="f", arguments='{"x":1}')
G = Call(id="b", name="g", arguments="")


def result(call_id, *parts, **fields):
    return Result(call_id=call_id, parts=list(parts), **fields)


def test_results_have_the_calls_names_and_their_order():
    contents = contents_of(
        HI,
        assistant(Text(text="so"), F, G),
        user(result("b", Text(text="two"), failed=True)),
        user(result("a", Text(text="one"), Text(text="more"))),
        user(Text(text="go on")),
    )
    assert [content["role"] for content in contents] == ["user", "model", "user"]
    assert contents[1]["parts"] == [
        {"text": "so"},
        {"functionCall": {"name": "f", "args": {"x": 1}, "id": "a"}},
        {"functionCall": {"name": "g", "args": {}, "id": "b"}},
    ]
    assert contents[2]["parts"] == [
        {"functionResponse": {"name": "f", "response": {"result": "one\nmore"}, "id": "a"}},
        {"functionResponse": {"name": "g", "response": {"error": "two"}, "id": "b"}},
        {"text": "go on"},
    ]


def test_a_result_stays_a_text_so_that_no_reference_in_it_is_followed():
    said = '{"$ref": "#/x", "$defs": {}}'
    contents = contents_of(HI, assistant(F), user(result("a", Text(text=said))))
    assert contents[2]["parts"][0]["functionResponse"]["response"] == {"result": said}


def test_an_unanswered_call_has_a_failed_result():
    contents = contents_of(HI, assistant(F))
    assert "error" in contents[2]["parts"][0]["functionResponse"]["response"]


@pytest.mark.parametrize("signed", [False, True])
def test_what_a_result_shows_is_in_it_or_after_all_results(signed):
    contents = contents_of(
        HI,
        assistant(F, G),
        user(result("a", PNG), result("b", Text(text="x")), Text(text="go on")),
        signed=signed,
    )
    parts = contents[2]["parts"]
    if signed:
        assert parts[0]["functionResponse"]["parts"] == [BLOB]
        assert len(parts) == 3
    else:
        assert [next(iter(part)) for part in parts] == [
            "functionResponse",
            "functionResponse",
            "inlineData",
            "text",
        ]


def test_thoughts_of_other_vendors_are_dropped_before_the_history_is_repaired():
    losses = Losses()
    contents = contents_of(
        HI, assistant(Reasoning(texts=["hm"], carrier=FOREIGN)), HI, losses=losses
    )
    assert [content["role"] for content in contents] == ["user"]
    assert losses.counts == {"reasoning_text": 1, "carrier": 1}


@pytest.mark.parametrize(
    ("parts", "written"),
    [
        ([F], [{"functionCall": {"name": "f", "args": {"x": 1}, "id": "a"}}]),
        ([Text(text="a")], [{"text": "a"}]),
        ([], [{"text": ""}]),
    ],
)
def test_geminis_own_signature_goes_to_what_it_signed(parts, written):
    losses = Losses()
    reasoning = Reasoning(texts=["hm"], carrier=SIGNED)
    answer = user(result("a", Text(text="x")))
    contents = contents_of(HI, assistant(reasoning, *parts), answer, losses=losses)
    written[0]["thoughtSignature"] = "c2ln"
    assert contents[1]["parts"] == written
    assert losses.counts["reasoning_text"] == 1
    assert "carrier" not in losses.counts


def test_gemini_3_gets_a_stand_in_for_a_missing_signature_on_the_first_call_only():
    parts = contents_of(HI, assistant(F, G), signed=True)[1]["parts"]
    assert [part.get("thoughtSignature") for part in parts] == [NO_SIGNATURE, None]
    own = Call(id="a", name="f", arguments="{}", carrier=SIGNED)
    assert contents_of(HI, assistant(own), signed=True)[1]["parts"][0]["thoughtSignature"] == "c2ln"
    foreign = Call(id="a", name="f", arguments="{}", carrier=FOREIGN)
    assert "thoughtSignature" not in contents_of(HI, assistant(foreign))[1]["parts"][0]


def test_instructions_within_are_marked_texts_of_the_user():
    losses = Losses()
    contents = contents_of(HI, Turn(role="system", parts=[Text(text="be brief")]), losses=losses)
    assert contents == [
        {
            "role": "user",
            "parts": [{"text": "hi"}, {"text": "<system>\nbe brief\n</system>"}],
        }
    ]
    assert losses.counts == {"system_place": 1}


def test_an_answer_at_the_beginning_gets_a_user_before_it():
    assert contents_of(assistant(Refusal(text="no")), HI)[0]["role"] == "user"


def test_free_text_calls_and_odd_names():
    call = Call(id="a", name="apply patch", arguments="*** x", custom=True)
    contents = contents_of(HI, assistant(call), user(result("a", Text(text="ok"), custom=True)))
    made = contents[1]["parts"][0]["functionCall"]
    assert made["args"] == {"input": "*** x"}
    assert made["name"] == "apply_patch"
    assert contents[2]["parts"][0]["functionResponse"]["name"] == "apply_patch"


def test_hints_are_noted():
    losses = Losses()
    image = Image(data="AAAA", mime="image/png", detail="high")
    document = Document(data="AAAA", mime="application/pdf", name="n", cache={})
    contents_of(user(image, document, name="Bo"), losses=losses)
    assert losses.counts == {
        "image_detail": 1,
        "document_name": 1,
        "cache_hint": 1,
        "message_name": 1,
    }


@pytest.mark.parametrize(
    "part",
    [
        Image(url="https://x/y.png"),
        Document(file_id="file-1"),
        Video(url="https://youtu.be/x"),
        Opaque(wire=Wire.MESSAGES, kind="server_tool_use", raw={}),
    ],
)
@pytest.mark.parametrize(("wire", "field"), [(Wire.CHAT, "messages"), (Wire.RESPONSES, "input")])
def test_what_cannot_be_said_is_refused_by_the_clients_field(part, wire, field):
    with pytest.raises(Untranslatable) as caught:
        contents_of(user(part), wire=wire)
    assert caught.value.name == field
    assert caught.value.reason


TEXT = st.text(max_size=4)
ID = st.sampled_from(["", "a", "b", "c"])
CARRIER = st.none() | st.sampled_from([SIGNED, FOREIGN])
SPOKEN = st.builds(Text, text=TEXT, carrier=CARRIER)
USER_PARTS = st.lists(
    SPOKEN
    | st.just(PNG)
    | st.builds(Result, call_id=ID, parts=st.lists(SPOKEN | st.just(PNG), max_size=2)),
    max_size=3,
)
MODEL_PARTS = st.lists(
    SPOKEN
    | st.builds(
        Call,
        id=ID,
        name=st.sampled_from("fg"),
        arguments=st.sampled_from(["{}", "", "x"]),
        carrier=CARRIER,
    )
    | st.builds(Reasoning, texts=st.lists(TEXT, max_size=2), carrier=CARRIER),
    max_size=3,
)
HISTORY = st.lists(
    st.builds(Turn, role=st.just("user"), parts=USER_PARTS)
    | st.builds(Turn, role=st.just("assistant"), parts=MODEL_PARTS)
    | st.builds(Turn, role=st.just("system"), parts=st.lists(SPOKEN, max_size=1)),
    max_size=6,
)


@given(HISTORY, st.booleans())
def test_any_history_is_one_that_gemini_takes(turns, signed):
    contents = contents_of(*turns, signed=signed)
    before = {"role": "model", "parts": []}
    for content in contents:
        types.Content.model_validate(content)
        assert content["parts"]
        assert content["role"] != before["role"]
        calls = [part["functionCall"] for part in before["parts"] if "functionCall" in part]
        answers = [
            part["functionResponse"] for part in content["parts"] if "functionResponse" in part
        ]
        assert [(one["name"], one["id"]) for one in answers] == [
            (one["name"], one["id"]) for one in calls
        ]
        first = next((part for part in content["parts"] if "functionCall" in part), {})
        assert not (signed and first) or first["thoughtSignature"]
        assert all(part.get("thoughtSignature") != "sig" for part in content["parts"])
        before = content
    assert "functionCall" not in str(before["parts"]) or not contents
    written = str(contents)
    for turn in turns:
        for part in turn.parts:
            if isinstance(part, Text) and part.text.strip():
                assert str({"text": part.text})[1:-1] in written or turn.role == "system"
