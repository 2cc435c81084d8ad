"""Answers of any protocol as chat completions: the official SDK reads them strictly."""

import msgspec
import pytest

from tests.protocols.chat_oracle import checked_answer, whole_answers
from tollbridge.protocols.answer import Answer, Choice, Finish, Identity
from tollbridge.protocols.chat_answer_reader import read_answer
from tollbridge.protocols.chat_answer_writer import write_answer
from tollbridge.protocols.chat_usage import usage_from
from tollbridge.protocols.conversation import (
    Audio,
    Call,
    Carrier,
    Citation,
    Conversation,
    Function,
    Image,
    Opaque,
    Reasoning,
    Refusal,
    Result,
    Text,
    Vendor,
    Video,
    Wire,
)
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.usage import Usage

WHO = Identity(id="own", created_s=1_700_000_000, model="client-name")
ASK = Conversation(wire=Wire.CHAT, model="client-name")
LEGACY = Conversation(
    wire=Wire.CHAT, model="m", tools=[Function(name="f", extra={"functions": True})]
)


def written(*parts, finish=Finish.STOP, ask=ASK, who=WHO, losses=None, **fields):
    answer = Answer(choices=[Choice(parts=list(parts), finish=finish)], **fields)
    body = write_answer(answer, who, ask, losses or Losses())
    checked_answer(body)
    return body


def message(*parts, **fields):
    return written(*parts, **fields)["choices"][0]["message"]


def reason(*parts, **fields):
    return written(*parts, **fields)["choices"][0]["finish_reason"]


def test_every_recorded_answer_is_valid_and_says_the_same(corpus):
    seen = 0
    for one in whole_answers(corpus):
        seen += 1
        read = read_answer(one.body)
        body = write_answer(read, WHO, ASK, Losses())
        sdk = checked_answer(body)
        again = read_answer(msgspec.json.decode(msgspec.json.encode(body)))
        for before, after in zip(read.choices, again.choices, strict=True):
            assert _told(after.parts) == _told(before.parts), one.file
            assert after.finish == before.finish or before.finish is None, one.file
        for choice, given in zip(sdk.choices, one.body["choices"], strict=True):
            content = given["message"].get("content")
            assert not isinstance(content, str) or (choice.message.content or "") == content
        if read.usage is not None:
            assert sdk.usage is not None
            assert msgspec.structs.replace(again.usage, clamped=read.usage.clamped) == read.usage
    assert seen > 150


def _told(parts):
    """Return what parts say, but for ids and arguments that were none."""
    for nth, part in enumerate(parts):
        if isinstance(part, Call):
            part.id = part.id or f"call_own_{nth}"
            part.arguments = part.arguments or "{}"
        if isinstance(part, Text):
            part.citations = [
                msgspec.structs.replace(one, start=None, end=None) for one in part.citations
            ]
    return parts


def test_texts_are_joined_and_reasoning_has_paragraphs():
    said = message(Reasoning(texts=["a", "b"], summary=True), Text(text="x"), Text(text="y"))
    assert said["content"] == "xy"
    assert said["reasoning_content"] == "a\n\nb"
    assert "reasoning_details" not in said


@pytest.mark.parametrize(
    ("parts", "content"),
    [
        ([], ""),
        ([Call(id="a", name="f", arguments="")], None),
        ([Refusal(text="no")], None),
        ([Image(data="AAAA", mime="image/png")], None),
        ([Reasoning(texts=["hm"])], ""),
    ],
)
def test_content_is_null_only_beside_something_else(parts, content):
    assert message(*parts)["content"] == content


@pytest.mark.parametrize(
    ("finish", "told"),
    [
        (Finish.STOP, "stop"),
        (Finish.STOP_SEQUENCE, "stop"),
        (Finish.CALL, "stop"),
        (Finish.LENGTH, "length"),
        (Finish.CONTEXT, "length"),
        (Finish.POLICY, "content_filter"),
        (Finish.PAUSED, "stop"),
        (Finish.FAULT, "stop"),
        (None, "stop"),
    ],
)
def test_finish_reasons(finish, told):
    assert reason(Text(text="x"), finish=finish) == told
    with_call = "tool_calls" if told == "stop" else told
    assert reason(Call(id="a", name="f", arguments="{}"), finish=finish) == with_call


