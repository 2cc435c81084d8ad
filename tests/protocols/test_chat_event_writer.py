"""Events in any order as a chat stream: the grammar holds and the official SDK accumulates it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols import recordings
from tests.protocols.chat_oracle import checked_stream, chunks
from tollbridge.protocols.answer import (
    CallArguments,
    CallEnd,
    CallStart,
    Cited,
    Done,
    Finish,
    Finished,
    Identity,
    Made,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    Start,
    TextDelta,
    UsageSeen,
)
from tollbridge.protocols.chat_event_reader import ChatReader
from tollbridge.protocols.chat_event_writer import ChatWriter
from tollbridge.protocols.chat_usage import usage_fields
from tollbridge.protocols.conversation import (
    Audio,
    Carrier,
    Citation,
    Conversation,
    Function,
    Image,
    Opaque,
    Text,
    Vendor,
    Wire,
)
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.usage import Usage

WHO = Identity(id="own", created_s=1_700_000_000, model="client-name")
ASK = Conversation(wire=Wire.CHAT, model="m", stream=True, wants_usage=True)
QUIET = Conversation(wire=Wire.CHAT, model="m", stream=True)
LEGACY = Conversation(
    wire=Wire.CHAT, model="m", tools=[Function(name="f", extra={"functions": True})]
)
DRIVER = (Finished, UsageSeen, Done)


def stream(*events, ask=ASK, usage=None, tier=None, losses=None, finish=Finish.STOP):
    """Return the frames of a stream as the driver has them written."""
    writer = ChatWriter(WHO, ask, losses or Losses())
    told = [event for event in events if not isinstance(event, DRIVER)]
    frames = b"".join([writer.write(event) for event in told])
    finishes = {event.choice: event for event in events if isinstance(event, Finished)}
    return frames + writer.end(finishes or {0: Finished(finish)}, usage, tier)


def whole(*events, **fields):
    return checked_stream(stream(*events, **fields)).choices[0]


def deltas(*events, **fields):
    return [
        choice["delta"]
        for chunk in chunks(stream(*events, **fields))
        for choice in chunk["choices"]
    ]


def test_every_recorded_stream_is_valid_and_says_the_same(corpus):
    seen = 0
    for one in recordings.load(corpus, "openai_chat"):
        if one.sse is None:
            continue
        reader = ChatReader()
        events = [event for chunk in one.events() for event in reader.read(None, chunk)]
        events += reader.end()
        used = [event.usage for event in events if isinstance(event, UsageSeen)]
        if not any(isinstance(event, Finished) for event in events):
            continue
        seen += 1
        frames = stream(*events, usage=used[-1] if used else None)
        snapshot = checked_stream(frames)
        again = ChatReader()
        told = [event for chunk in chunks(frames) for event in again.read(None, chunk)]
        assert _said(told + again.end()) == _said(events), one.file
        for choice in snapshot.choices:
            assert (choice.message.content or "") == "".join(
                event.text
                for event in events
                if isinstance(event, TextDelta) and event.choice == choice.index
            ), one.file
        if used:
            assert snapshot.usage.total_tokens == usage_fields(used[-1])["total_tokens"], one.file
    assert seen > 160


def _said(events):
    """Return what events say by kind and choice; keys of calls are replaced by their ids."""
    ids = {event.key: event.id for event in events if isinstance(event, CallStart)}
    said = {}
    for event in events:
        if isinstance(event, (TextDelta, ReasoningDelta, RefusalDelta)):
            slot = (type(event).__name__, event.choice)
            said[slot] = said.get(slot, "") + event.text
        elif isinstance(event, CallStart):
            said[event.choice, event.id] = [event.name, ""]
            said.setdefault(("order", event.choice), []).append(event.id)
        elif isinstance(event, Finished):
            said["finish", event.choice] = event.finish
        elif isinstance(event, CallArguments):
            [slot] = [slot for slot in said if slot[1] == ids[event.key]]
            said[slot][1] += event.text
    empty = [slot for slot, value in said.items() if isinstance(value, list) and value[1:] == [""]]
    return said | {slot: [said[slot][0], "{}"] for slot in empty}


def test_the_frames_of_a_plain_stream():
    frames = stream(Start("msg_1", "upstream"), TextDelta("hé"), ask=QUIET, usage=Usage(output=1))
    head = (
        b'data: {"id":"chatcmpl-own","object":"chat.completion.chunk","created":1700000000,'
        b'"model":"upstream","choices":[{"index":0,"delta":'
    )
    rest = b',"logprobs":null,"finish_reason":'
    assert frames == (
        head + b'{"role":"assistant","content":"","refusal":null}' + rest + b"null}]}\n\n"
        + head + '{"content":"hé"}'.encode() + rest + b"null}]}\n\n"
        + head + b"{}" + rest + b'"stop"}]}\n\n'
        + b"data: [DONE]\n\n"
    )  # fmt: skip


def test_usage_comes_last_and_is_null_before():
    given = chunks(stream(TextDelta("a"), usage=Usage(input=2, output=3), tier="standard"))
    assert [chunk["usage"] for chunk in given[:-1]] == [None] * 3
    assert given[-1]["usage"]["total_tokens"] == 5 and given[-1]["choices"] == []
    assert given[-1]["service_tier"] == given[-2]["service_tier"] == "default"
    assert all("usage" in chunk for chunk in chunks(stream(TextDelta("a"))))


def test_ids_and_models():
    writer = ChatWriter(WHO, ASK, Losses())
    assert (writer.stream_id, writer.sequence) == ("", 0)
    writer.write(Start("chatcmpl-7", "upstream"))
    assert writer.stream_id == "chatcmpl-7"
    renamed = Identity(id="own", created_s=1, model="client-name", renamed=True)
    frames = ChatWriter(renamed, ASK, Losses()).write(Start("x", "upstream"))
    assert b'"model":"client-name"' in frames and b"upstream" not in frames
    assert b'"model":"client-name"' in ChatWriter(WHO, ASK, Losses()).write(TextDelta("a"))


def test_interleaved_calls():
    choice = whole(
        CallStart(5, "a", "f"),
        CallStart(3, "b", "g"),
        CallArguments(5, '{"x"'),
        CallArguments(3, "{}"),
        CallArguments(5, ":1}"),
        CallEnd(5),
        CallEnd(3),
        CallStart(9, "", "h"),
        CallEnd(9),
        CallArguments(77, "nobody's"),
    )
    made = [
        (one.id, one.function.name, one.function.arguments) for one in choice.message.tool_calls
    ]
    assert made == [("a", "f", '{"x":1}'), ("b", "g", "{}"), ("call_own_9", "h", "{}")]
    assert choice.finish_reason == "tool_calls"


def test_calls_with_signatures_and_free_text():
    losses = Losses()
    frames = stream(
        CallStart(0, "a", "f", carrier=Carrier(Vendor.GEMINI, "sig")),
        CallStart(1, "b", "g", custom=True, carrier=Carrier(Vendor.OPENAI, "x")),
        CallArguments(1, "free"),
        CallEnd(1),
        losses=losses,
    )
    told = [call for delta in (c["delta"] for one in chunks(frames) for c in one["choices"])
            for call in delta.get("tool_calls", ())]  # fmt: skip
    assert told[0]["extra_content"] == {"google": {"thought_signature": "sig"}}
    assert told[1:] == [
        {"index": 1, "id": "b", "type": "custom", "custom": {"name": "g", "input": ""}},
        {"index": 1, "custom": {"input": "free"}},
    ]
    assert losses.counts == {"answer_carrier": 1}


def test_a_client_of_functions_gets_a_function_call():
    choice = whole(CallStart(0, "a", "f"), CallArguments(0, "[]"), CallEnd(0), ask=LEGACY)
    assert choice.finish_reason == "function_call"
    assert (choice.message.function_call.name, choice.message.function_call.arguments) == (
        "f",
        "[]",
    )


def test_reasoning_has_paragraphs_and_comes_back_with_its_carrier():
    signed, encrypted = Carrier(Vendor.ANTHROPIC, "sig"), Carrier(Vendor.OPENAI, "enc", "rs_1")
    given = [
        ReasoningDelta(""),
        ReasoningDelta("a"),
        ReasoningDelta("b"),
        ReasoningEnd(signed),
        ReasoningEnd(Carrier(Vendor.ANTHROPIC, "dark"), redacted=True),
        ReasoningDelta("c", summary=True),
        ReasoningDelta("d", summary=True, fresh=True),
        ReasoningEnd(encrypted),
        ReasoningEnd(),
    ]
    frames = stream(*given)
    extra = checked_stream(frames).choices[0].message.model_extra
    assert extra["reasoning_content"] == "ab\n\nc\n\nd"
    details = extra["reasoning_details"]
    assert [(one["type"], one["index"]) for one in details] == [
        ("reasoning.text", 0),
        ("reasoning.encrypted", 1),
        ("reasoning.summary", 2),
        ("reasoning.summary", 3),
        ("reasoning.encrypted", 4),
    ]
    assert details[0]["text"] == "ab"
    reader = ChatReader()
    events = [event for chunk in chunks(frames) for event in reader.read(None, chunk)]
    carriers = [one.carrier for one in events if isinstance(one, ReasoningEnd) and one.carrier]
    assert carriers == [signed, Carrier(Vendor.ANTHROPIC, "dark"), encrypted]


def test_citations_count_from_the_whole_text():
    losses = Losses()
    choice = whole(
        TextDelta("abc"),
        Cited(Citation(url="u", title="t", start=0, end=3)),
        TextDelta("def", fresh=True),
        Cited(Citation(url="v", start=1, end=2, quote="q")),
        Cited(Citation(url="w")),
        losses=losses,
    )
    assert choice.message.content == "abcdef"
    told = [one["url_citation"] for one in choice.message.model_dump()["annotations"]]
    assert [(one["start_index"], one["end_index"]) for one in told] == [(0, 3), (4, 5), (6, 6)]
    assert losses.counts == {"answer_citation": 1}


def test_media_and_what_has_no_place():
    losses = Losses()
    choice = whole(
        Made(Image(data="AAAA", mime="image/png")),
        Made(Image(url="https://x", carrier=Carrier(Vendor.GEMINI, "s"))),
        Made(Audio(data="QUJD", mime="audio/wav", transcript="hi")),
        Made(Text(text="t")),
        Made(Opaque(wire=Wire.GEMINI, kind="x", raw={})),
        RefusalDelta("no"),
        losses=losses,
    )
    images = choice.message.model_extra["images"]
    assert [one["image_url"]["url"] for one in images] == [
        "data:image/png;base64,AAAA",
        "https://x",
    ]
    assert (choice.message.audio.data, choice.message.audio.transcript) == ("QUJD", "hi")
    assert (choice.message.content, choice.message.refusal) == ("t", "no")
    assert losses.counts == {"answer_carrier": 1, "answer_opaque": 1}


def test_choices_begin_in_order():
    frames = stream(
        TextDelta("b", choice=2),
        TextDelta("a"),
        Finished(Finish.LENGTH, choice=2),
        Finished(Finish.STOP),
        Finished(Finish.POLICY, choice=1),
    )
    made = checked_stream(frames).choices
    assert [(one.message.content, one.finish_reason) for one in made] == [
        ("a", "stop"),
        ("", "content_filter"),
        ("b", "length"),
    ]


@pytest.mark.parametrize("ask", [ASK, LEGACY])
def test_an_empty_stream_is_one(ask):
    assert whole(ask=ask).message.content == ""


def test_what_was_produced():
    writer = ChatWriter(WHO, ASK, Losses())
    events = [
        Start("x", "m"),
        TextDelta('é"\n'),
        ReasoningDelta("ab"),
        ReasoningEnd(Carrier(Vendor.ANTHROPIC, "sig")),
        CallStart(0, "a", "f"),
        CallArguments(0, '{"content":"x"}'),
        RefusalDelta("no"),
    ]
    frames = b"".join([writer.write(event) for event in events])
    assert writer.produced(frames) == 4 + 2 + 15 + 2
    assert writer.produced(b"") == 0


CHOICES = st.integers(0, 2)
EVENTS = st.one_of(
    st.builds(TextDelta, st.text(), CHOICES, st.booleans()),
    st.builds(RefusalDelta, st.text(), CHOICES),
    st.builds(ReasoningDelta, st.text(), st.booleans(), CHOICES, st.booleans()),
    st.builds(
        ReasoningEnd,
        st.none() | st.builds(Carrier, st.sampled_from(Vendor), st.text(min_size=1)),
        st.booleans(),
        CHOICES,
    ),
    st.builds(CallStart, st.integers(0, 4), st.text(), st.text(min_size=1), choice=CHOICES),
    st.builds(CallArguments, st.integers(0, 4), st.text()),
    st.builds(CallEnd, st.integers(0, 4)),
    st.builds(Start, st.text(), st.text()),
    st.builds(Cited, st.builds(Citation, url=st.text(min_size=1)), CHOICES),
    st.builds(Made, st.builds(Image, data=st.just("AAAA"), mime=st.just("image/png")), CHOICES),
)


@given(st.lists(EVENTS, max_size=12), st.sampled_from(Finish), st.sets(CHOICES, min_size=1))
def test_any_order_keeps_the_grammar(events, finish, ended):
    finished = [Finished(finish, choice=choice) for choice in ended]
    frames = stream(*events, *finished, usage=Usage(input=1, output=2))
    snapshot = checked_stream(frames)
    for choice in snapshot.choices:
        told = "".join(
            one.text for one in events if isinstance(one, TextDelta) and one.choice == choice.index
        )
        assert (choice.message.content or "") == told
    assert json.loads(json.dumps(chunks(frames)))
