"""Messages of a chat request become turns: instructions in their place, results together."""

import pytest

from tollbridge.protocols.carriers import sealed
from tollbridge.protocols.chat_message_reader import read_messages
from tollbridge.protocols.conversation import (
    Audio,
    Call,
    Carrier,
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
from tollbridge.protocols.json_peek import FieldError

USER = {"role": "user", "content": "q"}
PDF = "JVBERi0x"


def turns(*messages):
    return read_messages(list(messages))[1]


def part(**given):
    return turns({"role": "user", "content": [given]})[0].parts[0]


def said(**message):
    return turns(USER, {"role": "assistant", **message})[1]


def test_leading_instructions_are_the_system_prompt():
    system, rest = read_messages(
        [
            {"role": "system", "content": "a", "name": "n"},
            {
                "role": "developer",
                "content": [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}],
            },
            USER,
            {"role": "developer", "content": "d"},
            {"role": "system", "content": "e"},
        ]
    )
    assert system == [
        Text(text="a", extra={"message": {"role": "system", "name": "n"}}),
        Text(text="b", extra={"message": {"role": "developer"}}),
        Text(text="c", extra={"continues": True}),
    ]
    assert rest[1:] == [
        Turn(role="system", parts=[Text(text="d")], extra={"role": "developer"}),
        Turn(role="system", parts=[Text(text="e")]),
    ]


def test_results_of_one_step_are_one_turn():
    read = turns(
        USER,
        {"role": "tool", "tool_call_id": "a", "content": "1", "name": "f"},
        {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "2"}]},
        USER,
        {"role": "function", "name": "g", "content": "3"},
    )
    assert read[1].parts == [
        Result(call_id="a", name="f", parts=[Text(text="1")]),
        Result(call_id="b", parts=[Text(text="2")]),
    ]
    assert read[3].parts == [
        Result(call_id="", name="g", parts=[Text(text="3")], extra={"role": "function"})
    ]


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"type": "text", "text": "a", "x": 1}, Text(text="a", extra={"x": 1})),
        (
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
            Text(text="a", cache={"type": "ephemeral"}),
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://x/y", "detail": "low"}},
            Image(url="https://x/y", detail="low"),
        ),
        (
            {"type": "image_url", "image_url": "data:image/png;base64,iVBORw0KGgoA"},
            Image(data="iVBORw0KGgoA", mime="image/png"),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
            Audio(data="AAAA", mime="audio/mpeg"),
        ),
        (
            {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}},
            Document(data=PDF, mime="application/pdf", name="a.pdf"),
        ),
        ({"type": "file", "file": {"file_id": "file-1"}}, Document(file_id="file-1")),
        ({"type": "video_url", "video_url": {"url": "https://v"}}, Video(url="https://v")),
        ({"type": "refusal", "refusal": "no"}, Refusal(text="no")),
        ({"type": "odd", "odd": 1}, Opaque(wire=Wire.CHAT, kind="odd", raw={"type": "odd", "odd": 1})),
    ],
)  # fmt: skip
def test_parts(given, read):
    assert part(**given) == read


def test_a_cache_hint_of_a_message_stands_on_its_last_text():
    hint = {"type": "ephemeral"}
    [turn] = turns({**USER, "cache_control": hint})
    assert turn.parts == [Text(text="q", cache=hint)] and turn.extra == {}


def test_calls():
    google = {"google": {"thought_signature": "sig"}}
    turn = said(
        content=None,
        tool_calls=[
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "b", "type": "custom", "custom": {"name": "g", "input": "free"}},
            {"id": "c", "function": {"name": "h", "arguments": {"x": 1}}, "extra_content": google},
        ],
        function_call={"name": "old", "arguments": ""},
    )
    assert turn.parts == [
        Call(id="a", name="f", arguments="{}"),
        Call(id="b", name="g", arguments="free", custom=True),
        Call(
            id="c",
            name="h",
            arguments='{"x":1}',
            carrier=Carrier(Vendor.GEMINI, "sig"),
            extra={"extra_content": google},
        ),
        Call(id="", name="old", arguments="", extra={"function_call": True}),
    ]


def test_what_else_an_assistant_said():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgoA"}}
    turn = said(
        content="x",
        refusal="no",
        images=[image],
        audio={"id": "audio_1"},
        name="bob",
        annotations=[],
        extra_content={"google": {"thought_signature": "sig"}},
    )
    assert turn.name == "bob"
    assert turn.parts == [
        Text(text="x", carrier=Carrier(Vendor.GEMINI, "sig")),
        Refusal(text="no"),
        Image(data="iVBORw0KGgoA", mime="image/png"),
        Opaque(wire=Wire.CHAT, kind="audio", raw={"id": "audio_1"}),
    ]


def test_reasoning_is_read_and_kept_as_it_was():
    carrier = Carrier(Vendor.ANTHROPIC, "sig")
    fields = {
        "reasoning_content": "a",
        "reasoning_details": [
            {"type": "reasoning.text", "text": "a", "signature": sealed(carrier), "index": 0}
        ],
    }
    turn = said(content="x", **fields)
    assert turn.parts == [Reasoning(texts=["a"], carrier=carrier), Text(text="x")]
    assert turn.extra == fields


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("x", "messages[0]"),
        ({"role": "user", "content": 1}, "messages[0].content"),
        ({"role": "user", "content": [1]}, "messages[0].content[0]"),
        ({"role": "user", "content": [{}]}, "messages[0].content[0].type"),
        ({"role": "user", "content": [{"type": "text"}]}, "messages[0].content[0].text"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {}}]}, "messages[0].content[0].image_url.url"),
        ({"role": "user", "content": [{"type": "file", "file": {}}]}, "messages[0].content[0].file"),
        ({"role": "user", "content": [{"type": "input_audio"}]}, "messages[0].content[0].input_audio.data"),
        ({"role": "system", "content": [{"type": "image_url", "image_url": "u"}]}, "messages[0].content"),
        ({"role": "assistant", "tool_calls": [{}]}, "messages[0].tool_calls[0].function"),
        ({"role": "assistant", "tool_calls": [{"function": {}}]}, "messages[0].tool_calls[0].function"),
        ({"role": "assistant", "tool_calls": {}}, "messages[0].tool_calls"),
        ({"role": "tool", "tool_call_id": 1, "content": "x"}, "messages[0].tool_call_id"),
    ],
)  # fmt: skip
def test_malformed_messages_are_named(message, name):
    with pytest.raises(FieldError) as error:
        read_messages([message])
    assert error.value.name == name
