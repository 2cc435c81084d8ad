"""Streams written by the protocol's grammar, whatever the order of events; the SDK reads them."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocols import recordings, responses_gist, responses_oracle, responses_samples
from tests.protocols.responses_samples import CARRIER, IDENTITY, NOBODY, URL
from tollbridge.protocols import answer
from tollbridge.protocols.answer import Finish, Finished
from tollbridge.protocols.carriers import opened
from tollbridge.protocols.chat_event_reader import ChatReader
from tollbridge.protocols.conversation import (
    Audio,
    Carrier,
    Citation,
    Conversation,
    Image,
    Opaque,
    Vendor,
    Wire,
)
from tollbridge.protocols.gemini_event_reader import GeminiReader
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.messages_event_reader import MessagesReader
from tollbridge.protocols.responses_event_reader import ResponsesReader
from tollbridge.protocols.responses_event_writer import ResponsesWriter
from tollbridge.protocols.responses_request_reader import read_request
from tollbridge.protocols.usage import Usage

USAGE = Usage(input=3, cache_read=1, output=2, reasoning=1)


def write(*events, finish=Finish.STOP, usage=USAGE, conversation=NOBODY):
    losses = Losses()
    writer = ResponsesWriter(IDENTITY, conversation, losses)
    frames = b"".join([writer.write(event) for event in events])
    frames += writer.end({} if finish is None else {0: Finished(finish)}, usage, "flex")
    found = responses_oracle.strict_stream(frames)
    check_grammar(found)
    responses_oracle.accumulated(found)
    assert writer.sequence == len(found)
    said = [event["delta"] for event in found if "delta" in event]
    assert writer.produced(frames) == sum(len(text.encode()) for text in said)
    return found, losses


def check_grammar(events):
    """Each item opens once and closes once; what the end says is what was told."""
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    added, done = {}, {}
    for event in events[2:-1]:
        place = event["output_index"]
        if event["type"] == "response.output_item.added":
            assert place == len(added)
            added[place] = event["item"]
        elif event["type"] == "response.output_item.done":
            assert place not in done
            done[place] = event["item"]
        else:
            assert place in added and place not in done
            assert event["item_id"] == added[place]["id"]
    final = events[-1]["response"]
    assert events[-1]["type"] == f"response.{final['status']}"
    assert final["output"] == [done[place] for place in range(len(added))]
    assert all(done[place]["id"] == item["id"] for place, item in added.items())
    assert {event["response"]["id"] for event in events if "response" in event} == {final["id"]}


def kinds(events):
    return [event["type"].removeprefix("response.") for event in events]


def test_thoughts_text_and_calls():
    found, losses = write(
        answer.Start("up", "upstream"),
        answer.ReasoningDelta("", summary=True),
        answer.ReasoningDelta("hm", summary=True),
        answer.ReasoningEnd(CARRIER),
        answer.TextDelta("a"),
        answer.Cited(Citation(URL, "A")),
        answer.CallStart(0, "c", "f"),
        answer.CallStart(1, "d", "g"),
        answer.CallArguments(0, '{"a"'),
        answer.CallArguments(1, "{}"),
        answer.CallArguments(0, ":1}"),
        answer.CallEnd(0),
        answer.CallEnd(1),
        finish=Finish.CALL,
    )
    final = found[-1]["response"]
    gist = responses_gist.of_response(final)
    assert (gist.thoughts, gist.text, gist.citations) == ("hm", "a", [URL])
    assert gist.calls == [("c", "f", '{"a":1}'), ("d", "g", "{}")]
    assert opened(gist.carriers[0]) == CARRIER
    assert (final["model"], final["status"], final["service_tier"]) == (
        "upstream",
        "completed",
        "flex",
    )
    assert final["usage"]["output_tokens_details"] == {"reasoning_tokens": 1}
    assert not losses.counts


def test_an_answer_without_events_is_still_a_stream():
    found, _ = write()
    assert kinds(found) == ["created", "in_progress", "completed"]


def test_what_is_open_at_a_cut_is_incomplete():
    for finish in (Finish.LENGTH, None):
        found, _ = write(answer.TextDelta("a"), answer.CallStart(0, "c", "f"), finish=finish)
        final = found[-1]["response"]
        assert [item["status"] for item in final["output"]] == ["completed", "incomplete"]
        assert final["status"] == "incomplete"


def test_the_signature_of_a_call_stands_before_it():
    carrier = Carrier(Vendor.GEMINI, "thought")
    found, _ = write(
        answer.ReasoningDelta("hm"),
        answer.CallStart(0, "c", "f", carrier=carrier),
        answer.CallEnd(0),
    )
    output = found[-1]["response"]["output"]
    assert [item["type"] for item in output] == ["reasoning", "reasoning", "function_call"]
    assert opened(output[1]["encrypted_content"]) == carrier


def test_images_and_searches_are_items_with_their_steps():
    search = Opaque(
        wire=Wire.MESSAGES,
        kind="server_tool_use",
        raw={"name": "web_search", "input": {"query": "q"}},
    )
    found, _ = write(answer.Made(search), answer.Made(Image(data="aWk=", mime="image/png")))
    steps = [kind for kind in kinds(found) if "_call." in kind]
    assert steps[:3] == [
        f"web_search_call.{step}" for step in ("in_progress", "searching", "completed")
    ]
    assert steps[5] == "image_generation_call.completed"
    young = [event["item"] for event in found if event["type"] == "response.output_item.added"]
    assert [item["status"] for item in young] == ["in_progress", "in_progress"]
    assert young[1]["result"] is None


def test_what_has_no_place_is_noted():
    found, losses = write(
        answer.TextDelta("other", choice=1),
        answer.Made(Audio(data="a", mime="audio/wav")),
        answer.Cited(Citation(URL)),
        answer.CallArguments(7, "lost call"),
        answer.ReasoningEnd(),
    )
    assert kinds(found) == ["created", "in_progress", "completed"]
    assert losses.counts == {"answer_choices": 1, "answer_opaque": 1, "answer_citation": 1}


def test_free_text_calls_and_refusals():
    found, _ = write(
        answer.RefusalDelta("no"),
        answer.CallStart(0, "", "f", custom=True, namespace="crm"),
        answer.CallArguments(0, "text"),
        finish=Finish.POLICY,
    )
    refused, call = found[-1]["response"]["output"]
    assert refused["content"] == [{"type": "refusal", "refusal": "no"}]
    assert (call["type"], call["input"], call["namespace"]) == ("custom_tool_call", "text", "crm")
    assert found[-1]["type"] == "response.completed"


def test_a_stop_sequence_is_not_said():
    losses = Losses()
    writer = ResponsesWriter(IDENTITY, NOBODY, losses)
    writer.end({0: Finished(Finish.STOP_SEQUENCE, "x")}, None, None)
    assert losses.counts == {"answer_stop_sequence": 1}
    assert writer.stream_id == "resp_0abc"


def test_the_request_is_said_again_in_every_response():
    tools = [{"type": "custom", "name": "x"}]
    asked = read_request({"model": "m", "input": "a", "instructions": "be kind", "tools": tools})
    found, _ = write(answer.TextDelta("a"), conversation=asked)
    for event in (found[0], found[1], found[-1]):
        assert event["response"]["instructions"] == "be kind"
        assert event["response"]["tools"] == tools


@settings(max_examples=40)
@given(responses_samples.events, st.sampled_from([*Finish, None]))
def test_any_order_of_events_is_a_stream_that_the_sdk_takes(events, finish):
    found, _ = write(*events, finish=finish)
    frames = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in found)
    again = responses_gist.of_events(responses_gist.read_stream(ResponsesReader(), frames))
    told = "".join(event.text for event in events if isinstance(event, answer.TextDelta))
    assert again.text == told == responses_gist.of_response(found[-1]["response"]).text
    started = sum(isinstance(event, answer.CallStart) for event in events)
    assert len(again.calls) == started


def test_every_recorded_stream_is_written_by_the_book(corpus):
    seen = 0
    for record in recordings.load(corpus, "openai_responses"):
        if not record.sse or not record.file.startswith("responses--"):
            continue
        events = responses_gist.read_stream(ResponsesReader(), record.sse)
        if not any(isinstance(event, Finished) for event in events):
            continue
        # Items of the vendor's own tools pass as they came, newer than any model of theirs.
        events = [
            event
            for event in events
            if not (isinstance(event, answer.Made) and isinstance(event.part, Opaque))
        ]
        asked = Conversation(wire=Wire.RESPONSES, model="m")
        if isinstance(record.request, dict):
            asked = read_request(record.request)
        frames = responses_gist.write_stream(ResponsesWriter(IDENTITY, asked, Losses()), events)
        found = responses_oracle.strict_stream(frames)
        check_grammar(found)
        final = responses_oracle.accumulated(found)
        assert responses_gist.of_response(final) == responses_gist.of_events(events), record.file
        seen += 1
    assert seen > 170


@pytest.mark.parametrize(
    ("folder", "reader", "least"),
    [
        ("openai_chat", ChatReader, 150),
        ("anthropic", MessagesReader, 150),
        ("gemini", GeminiReader, 120),
    ],
)
def test_every_recorded_stream_of_other_protocols_is_written_by_the_book(
    corpus, folder, reader, least
):
    seen = 0
    for record in recordings.load(corpus, folder):
        if not record.sse:
            continue
        events = responses_gist.read_stream(reader(), record.sse)
        frames = responses_gist.write_stream(ResponsesWriter(IDENTITY, NOBODY, Losses()), events)
        found = responses_oracle.strict_stream(frames)
        check_grammar(found)
        final = responses_gist.of_response(responses_oracle.accumulated(found))
        first = [event for event in events if not getattr(event, "choice", 0)]
        told = responses_gist.of_events(first)
        for name in ("text", "thoughts", "refusal"):
            assert getattr(final, name) == getattr(told, name), record.file
        calls = [(name, arguments or "{}") for _, name, arguments in told.calls]
        assert [call[1:] for call in final.calls] == calls, record.file
        seen += 1
    assert seen > least
