"""The twin of protocols/messages_turns.py."""

from base64 import b64encode

import pytest

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
from tollbridge.protocols.messages_turns import BlockWriter, sendable
from tollbridge.protocols.tool_names import ToolNames

CACHE = {"type": "ephemeral"}
OURS = Reasoning(texts=["hm"], carrier=Carrier(Vendor.ANTHROPIC, "sig"))
THEIRS = Reasoning(texts=["hm"], carrier=Carrier(Vendor.OPENAI, "enc"))


def user(*parts):
    return Turn(role="user", parts=list(parts))


def assistant(*parts):
    return Turn(role="assistant", parts=list(parts))


def system(text):
    return Turn(role="system", parts=[Text(text=text)])


HI = user(Text(text="hi"))


def messages(*turns, wire=Wire.CHAT, system_anywhere=False):
    conversation = Conversation(wire=wire, model="m", turns=list(turns))
    losses = Losses()
    sent = sendable(conversation, losses, system_anywhere=system_anywhere)
    writer = BlockWriter(conversation, ToolNames(conversation, 128), losses)
    return writer.messages(sent), dict(losses.counts)


def blocks(*parts, wire=Wire.CHAT):
    written, lost = messages(user(*parts), wire=wire)
    return written[0]["content"], lost


def test_thoughts_go_back_to_their_vendor_only():
    redacted = Reasoning(texts=[], redacted=True, carrier=Carrier(Vendor.ANTHROPIC, "data"))
    for wire in (Wire.MESSAGES, Wire.CHAT):
        written, lost = messages(
            HI, assistant(OURS, THEIRS, Reasoning(texts=["x"]), redacted, Text(text="a")), wire=wire
        )
        assert written[1]["content"] == [
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
            {"type": "redacted_thinking", "data": "data"},
            {"type": "text", "text": "a"},
        ]
        assert lost == {"carrier": 1, "reasoning_text": 1}


def test_a_turn_that_only_had_anothers_thoughts_goes():
    written, _ = messages(HI, assistant(THEIRS), wire=Wire.MESSAGES)
    assert len(written) == 1


def test_instructions_in_between():
    marked, lost = messages(HI, assistant(Text(text="a")), system("be brief"), HI)
    assert [one["role"] for one in marked] == ["user", "assistant", "user"]
    assert marked[2]["content"][0]["text"] == "[System instruction]\nbe brief"
    assert lost == {"system_place": 1}
    kept, lost = messages(HI, system("be brief"), system_anywhere=True)
    assert kept[1] == {"role": "system", "content": [{"type": "text", "text": "be brief"}]}
    assert not lost


def test_there_is_always_a_turn_of_the_user():
    assert [one["role"] for one in messages()[0]] == ["user"]
    written = messages(assistant(Text(text="a  ")))[0]
    assert [one["role"] for one in written] == ["user", "assistant"]
    assert written[1]["content"][0]["text"] == "a"


def test_calls_and_results():
    written, lost = messages(
        Turn(role="user", parts=[Text(text="hi")], name="bob"),
        assistant(
            Call(id="a b", name="x.y", arguments='{"q":1}', carrier=Carrier(Vendor.GEMINI, "s"))
        ),
        user(Text(text="also"), Result(call_id="a b", parts=[Text(text="r")], failed=True)),
    )
    (call,) = written[1]["content"]
    result, text = written[2]["content"]
    assert (call["name"], call["input"], call["type"]) == ("x_y", {"q": 1}, "tool_use")
    assert result == {
        "type": "tool_result",
        "tool_use_id": call["id"],
        "content": [{"type": "text", "text": "r"}],
        "is_error": True,
    }
    assert " " not in call["id"] and text["text"] == "also"
    assert lost == {"carrier": 1, "message_name": 1}


def test_free_text_of_a_call_stands_in_its_field():
    written, _ = messages(HI, assistant(Call(id="a", name="n", arguments="text", custom=True)))
    assert written[1]["content"][0]["input"] == {"input": "text"}
    assert written[2]["content"][0]["is_error"]