def test_calls():
    losses = Losses()
    said = message(
        Call(id="a", name="f", arguments="", carrier=Carrier(Vendor.GEMINI, "sig")),
        Call(id="", name="g", arguments="free", custom=True, carrier=Carrier(Vendor.OPENAI, "x")),
        losses=losses,
    )
    assert said["tool_calls"] == [
        {
            "id": "a",
            "type": "function",
            "function": {"name": "f", "arguments": "{}"},
            "extra_content": {"google": {"thought_signature": "sig"}},
        },
        {"id": "call_own_1", "type": "custom", "custom": {"name": "g", "input": "free"}},
    ]
    assert losses.counts == {"answer_carrier": 1}


def test_a_client_of_functions_gets_a_function_call():
    body = written(Call(id="a", name="f", arguments="{}"), finish=Finish.CALL, ask=LEGACY)
    choice = body["choices"][0]
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"] == {"name": "f", "arguments": "{}"}
    assert "tool_calls" not in choice["message"]


@pytest.mark.parametrize(
    "block",
    [
        Reasoning(texts=["deep\n\nthought"], carrier=Carrier(Vendor.ANTHROPIC, "sig")),
        Reasoning(texts=[], redacted=True, carrier=Carrier(Vendor.ANTHROPIC, "dark")),
        Reasoning(texts=["a", "b"], summary=True, carrier=Carrier(Vendor.OPENAI, "enc", "rs_1")),
        Reasoning(texts=[], carrier=Carrier(Vendor.GEMINI, "sig")),
    ],
)
def test_carriers_come_back_byte_for_byte(block):
    other = Reasoning(texts=["next"], carrier=Carrier(Vendor.ANTHROPIC, "more"))
    body = written(block, other, Text(text="x"))
    details = body["choices"][0]["message"]["reasoning_details"]
    assert [one["index"] for one in details] == list(range(len(details)))
    assert read_answer(body).choices[0].parts == [block, other, Text(text="x")]


def test_citations_count_from_the_whole_text():
    losses = Losses()
    first = Text(text="abc", citations=[Citation(url="u", title="t", start=1, end=3)])
    second = Text(
        text="def", citations=[Citation(url="v", start=0, end=2, quote="q"), Citation(url="w")]
    )
    told = message(first, second, losses=losses)["annotations"]
    places = [
        (one["url_citation"]["start_index"], one["url_citation"]["end_index"]) for one in told
    ]
    assert places == [(1, 3), (3, 5), (6, 6)]
    assert losses.counts == {"answer_citation": 1}


def test_media_and_what_has_no_place():
    losses = Losses()
    said = message(
        Image(data="AAAA", mime="image/png"),
        Image(url="https://x/y.png", carrier=Carrier(Vendor.GEMINI, "s")),
        Audio(data="QUJD", mime="audio/wav", transcript="hi"),
        Text(text="t", carrier=Carrier(Vendor.GEMINI, "sig")),
        Video(url="v"),
        Opaque(wire=Wire.RESPONSES, kind="x", raw={}),
        Result(call_id="a", parts=[]),
        losses=losses,
    )
    assert [(one["index"], one["image_url"]["url"]) for one in said["images"]] == [
        (0, "data:image/png;base64,AAAA"),
        (1, "https://x/y.png"),
    ]
    assert said["audio"] == {
        "id": "audio_own",
        "data": "QUJD",
        "transcript": "hi",
        "expires_at": WHO.created_s + 3600,
    }
    assert said["extra_content"] == {"google": {"thought_signature": "sig"}}
    assert losses.counts == {"answer_carrier": 1, "answer_opaque": 2, "answer_server_tool": 1}


def test_the_envelope():
    usage = Usage(input=3, cache_read=4, cache_write_1h=5, output=6, reasoning=2)
    body = written(Text(text="x"), id="msg_1", model="upstream", usage=usage, tier="STANDARD")
    assert (body["id"], body["model"], body["created"]) == (
        "chatcmpl-own",
        "upstream",
        WHO.created_s,
    )
    assert body["service_tier"] == "default"
    assert body["usage"]["prompt_tokens"] == 12
    renamed = Identity(id="own", created_s=1, model="client-name", renamed=True)
    body = written(id="chatcmpl-9", model="upstream", tier="batch", who=renamed)
    assert (body["id"], body["model"]) == ("chatcmpl-9", "client-name")
    assert "usage" not in body and "service_tier" not in body
    assert usage_from(written(usage=usage)["usage"]) == Usage(
        input=3, cache_read=4, cache_write_5m=5, output=6, reasoning=2
    )


def test_probabilities_are_a_loss():
    losses = Losses()
    written(ask=Conversation(wire=Wire.CHAT, model="m", logprobs=2), losses=losses)
    written(finish=Finish.STOP_SEQUENCE, losses=losses)
    assert losses.counts == {"answer_logprobs": 1, "answer_stop_sequence": 1}
