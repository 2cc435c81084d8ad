"""Whole chat completions, as vendors write them, are read into the neutral answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.chat_junk import JUNK
from tests.protocols.chat_oracle import whole_answers
from tollbridge.protocols.answer import Finish
from tollbridge.protocols.chat_answer_reader import finish_of, read_answer
from tollbridge.protocols.chat_usage import usage_from
from tollbridge.protocols.conversation import (
    Audio,
    Call,
    Carrier,
    Image,
    Reasoning,
    Refusal,
    Text,
    Vendor,
)

FINISHES = {
    "stop": Finish.STOP,
    "length": Finish.LENGTH,
    "tool_calls": Finish.CALL,
    "content_filter": Finish.POLICY,
}


def answer(finish="stop", **message):
    message = {"role": "assistant", **message}
    return read_answer({"choices": [{"index": 0, "message": message, "finish_reason": finish}]})


def parts(**message):
    return answer(**message).choices[0].parts


def test_every_recorded_answer(corpus):
    seen = 0
    for one in whole_answers(corpus):
        seen += 1
        read = read_answer(one.body)
        assert read.usage == usage_from(one.body.get("usage")), one.file
        assert (read.id, read.model) == (one.body.get("id") or "", one.body["model"]), one.file
        for choice, said in zip(one.body["choices"], read.choices, strict=True):
            message = choice["message"]
            content = message.get("content")
            if isinstance(content, list):
                content = "".join(part.get("text", "") for part in content)
            text = "".join(part.text for part in said.parts if isinstance(part, Text))
            assert text == (content or ""), one.file
            calls = [(c.id, c.name, c.arguments) for c in said.parts if isinstance(c, Call)]
            assert calls == [
                (call["id"], tool["name"], tool.get("arguments", tool.get("input")))
                for call in message.get("tool_calls") or ()
                for tool in [call.get("function") or call["custom"]]
            ], one.file
            thoughts = [t for p in said.parts if isinstance(p, Reasoning) for t in p.texts]
            reasoning = message.get("reasoning_content") or message.get("reasoning")
            assert not reasoning or thoughts == [reasoning], one.file
            if not choice.get("finish_reason"):
                assert said.finish is None, one.file
                continue
            finish = FINISHES.get(choice.get("finish_reason"), Finish.STOP)
            assert said.finish == (Finish.CALL if calls and finish is Finish.STOP else finish)
    assert seen > 150


def test_faults_are_read():
    fault = read_answer({"error": {"message": "no", "code": 502}}).fault
    assert fault is not None and (fault.message, fault.status) == ("no", 502)


def test_calls_as_vendors_write_them():
    read = parts(
        content=None,
        tool_calls=[
            {"id": "a", "function": {"name": "f", "arguments": {"x": 1}}},
            {"id": "b", "type": "custom", "custom": {"name": "g", "input": "free"}},
            {"id": "c", "function": {"name": "h", "arguments": None}},
            {"id": "d", "function": {}},
            "nonsense",
        ],
        function_call={"name": "old", "arguments": "{}"},
    )
    assert read == [
        Call(id="a", name="f", arguments='{"x":1}'),
        Call(id="b", name="g", arguments="free", custom=True),
        Call(id="c", name="h", arguments=""),
        Call(id="", name="old", arguments="{}"),
    ]


def test_a_natural_end_with_calls_is_one_for_calls():
    tool_calls = [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]
    assert answer("stop", tool_calls=tool_calls).choices[0].finish is Finish.CALL
    assert answer("length", tool_calls=tool_calls).choices[0].finish is Finish.LENGTH
    assert answer("stop", tool_calls=[]).choices[0].finish is Finish.STOP


@pytest.mark.parametrize("given", [1, "eos", {"a": 1}, True])
def test_unknown_finishes_are_natural_ends(given):
    assert finish_of(given, called=False) is Finish.STOP


def test_gemini_signatures_are_carriers():
    google = {"google": {"thought_signature": "sig"}}
    carrier = Carrier(Vendor.GEMINI, "sig")
    call = {"id": "a", "function": {"name": "f", "arguments": "{}"}}
    assert parts(content="x", extra_content=google)[0] == Text(text="x", carrier=carrier)
    assert parts(tool_calls=[{**call, "extra_content": google}])[0].carrier == carrier
    first, second = parts(tool_calls=[call, call], extra_content=google)
    assert (first.carrier, second.carrier) == (carrier, None)


def test_media_refusals_and_citations():
    png = "iVBORw0KGgoAAAA"
    read = parts(
        content="abc",
        refusal="no",
        images=[{"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{png}"}}, 7],
        audio={"id": "x", "data": "UklGRnhWNBJXQVZFZm10IA==", "transcript": "hi"},
        annotations=[
            {"type": "url_citation", "url_citation": {"url": "u", "title": "t", "start_index": 1}},
            {"type": "other"},
        ],
    )
    assert read[0].citations[0].url == "u" and read[0].citations[0].start == 1
    assert read[1:] == [
        Refusal(text="no"),
        Image(data=png, mime="image/png"),
        Audio(data="UklGRnhWNBJXQVZFZm10IA==", mime="audio/wav", transcript="hi"),
    ]


def test_sources_beside_the_choices_are_citations():
    body = {"choices": [{"message": {"content": "a"}}], "citations": ["https://a", 3]}
    assert [one.url for one in read_answer(body).choices[0].parts[0].citations] == ["https://a"]


@given(JUNK, st.lists(JUNK, max_size=3))
def test_nothing_raises(body, messages):
    read_answer(body)
    choices = [{"message": {**one, "content": [one]}, "finish_reason": one} for one in messages]
    read_answer({"choices": choices})
    for message in messages:
        read_answer({"choices": [{"message": message, "finish_reason": "stop"}]})
