"""Turns of other protocols as chat messages: strict order, results as text, media beside them."""

from base64 import b64encode

import pytest

from tollbridge.protocols.abilities import Abilities, Addressee
from tollbridge.protocols.chat_message_writer import MessageWriter
from tollbridge.protocols.conversation import (
    Audio,
    Call,
    Carrier,
    Conversation,
    Custom,
    Document,
    Function,
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
from tollbridge.protocols.tool_names import ToolNames

OPENAI = Addressee(model="gpt", abilities=Abilities(), max_output=9)
LIKE = Addressee(model="some", abilities=Abilities(), max_output=9, compatible=True)
DEEPSEEK = Addressee(model="DeepSeek-V4", abilities=Abilities(), max_output=9, compatible=True)
HINT = {"type": "ephemeral"}
PNG = "iVBORw0KGgoA"


def user(*parts, **fields):
    return Turn(role="user", parts=list(parts), **fields)


def assistant(*parts):
    return Turn(role="assistant", parts=list(parts))


def written(*turns, to=OPENAI, wire=Wire.MESSAGES, losses=None, customs=(), **fields):
    said = Conversation(wire=wire, model="m", turns=list(turns), **fields)
    names = ToolNames(said)
    return MessageWriter(said, to, names, losses or Losses(), frozenset(customs)).messages()


def content(*parts, to=OPENAI, **fields):
    return written(user(*parts), to=to, **fields)[0]["content"]


def call(call_id, name="f", arguments="{}", **fields):
    return Call(id=call_id, name=name, arguments=arguments, **fields)


def result(call_id, *parts, **fields):
    return Result(call_id=call_id, parts=list(parts), **fields)


def test_parallel_calls_are_one_message_and_results_follow_it():
    messages = written(
        user(Text(text="q")),
        assistant(Text(text="a"), call("1", "f", '{"x":1}')),
        assistant(call("2", "g", "")),
        user(Text(text="then"), result("2", Text(text="two")), result("1", Text(text="one"))),
    )
    assert messages == [
        {"role": "user", "content": "q"},
        {
            "role": "assistant",
            "content": "a",
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}},
                {"id": "2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "1", "content": "one"},
        {"role": "tool", "tool_call_id": "2", "content": "two"},
        {"role": "user", "content": "then"},
    ]


def test_media_of_results_follow_all_results():
    losses = Losses()
    messages = written(
        user(Text(text="q")),
        assistant(call("1"), call("2")),
        user(
            result("1", Text(text="seen"), Image(data=PNG, mime="image/png"), failed=True),
            result("2", Document(data="JVBERi0x", mime="application/pdf")),
            Text(text="go on"),
        ),
        losses=losses,
    )
    assert [message["role"] for message in messages[2:]] == ["tool", "tool", "user"]
    assert messages[2]["content"] == "Error: seen"
    assert messages[3]["content"]
    told = messages[4]["content"]
    assert [part["type"] for part in told] == ["text", "image_url", "text", "file", "text"]
    assert "1" in told[0]["text"] and "2" in told[2]["text"] and told[4]["text"] == "go on"
    assert losses.counts == {"result_failed": 1}


def test_texts_are_folded_for_compatible_vendors():
    two = (Text(text="a"), Text(text="b"))
    assert content(*two) == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert content(*two, to=LIKE) == "a\n\nb"
    system = written(user(Text(text="q")), to=LIKE, system=list(two))[0]
    assert system == {"role": "system", "content": "a\n\nb"}
    said = written(user(Text(text="q")), assistant(*two))[1]
    assert said["content"] == "ab"


def test_notes_to_another_vendors_books_are_left_out():
    billing = Text(text="x-anthropic-billing-header: 1", extra={"billing_header": True})
    messages = written(user(Text(text="q")), system=[billing, Text(text="s")])
    assert messages[0] == {"role": "system", "content": "s"}
    assert written(user(Text(text="q")), system=[billing])[0]["role"] == "user"


def test_instructions_in_the_middle():
    turns = (user(Text(text="q")), Turn(role="system", parts=[Text(text="s")]))
    assert written(*turns)[1] == {"role": "system", "content": "s"}
    losses = Losses()
    strict = Addressee(model="m", abilities=Abilities(system_anywhere=False), max_output=9)
    assert written(*turns, to=strict, losses=losses)[1] == {
        "role": "user",
        "content": "[Instruction of the system] s",
    }
    assert losses.counts == {"system_place": 1}


def test_reasoning_is_for_those_who_want_it_back():
    thought = Reasoning(texts=["a", "b"], carrier=Carrier(Vendor.ANTHROPIC, "sig"))
    turns = (user(Text(text="q")), assistant(thought, Text(text="x")))
    for to, told, lost in (
        (OPENAI, None, {"carrier": 1, "reasoning_text": 1}),
        (LIKE, None, {"carrier": 1, "reasoning_text": 1}),
        (DEEPSEEK, "a\n\nb", {"carrier": 1}),
    ):
        losses = Losses()
        assert written(*turns, to=to, losses=losses)[1].get("reasoning_content") == told
        assert losses.counts == lost
    assert len(written(user(Text(text="q")), assistant(thought))) == 1


def test_carriers_of_calls_are_lost_to_others():
    losses = Losses()
    signed = call("1", carrier=Carrier(Vendor.GEMINI, "sig"))
    message = written(user(Text(text="q")), assistant(signed), wire=Wire.GEMINI, losses=losses)[1]
    assert "extra_content" not in message["tool_calls"][0]
    assert losses.counts["carrier"] == 1
    [message] = written(assistant(signed), wire=Wire.CHAT)
    assert message["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "sig"}}


def test_free_text_calls():
    made = assistant(call("1", "patch", "a\nb", custom=True))
    turns = (user(Text(text="q")), made)
    told = written(*turns, wire=Wire.RESPONSES, tools=[Custom(name="patch")], customs=["patch"])
    assert told[1]["tool_calls"][0] == {
        "id": "1",
        "type": "custom",
        "custom": {"name": "patch", "input": "a\nb"},
    }
    told = written(*turns, wire=Wire.RESPONSES, to=LIKE)
    function = {"name": "patch", "arguments": '{"input":"a\\nb"}'}
    assert told[1]["tool_calls"][0]["function"] == function


def test_names_are_outward_with_their_namespace():
    tools = [Function(name="a.b"), Function(name="f", namespace="mcp")]
    made = assistant(call("1", "a.b"), call("2", "f", namespace="mcp"))
    told = written(user(Text(text="q")), made, wire=Wire.RESPONSES, tools=tools)[1]
    assert [one["function"]["name"] for one in told["tool_calls"]] == ["a_b", "mcp__f"]


def test_cache_hints_are_lost_to_others():
    losses = Losses()
    answers = user(result("1", Text(text="r", cache=HINT), cache=HINT))
    written(user(Text(text="q")), assistant(call("1", cache=HINT)), answers, losses=losses)
    assert losses.counts == {"cache_hint": 3}
    losses = Losses()
    parts = (Text(text="a", cache=HINT), Image(data=PNG, mime="image/png", cache=HINT))
    assert "cache_control" not in str(content(*parts, losses=losses))
    assert losses.counts == {"cache_hint": 2}
    assert str(content(*parts, wire=Wire.CHAT)).count("cache_control") == 2


def test_images():
    losses = Losses()
    image = Image(url="https://x", detail="original")
    assert content(image, losses=losses) == [
        {"type": "image_url", "image_url": {"url": "https://x"}}
    ]
    assert losses.counts == {"image_detail": 1}
    told = content(Image(data=PNG, mime="image/jpeg", detail="low"), Image(), Text(text="x"))
    url = f"data:image/png;base64,{PNG}"
    assert told[0]["image_url"] == {"url": url, "detail": "low"} and len(told) == 2


def test_documents():
    losses = Losses()
    plain = b64encode("grüße".encode()).decode()
    told = content(
        Document(data="JVBERi0x", mime="application/pdf", name="a.pdf", extra={"context": "c"}),
        Document(text="words", name="b.txt"),
        Document(data=plain, mime="text/plain"),
        losses=losses,
    )
    data = "data:application/pdf;base64,JVBERi0x"
    assert told == [
        {"type": "file", "file": {"filename": "a.pdf", "file_data": data}},
        {"type": "text", "text": "b.txt:\n\nwords"},
        {"type": "text", "text": "grüße"},
    ]
    assert losses.counts == {"document_name": 1}


def test_sounds():
    wav = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    assert content(Audio(data="AAAA", mime="audio/wav"), wire=Wire.GEMINI) == [wav]
    flac = content(Audio(data="AAAA", mime="audio/flac"), wire=Wire.GEMINI, to=LIKE)
    assert flac[0]["input_audio"]["format"] == "flac"


@pytest.mark.parametrize(
    ("wire", "part", "field"),
    [
        (Wire.MESSAGES, Document(url="https://x/a.pdf"), "messages"),
        (Wire.MESSAGES, Document(file_id="file_1"), "messages"),
        (Wire.RESPONSES, Image(file_id="file_1"), "input"),
        (Wire.GEMINI, Video(url="gs://v"), "contents"),
        (Wire.GEMINI, Audio(data="AAAA", mime="audio/flac"), "contents"),
        (Wire.GEMINI, Opaque(wire=Wire.GEMINI, kind="executableCode", raw={}), "contents"),
    ],
)
def test_what_cannot_be_said_is_refused(wire, part, field):
    with pytest.raises(Untranslatable) as error:
        content(part, wire=wire)
    assert error.value.name == field


def test_an_assistants_media_are_refused():
    with pytest.raises(Untranslatable):
        written(user(Text(text="q")), assistant(Image(data=PNG, mime="image/png")))
    [message] = written(assistant(Image(data=PNG, mime="image/png")), wire=Wire.CHAT)
    assert message["images"][0]["image_url"]["url"].endswith(PNG)


def test_refusals_and_names():
    [_, message] = written(user(Text(text="q"), name="bob"), assistant(Refusal(text="no")))
    assert message == {"role": "assistant", "content": None, "refusal": "no"}
    [_, message] = written(user(Text(text="q")), assistant(Refusal(text="no")), to=LIKE)
    assert message == {"role": "assistant", "content": "no"}
    assert written(user(Text(text="q"), name="bob"))[0]["name"] == "bob"
