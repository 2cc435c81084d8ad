"""Gemini streams as events: the same text, thoughts, calls, ends and figures as Google's SDK reads."""

import json

from google.genai import types
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.protocols import recordings
from tollbridge.protocols.answer import (
    CallArguments,
    CallEnd,
    CallStart,
    Cited,
    Done,
    Failed,
    Finish,
    Finished,
    Made,
    ReasoningDelta,
    ReasoningEnd,
    Start,
    TextDelta,
    UsageSeen,
)
from tollbridge.protocols.conversation import Carrier, Citation, Image, Vendor
from tollbridge.protocols.gemini_event_reader import GeminiReader
from tollbridge.protocols.usage import Usage

SIGNED = Carrier(Vendor.GEMINI, "c2ln")


def chunk(*parts, finish=None, index=0, **fields):
    candidate = {"content": {"parts": list(parts)}, "index": index}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "responseId": "r", "modelVersion": "m", **fields}


def read(*chunks):
    reader = GeminiReader()
    events = [event for one in chunks for event in reader.read(None, one)]
    return [*events, *reader.end()]


def test_thoughts_text_and_end():
    assert read(
        chunk({"text": "hm", "thought": True}),
        chunk({"text": "a"}),
        chunk({"text": ""}, finish="STOP", usageMetadata={"promptTokenCount": 1}),
    ) == [
        Start("r", "m"),
        ReasoningDelta("hm", summary=True),
        ReasoningEnd(),
        TextDelta("a"),
        UsageSeen(Usage(input=1)),
        Finished(Finish.STOP),
        Done(),
    ]


def test_a_signature_closes_the_thoughts_that_it_signs():
    events = read(
        chunk({"text": "hm", "thought": True}), chunk({"text": "a", "thoughtSignature": "c2ln"})
    )
    assert events[2:] == [ReasoningEnd(SIGNED), TextDelta("a")]


def test_a_signature_at_the_very_end():
    events = read(chunk({"text": "a"}), chunk({"text": "", "thoughtSignature": "c2ln"}))
    assert events[1:] == [TextDelta("a"), ReasoningEnd(SIGNED)]


def test_calls_are_whole_and_have_their_own_keys_and_ids():
    call = {"functionCall": {"name": "f", "args": {"a": 1}}}
    events = read(
        chunk(call | {"thoughtSignature": "c2ln"}, call), chunk(call), chunk(finish="STOP")
    )
    starts = [event for event in events if isinstance(event, CallStart)]
    assert [start.key for start in starts] == [0, 1, 2]
    assert [start.carrier for start in starts] == [SIGNED, None, None]
    assert len({start.id for start in starts}) == 3
    assert events[2:4] == [CallArguments(0, '{"a":1}'), CallEnd(0)]
    assert Finished(Finish.CALL) in events
    again = [event for event in read(chunk(call, call, call)) if isinstance(event, CallStart)]
    assert [start.id for start in again] == [start.id for start in starts]


def test_arguments_in_pieces():
    def piece(name=None, *values, more=True):
        call = {"partialArgs": list(values)} if values else {}
        call |= {"name": name} if name else {}
        return chunk({"functionCall": call | ({"willContinue": True} if more else {})})

    events = read(
        piece("f"),
        piece(None, {"jsonPath": "$.a", "stringValue": "x", "willContinue": True}),
        piece(None, {"jsonPath": "$.a", "stringValue": "y"}),
        piece(more=False),
        piece("g", {"jsonPath": "$.n", "numberValue": 2}, more=False),
        chunk(finish="STOP"),
    )
    assert events[1:-2] == [
        CallStart(0, events[1].id, "f"),
        CallArguments(0, '{"a":"xy"}'),
        CallEnd(0),
        CallStart(1, events[4].id, "g"),
        CallArguments(1, '{"n":2}'),
        CallEnd(1),
    ]


def test_a_call_that_is_never_ended_is_closed_at_the_end():
    events = read(chunk({"functionCall": {"name": "f", "willContinue": True}}))
    assert events[-2:] == [CallArguments(0, "{}"), CallEnd(0)]


