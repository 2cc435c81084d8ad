"""Events as a Gemini stream: each chunk is what Google's SDK takes, and all of them say the answer."""

import json

import msgspec
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols import recordings
from tollbridge.protocols.answer import (
    CallArguments,
    CallEnd,
    CallStart,
    Cited,
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
from tollbridge.protocols.conversation import (
    Carrier,
    Citation,
    Conversation,
    Image,
    Opaque,
    Reasoning,
    Text,
    Vendor,
    Wire,
)
from tollbridge.protocols.gemini_event_reader import GeminiReader
from tollbridge.protocols.gemini_event_writer import GeminiWriter
from tollbridge.protocols.gemini_request_reader import read_request
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.usage import Usage

WHO = Identity(id="own", created_s=1, model="client-name")
STOP = {0: Finished(Finish.STOP)}
USED = Usage(input=3, output=5, reasoning=2)


def writer_of(losses=None, identity=WHO):
    return GeminiWriter(identity, Conversation(wire=Wire.GEMINI, model="x"), losses or Losses())


def chunks_of(data):
    found = []
    for frame in data.decode().split("\n\n")[:-1]:
        assert frame.startswith("data: ")
        found.append(json.loads(frame[6:]))
        types.GenerateContentResponse.model_validate(found[-1])
    return found


def written(events, finishes=STOP, usage=USED, **options):
    writer = writer_of(**options)
    data = b"".join([writer.write(event) for event in events])
    return chunks_of(data + writer.end(finishes, usage, None))


def parts_of(chunks):
    return [
        part
        for chunk in chunks
        for candidate in chunk["candidates"]
        for part in candidate["content"]["parts"]
        if part != {"text": ""}
    ]


def test_a_whole_answer():
    chunks = written(
        [
            Start("up", "up-model"),
            ReasoningDelta(""),
            ReasoningDelta("hm"),
            ReasoningDelta("second", fresh=True),
            ReasoningEnd(Carrier(Vendor.GEMINI, "c2ln")),
            TextDelta("a"),
            RefusalDelta("b"),
            CallStart(0, "c", "f"),
            CallArguments(0, '{"x":'),
            CallArguments(0, "1}"),
            CallEnd(0),
        ]
    )
    assert parts_of(chunks) == [
        {"text": "hm", "thought": True},
        {"text": "\n\nsecond", "thought": True},
        {"text": "", "thought": True, "thoughtSignature": "c2ln"},
        {"text": "a"},
        {"text": "b"},
        {"functionCall": {"id": "c", "name": "f", "args": {"x": 1}}},
    ]
    assert {(chunk["responseId"], chunk["modelVersion"]) for chunk in chunks} == {
        ("up", "up-model")
    }
    assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"
    assert chunks[-1]["usageMetadata"]["thoughtsTokenCount"] == 2
    assert all("finishReason" not in chunk["candidates"][0] for chunk in chunks[:-1])


def test_the_clients_own_name_for_a_mapped_model():
    renamed = Identity("own", 1, "client-name", renamed=True)
    chunks = written([Start("", "up"), TextDelta("a")], identity=renamed)
    assert {(chunk["responseId"], chunk["modelVersion"]) for chunk in chunks} == {
        ("own", "client-name")
    }


def test_interleaved_calls_are_said_one_after_the_other_in_order():
    events = [
        CallStart(0, "a", "f"),
        CallStart(1, "b", "g"),
        CallArguments(1, "{}"),
        CallArguments(0, '{"x":'),
        CallEnd(1),
        CallArguments(0, "1}"),
        CallEnd(0),
        CallArguments(9, "stray"),
        CallEnd(9),
    ]
    calls = [part["functionCall"] for part in parts_of(written(events))]
    assert [(call["id"], call["args"]) for call in calls] == [("a", {"x": 1}), ("b", {})]


def test_a_cut_call_is_left_out_only_when_the_answer_was_cut():
    events = [CallStart(0, "a", "f"), CallArguments(0, '{"x":'), CallEnd(0)]
    assert parts_of(written(events, {0: Finished(Finish.LENGTH)})) == []
    assert parts_of(written(events))[0]["functionCall"]["args"] == {"_raw": '{"x":'}
    assert len(parts_of(written(events[:1]))) == 1


def test_citations_are_in_the_last_chunk():
    losses = Losses()
    events = [
        TextDelta("né "),
        Cited(Citation(url="u", title="T", start=1, end=2, quote="q")),
        TextDelta("dit"),
    ]
    chunks = written(events, {0: Finished(Finish.STOP_SEQUENCE, "x")}, losses=losses)
    grounding = chunks[-1]["candidates"][0]["groundingMetadata"]
    assert grounding["groundingSupports"][0]["segment"] == {
        "startIndex": 1,
        "endIndex": 3,
        "text": "é",
    }
    assert losses.counts == {"answer_citation": 1, "answer_stop_sequence": 1}


def test_other_parts_and_several_choices():
    losses = Losses()
    events = [
        Made(Image(data="AAAA", mime="image/png")),
        Made(Opaque(wire=Wire.RESPONSES, kind="x", raw={})),
        TextDelta("b", choice=1),
    ]
    finishes = {1: Finished(Finish.LENGTH, choice=1), 0: Finished(Finish.STOP)}
    chunks = written(events, finishes, losses=losses)
    assert chunks[0]["candidates"][0]["content"]["parts"][0]["inlineData"]["data"] == "AAAA"
    assert chunks[1]["candidates"][0]["index"] == 1
    assert [one["finishReason"] for one in chunks[-1]["candidates"]] == ["STOP", "MAX_TOKENS"]
    assert losses.counts == {"answer_opaque": 1}


def test_produced_and_names():
    writer = writer_of()
    frames = writer.write(TextDelta("né")) + writer.write(ReasoningDelta("x"))
    assert writer.produced(frames) == 4
    assert (writer.stream_id, writer.sequence) == ("own", 0)


def test_a_foreign_thought_comes_back_from_the_chunks_with_its_signature():
    carrier = Carrier(Vendor.ANTHROPIC, "sig")
    chunks = written([ReasoningDelta("I "), ReasoningDelta("think"), ReasoningEnd(carrier)])
    # Google's SDK keeps each chunk as a content of its own.
    history = [chunk["candidates"][0]["content"] for chunk in chunks]
    question = {"role": "user", "parts": [{"text": "?"}]}
    body = {"contents": [question, *history, question]}
    turns = read_request(body, model="m", stream=True).turns
    assert [turn.role for turn in turns] == ["user", "assistant", "user"]
    thought = turns[1].parts[0]
    assert thought == Reasoning(texts=["I think"], summary=True, carrier=carrier)
    assert turns[1].parts[1:] == [Text(text="")]


KEY = st.integers(0, 3)
TEXT = st.text(max_size=6)
EVENT = st.one_of(
    st.builds(Start, TEXT, TEXT),
    st.builds(TextDelta, TEXT, st.integers(0, 1)),
    st.builds(ReasoningDelta, TEXT, fresh=st.booleans()),
    st.builds(ReasoningEnd, st.none() | st.builds(Carrier, st.sampled_from(Vendor), TEXT)).filter(
        lambda end: end.carrier is None or end.carrier.vendor is not Vendor.GEMINI
    ),
    st.builds(CallStart, KEY, TEXT, TEXT),
    st.builds(CallArguments, KEY, st.sampled_from(['{"a":', "1}", "{}", "x"])),
    st.builds(CallEnd, KEY),
    st.builds(Cited, st.builds(Citation, TEXT, TEXT, st.integers(0, 9), st.integers(0, 9))),
)


@given(st.lists(EVENT, max_size=25), st.sampled_from(Finish))
def test_any_order_of_events_is_a_stream_that_googles_sdk_takes(events, finish):
    chunks = written(events, {0: Finished(finish)})
    assert chunks[-1]["usageMetadata"]["totalTokenCount"] == 8
    said = "".join(event.text for event in events if isinstance(event, TextDelta))
    parts = parts_of(chunks)
    by_choice = sorted(
        (candidate["index"], chunk_at, part["text"])
        for chunk_at, chunk in enumerate(chunks)
        for candidate in chunk["candidates"]
        for part in candidate["content"]["parts"]
        if "text" in part and not part.get("thought")
    )
    assert sorted("".join(text for _, _, text in by_choice)) == sorted(said)
    assert all(len(chunk["candidates"]) == 1 for chunk in chunks)
    assert len([part for part in parts if "functionCall" in part]) <= len(events)


def test_recorded_streams_read_and_written_say_the_same(corpus):
    seen = 0
    for recording in recordings.load(corpus, "gemini"):
        if recording.sse is None:
            continue
        events, finishes, usage = _driven(recording.events())
        if not finishes:
            continue
        seen += 1
        writer = writer_of()
        data = b"".join([writer.write(event) for event in events])
        chunks = chunks_of(data + writer.end(finishes, usage, None))
        again, ends, used = _driven(chunks)
        assert ends == finishes, recording.file
        assert _summary(again) == _summary(events), recording.file
        if usage is not None:
            # Searches and the tier stand elsewhere in an answer.
            same = msgspec.structs.replace(used, web_search=usage.web_search, tier=usage.tier)
            assert same == usage
    assert seen > 100


def _driven(chunks):
    reader = GeminiReader()
    events = [event for chunk in chunks for event in reader.read(None, chunk)] + reader.end()
    finishes = {event.choice: event for event in events if isinstance(event, Finished)}
    usages = [event.usage for event in events if isinstance(event, UsageSeen)]
    return events, finishes, usages[-1] if usages else None


def _summary(events):
    texts = [(event.choice, event.text) for event in events if isinstance(event, TextDelta)]
    thoughts = [event.text for event in events if isinstance(event, ReasoningDelta)]
    calls = [(event.id, event.name) for event in events if isinstance(event, CallStart)]
    arguments = [event.text for event in events if isinstance(event, CallArguments)]
    carriers = [
        event.carrier
        for event in events
        if isinstance(event, CallStart | ReasoningEnd) and event.carrier
    ]
    return "".join(text for _, text in texts), "".join(thoughts), calls, arguments, carriers