def test_texts_that_say_nothing_are_left_out():
    assert blocks(Text(text=" "), Text(text="a"), Refusal(text="no"))[0] == [
        {"type": "text", "text": "a"},
        {"type": "text", "text": "no"},
    ]
    assert blocks(Text(text=" "), wire=Wire.MESSAGES)[0] == [{"type": "text", "text": " "}]


def test_images():
    png = "iVBORw0KGgoAAAA"
    made, lost = blocks(
        Image(url="u", detail="high"),
        Image(data=png, mime="image/jpeg"),
        Image(data="AAAA", mime="image/WEBP", detail="auto"),
        Image(data="", mime="image/png"),
    )
    assert [one["source"] for one in made] == [
        {"type": "url", "url": "u"},
        {"type": "base64", "media_type": "image/png", "data": png},
        {"type": "base64", "media_type": "image/webp", "data": "AAAA"},
    ]
    assert lost == {"image_detail": 1}


def test_documents():
    text = b64encode("é".encode()).decode()
    made, _ = blocks(
        Document(url="u"),
        Document(data="JVBERiAA", mime="", name="t"),
        Document(data=text, mime="text/markdown"),
        Document(text="plain"),
        Document(text=" "),
    )
    assert made == [
        {"type": "document", "source": {"type": "url", "url": "u"}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERiAA"},
            "title": "t",
        },
        *(
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": data},
            }
            for data in ("é", "plain")
        ),
    ]


@pytest.mark.parametrize(
    "part",
    [
        Audio(data="x", mime="audio/wav"),
        Video(url="u"),
        Image(file_id="f"),
        Document(file_id="f"),
        Image(data="AAAA", mime="image/bmp"),
        Document(data="AAAA", mime="application/zip"),
        Document(data="not base64", mime="text/plain"),
        Opaque(wire=Wire.RESPONSES, kind="web_search_call", raw={}),
    ],
)
def test_what_the_model_cannot_see_is_refused(part):
    for wire, field in ((Wire.CHAT, "messages"), (Wire.RESPONSES, "input")):
        with pytest.raises(Untranslatable) as raised:
            blocks(part, wire=wire)
        assert raised.value.name == field and raised.value.reason


def test_results_may_have_images_and_documents():
    parts = [Image(url="u"), Document(url="v")]
    written, _ = messages(
        HI,
        assistant(Call(id="a", name="n", arguments="")),
        user(Result(call_id="a", parts=list(parts))),
    )
    assert [one["type"] for one in written[2]["content"][0]["content"]] == ["image", "document"]


def test_the_last_four_marks_for_the_cache_stay():
    texts = [Text(text=str(n), cache=CACHE) for n in range(6)]
    texts.append(Text(text="no mark", cache={"type": "other"}))
    conversation = Conversation(wire=Wire.CHAT, model="m")
    writer = BlockWriter(conversation, ToolNames(conversation), Losses())
    made = writer.system(texts)
    writer.spare()
    assert ["cache_control" in block for block in made] == [False, False, *[True] * 4, False]


def test_the_own_protocols_parts_are_said_again():
    parts = [
        Image(file_id="f", extra={"transformations": {}}),
        Document(data="x", mime="a/b", extra={"citations": {"enabled": True}}),
        Opaque(wire=Wire.MESSAGES, kind="new", raw={"type": "new"}),
        Text(text="a", cache={"type": "x"}, extra={"citations": [1], "billing_header": True}),
    ]
    made, _ = blocks(*parts, wire=Wire.MESSAGES)
    assert made == [
        {"type": "image", "source": {"type": "file", "file_id": "f"}, "transformations": {}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "a/b", "data": "x"},
            "citations": {"enabled": True},
        },
        {"type": "new"},
        {"type": "text", "text": "a", "cache_control": {"type": "x"}, "citations": [1]},
    ]
