"""One item of a stream: what its events say, once, however often they say it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.answer import (
    CallArguments,
    CallEnd,
    CallStart,
    Cited,
    Made,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    TextDelta,
)
from tollbridge.protocols.conversation import Carrier, Citation, Opaque, Vendor
from tollbridge.protocols.responses_item_events import Item, opened, piece_of

CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": ""}


def item(given, others=False):
    made = Item(0, given, others=others)
    return made, made.begin(given)


def delta(about, text, **fields):
    return f"response.{about}.delta", {"delta": text, **fields}


@given(st.text(min_size=1, max_size=9), st.lists(st.integers(0, 9), max_size=3), st.booleans())
def test_arguments_are_told_once_wherever_they_come(text, cuts, done_event):
    """Deltas may say a part of them, a done event all, the item all again."""
    call, events = item(CALL)
    at = 0
    for cut in sorted(cuts):
        events += call.take(*delta("function_call_arguments", text[at:cut]))
        at = max(at, cut)
    if done_event:
        events += call.take("response.function_call_arguments.done", {"arguments": text})
    events += call.done({**CALL, "arguments": text})
    told = "".join(event.text for event in events if isinstance(event, CallArguments))
    assert told == text
    assert isinstance(events[0], CallStart) and events[-1] == CallEnd(0)
    assert call.close() == []


def test_a_text_that_contradicts_what_was_told_is_not_told():
    call, _ = item(CALL)
    call.take(*delta("function_call_arguments", '{"a"'))
    assert call.done({**CALL, "arguments": '{"b":1}'}) == [CallEnd(0)]


def test_texts_of_several_parts():
    message, events = item({"type": "message"}, others=True)
    events += message.take(*delta("output_text", "a", content_index=0))
    events += message.take(*delta("output_text", "b", content_index=1))
    content = [{"type": "output_text", "text": "ab"}, {"type": "output_text", "text": "b"}]
    events += message.done({"content": [*content, {"type": "refusal", "refusal": "no"}]})
    told = [TextDelta("a", fresh=True), TextDelta("b", fresh=True), TextDelta("b")]
    assert events == [*told, RefusalDelta("no")]
    assert message.refused


def test_a_text_is_told_once_whose_part_has_another_number_in_the_item():
    message, events = item({"type": "message"})
    events += message.take(*delta("output_text", "a", content_index=1))
    events += message.done({"type": "message", "content": [{"type": "output_text", "text": "ab"}]})
    assert events == [TextDelta("a"), TextDelta("b")]


def test_a_citation_is_told_once():
    note = {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}
    message, _ = item({"type": "message"})
    kind = "response.output_text.annotation.added"
    cited = [Cited(Citation("u", "t", 0, 1))]
    assert message.take(kind, {"content_index": 0, "annotation": note}) == cited
    content = [{"type": "output_text", "text": "", "annotations": [note]}]
    assert message.done({"content": content}) == []


def test_thoughts_begin_before_they_say_anything_and_end_with_their_carrier():
    thoughts, events = item({"type": "reasoning", "summary": []})
    assert events == [ReasoningDelta("", summary=True)]
    events = thoughts.take(*delta("reasoning_summary_text", "a", summary_index=0))
    events += thoughts.take(*delta("reasoning_summary_text", "b", summary_index=1))
    events += thoughts.take(*delta("reasoning_text", "the same at length"))
    whole = {"id": "rs_1", "summary": [{"text": "a"}, {"text": "bc"}], "encrypted_content": "gA"}
    events += thoughts.done(whole)
    assert events == [
        ReasoningDelta("a", summary=True),
        ReasoningDelta("b", summary=True, fresh=True),
        ReasoningDelta("c", summary=True),
        ReasoningEnd(Carrier(Vendor.OPENAI, "gA", "rs_1")),
    ]


def test_other_items_are_whole():
    search, events = item({"type": "web_search_call"})
    assert events == []
    [made] = search.done({"type": "web_search_call", "id": "ws"})
    assert isinstance(made, Made) and isinstance(made.part, Opaque)


def test_what_was_never_opened():
    assert opened("response.output_text.delta", 0, others=False).kind == "message"
    assert opened("response.function_call_arguments.delta", 0, others=False) is None


@pytest.mark.parametrize(
    ("kind", "piece"),
    [
        ("response.output_text.delta", ("text", "text", True)),
        ("response.custom_tool_call_input.done", ("custom", "input", False)),
        ("response.output_text.annotation.added", None),
        ("response.reasoning_summary_part.done", None),
    ],
)
def test_pieces(kind, piece):
    assert piece_of(kind) == piece