def test_a_cut_stream_has_no_end():
    assert Done() not in read(chunk({"text": "a"}))
    assert Done() not in read(chunk(finish="STOP"), chunk({"text": "b"}, index=1))


def test_images_citations_policy_and_errors():
    image = chunk({"inlineData": {"mimeType": "image/png", "data": "AAAA"}})
    assert Made(Image(data="AAAA", mime="image/png")) in read(image)
    grounded = chunk({"text": "né dit"})
    grounded["candidates"][0]["groundingMetadata"] = {
        "webSearchQueries": ["q"],
        "groundingChunks": [{"web": {"uri": "u"}}],
        "groundingSupports": [{"segment": {"endIndex": 3}, "groundingChunkIndices": [0]}],
    }
    events = read(grounded, grounded | {"usageMetadata": {"promptTokenCount": 1}})
    assert Cited(Citation(url="u", start=0, end=2)) in events
    assert sum(isinstance(event, Cited) for event in events) == 1
    assert UsageSeen(Usage(input=1, web_search=1)) in events
    assert Finished(Finish.POLICY) in read({"promptFeedback": {"blockReason": "OTHER"}})
    failed = read(chunk({"text": "a"}, finish="STOP"), {"error": {"code": 503}})
    assert isinstance(failed[-1], Failed)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "candidates",
                    "content",
                    "parts",
                    "text",
                    "thought",
                    "functionCall",
                    "name",
                    "args",
                    "partialArgs",
                    "willContinue",
                    "jsonPath",
                    "finishReason",
                    "usageMetadata",
                    "thoughtSignature",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.lists(st.dictionaries(st.sampled_from(["candidates", "usageMetadata"]), ANY)))
def test_no_stream_raises(chunks):
    read(*chunks)


def sdk(events):
    found = []
    for event in events:
        body = json.loads(json.dumps(event))
        if isinstance(body.get("usageMetadata"), dict):
            body["usageMetadata"].pop("serviceTier", None)
        found.append(types.GenerateContentResponse.model_validate(body))
    return found


def test_every_recorded_stream_says_what_googles_sdk_says(corpus):
    seen = 0
    for recording in recordings.load(corpus, "gemini"):
        if recording.sse is None:
            continue
        chunks = recording.events()
        try:
            expected = sdk(chunks)
        except (ValidationError, AttributeError, UserWarning):
            continue
        seen += 1
        events = read(*chunks)
        parts = [
            part
            for one in expected
            for candidate in one.candidates or []
            for part in (candidate.content and candidate.content.parts) or []
        ]
        text = "".join(event.text for event in events if isinstance(event, TextDelta))
        assert text == "".join(part.text for part in parts if part.text and not part.thought)
        thought = "".join(event.text for event in events if isinstance(event, ReasoningDelta))
        assert thought == "".join(part.text for part in parts if part.text and part.thought)
        wanted = [part.function_call for part in parts if part.function_call]
        names = [event.name for event in events if isinstance(event, CallStart)]
        assert names == [call.name for call in wanted if call.name], recording.file
        if not any(call.partial_args or call.will_continue for call in wanted):
            given_args = [e.text for e in events if isinstance(e, CallArguments)]
            assert [json.loads(args) for args in given_args] == [one.args or {} for one in wanted]
        reasons = [
            candidate.finish_reason
            for one in expected
            for candidate in one.candidates or []
            if candidate.finish_reason
        ]
        assert sum(isinstance(event, Finished) for event in events) >= len(reasons)
        usages = [event.usage for event in events if isinstance(event, UsageSeen)]
        totals = [one.usage_metadata for one in expected if one.usage_metadata]
        totals = [one for one in totals if one.total_token_count]
        if totals:
            made = usages[-1].output + usages[-1].audio_output + usages[-1].image_output
            assert usages[-1].tokens_in() + made == totals[-1].total_token_count
    assert seen > 100


def test_a_recorded_call_in_pieces_is_whole(corpus):
    name = "streamGenerateContent--google--a93770829769.json"
    recording = next(one for one in recordings.load(corpus, "gemini") if one.file == name)
    arguments = [e.text for e in read(*recording.events()) if isinstance(e, CallArguments)]
    assert json.loads(arguments[0])["operations"][0]["action"] == "add"
