"""A foreign conversation as the input of the Responses protocol."""

from base64 import b64encode

import pytest

from tollbridge.protocols.abilities import Abilities, Addressee
from tollbridge.protocols.conversation import (
    Audio,
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
from tollbridge.protocols.losses import Losses, Untranslatable
from tollbridge.protocols.responses_history_writer import HistoryWriter
from tollbridge.protocols.tool_names import ToolNames

OPENAI = Carrier(Vendor.OPENAI, "gAAA", "rs_1")


def write(*turns, wire=Wire.MESSAGES, compatible=False):
    conversation = Conversation(wire=wire, model="m", turns=list(turns))
    losses = Losses()
    to = Addressee("up", Abilities(), 0, compatible=compatible)
    writer = HistoryWriter(conversation, to, ToolNames(conversation), losses)
    return writer.items(), losses.counts, writer


def user(*parts):
    return Turn(role="user", parts=list(parts))


def model(*parts):
    return Turn(role="assistant", parts=list(parts))


HI = user(Text(text="hi"))


def test_a_tool_loop_with_thoughts():
    call = Call(id="toolu_1", name="f", arguments='{"a":1}')
    items, losses, writer = write(
        HI,
        model(Reasoning(texts=["hm"], carrier=OPENAI), Text(text="wait"), call),
        user(Result(call_id="toolu_1", parts=[Text(text="42")]), Text(text="go on")),
    )
    assert items == [
        {"role": "user", "content": "hi"},
        {
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": "gAAA",
        },
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "wait", "annotations": []}],
        },
        {"type": "function_call", "call_id": "toolu_1", "name": "f", "arguments": '{"a":1}'},
        {"type": "function_call_output", "call_id": "toolu_1", "output": "42"},
        {"role": "user", "content": "go on"},
    ]
    assert writer.replays
    assert not losses


def test_foreign_and_unsigned_thoughts_stay_behind():
    foreign = Carrier(Vendor.ANTHROPIC, "signature")
    thoughts = [Reasoning(texts=["a"], carrier=foreign), Reasoning(texts=["b"]), Text(text="x")]
    items, losses, writer = write(HI, model(*thoughts))
    assert [item["role"] for item in items] == ["user", "assistant"]
    assert losses == {"carrier": 1, "reasoning_text": 1}
    assert not writer.replays


def test_a_carrier_on_a_call_becomes_thoughts_before_it():
    call = Call(id="c", name="f", arguments="", carrier=OPENAI)
    items, _, _ = write(HI, model(call), user(Result(call_id="c", parts=[])))
    assert [item.get("type") for item in items[1:]] == [
        "reasoning",
        "function_call",
        "function_call_output",
    ]
    assert items[2]["arguments"] == "{}"


def test_media():
    parts = [
        Image(data="aWk=", mime="image/png"),
        Image(url="https://a.org/b.png", detail="low"),
        Document(data="JVBERi0=", mime="application/pdf", name="a.pdf"),
        Document(url="https://a.org/b.pdf"),
        Document(data=b64encode(b"plain").decode(), mime="text/plain", name="a.txt"),
        Document(text="words", mime="text/plain"),
    ]
    [item], losses, _ = write(user(*parts))
    assert item["content"] == [
        {"type": "input_image", "image_url": "data:image/png;base64,aWk=", "detail": "auto"},
        {"type": "input_image", "image_url": "https://a.org/b.png", "detail": "low"},
        {
            "type": "input_file",
            "filename": "a.pdf",
            "file_data": "data:application/pdf;base64,JVBERi0=",
        },
        {"type": "input_file", "file_url": "https://a.org/b.pdf"},
        {"type": "input_text", "text": "a.txt:\nplain"},
        {"type": "input_text", "text": "words"},
    ]
    assert not losses


def test_results_hold_media_and_say_that_they_failed():
    picture = Result(call_id="c", parts=[Image(data="aWk=", mime="image/png")], failed=True)
    call = Call(id="c", name="f", arguments="{}")
    items, losses, _ = write(HI, model(call), user(picture))
    kinds = [part["type"] for part in items[-1]["output"]]
    assert kinds == ["input_text", "input_image"]
    assert losses == {"result_failed": 1}
    broken = Result(call_id="c", parts=[Text(text="broken"), Text(text="b")], failed=True)
    assert write(HI, model(call), user(broken))[0][-1]["output"] == "Error: broken\nb"


def test_an_image_of_the_models_is_shown_to_it():
    items, _, _ = write(HI, model(Text(text="here"), Image(data="aWk=", mime="image/png")), HI)
    assert [item["role"] for item in items] == ["user", "assistant", "user", "user"]


def test_refusals_and_instructions_in_between():
    later = Turn(role="system", parts=[Text(text="be brief")])
    items, _, _ = write(HI, model(Refusal(text="no")), later, HI)
    assert items[1]["content"] == [{"type": "refusal", "refusal": "no"}]
    assert items[2] == {"role": "developer", "content": "be brief"}
    items, _, _ = write(HI, model(Text(text="a")), later, HI, compatible=True)
    assert items[2]["role"] == "system"


@pytest.mark.parametrize("compatible", [True, False])
def test_free_text_calls_are_emulated_only_where_they_must(compatible):
    call = Call(id="c", name="patch", arguments="text", custom=True)
    result = Result(call_id="c", parts=[Text(text="ok")], custom=True)
    items, _, _ = write(HI, model(call), user(result), wire=Wire.CHAT, compatible=compatible)
    if compatible:
        assert items[1]["arguments"] == '{"input":"text"}'
        assert items[2]["type"] == "function_call_output"
    else:
        assert items[1]["input"] == "text"
        assert items[2]["type"] == "custom_tool_call_output"


@pytest.mark.parametrize(
    ("part", "wire", "field"),
    [
        (Audio(data="a", mime="audio/wav"), Wire.CHAT, "messages"),
        (Video(url="https://a.org/b"), Wire.GEMINI, "contents"),
        (Image(file_id="file-1"), Wire.CHAT, "messages"),
        (Document(file_id="file-1"), Wire.MESSAGES, "messages"),
        (Opaque(wire=Wire.MESSAGES, kind="search_result", raw={}), Wire.MESSAGES, "messages"),
    ],
)
def test_what_the_model_would_have_to_see_is_refused(part, wire, field):
    with pytest.raises(Untranslatable) as caught:
        write(user(part), wire=wire)
    assert caught.value.name == field


def test_hints_and_names_are_noted():
    turn = user(
        Text(text="a", cache={"type": "ephemeral"}), Document(text="b", extra={"context": "c"})
    )
    turn.name = "bob"
    _, losses, _ = write(turn)
    assert losses == {"cache_hint": 1, "document_name": 1, "message_name": 1}
