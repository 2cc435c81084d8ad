"""The twin of protocols/messages_event_reader.py."""

import json

from hypothesis import given
from hypothesis import strategies as st
from jiter import from_json

from tests.protocols import messages_oracle as oracle
from tests.protocols.test_messages_usage import JSON
from tollbridge.protocols import answer as said
from tollbridge.protocols.carriers import sealed
from tollbridge.protocols.conversation import Carrier, Opaque, Vendor
from tollbridge.protocols.messages_event_reader import MessagesReader
from tollbridge.protocols.messages_usage import usage_fields
from tollbridge.protocols.sse import Framer, data_of, event_of
from tollbridge.protocols.usage import Usage


def read(events, reader=None):
    reader = reader or MessagesReader()
    found = [one for event in events for one in reader.read(None, event)]
    return found + reader.end()


def start(block, index=0):
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index=0, **fields):
    return {"type": "content_block_delta", "index": index, "delta": fields}


def stop(index=0):
    return {"type": "content_block_stop", "index": index}


def text(words, index=0):
    return delta(index, type="text_delta", text=words)


THINKING = {"type": "thinking", "thinking": "", "signature": ""}
CALL = {"type": "tool_use", "id": "t1", "name": "see", "input": {}}


def test_the_start_says_the_input_and_no_output():
    usage = {"input_tokens": 5, "output_tokens": 8, "cache_read_input_tokens": 2}
    message = {"id": "msg_1", "model": "claude", "usage": usage}
    started = {"type": "message_start", "message": message}
    again = {"type": "message_start", "message": {"id": "msg_2"}}
    expected = [said.Start("msg_1", "claude", Usage(input=5, cache_read=2, interim=True))]
    assert read([started, again, {"type": "ping"}]) == expected


def test_texts_thoughts_and_calls():
    events = [
        start(THINKING),
        delta(type="thinking_delta", thinking="hm"),
        delta(type="signature_delta", signature="sig"),
        stop(),
        start({"type": "text", "text": "a"}, 1),
        text("b", 1),
        stop(1),
        start({"type": "text", "text": ""}, 2),
        text("c", 2),
        stop(2),
        start(CALL, 3),
        delta(3, type="input_json_delta", partial_json=""),
        delta(3, type="input_json_delta", partial_json='{"a":1}'),
        stop(3),
    ]
    assert read(events) == [
        said.ReasoningDelta(""),
        said.ReasoningDelta("hm"),
        said.ReasoningEnd(Carrier(Vendor.ANTHROPIC, "sig")),
        said.TextDelta("a"),
        said.TextDelta("b"),
        said.TextDelta("c", fresh=True),
        said.CallStart(0, "t1", "see"),
        said.CallArguments(0, '{"a":1}'),
        said.CallEnd(0),
    ]


def test_thoughts_of_another_vendor_are_known_again():
    carrier = Carrier(Vendor.GEMINI, "sig", "item")
    events = [start({**THINKING, "signature": sealed(carrier)}), stop()]
    assert read(events)[-1] == said.ReasoningEnd(carrier)


def test_redacted_thoughts_are_told_from_signed_ones():
    (end,) = read([start({"type": "redacted_thinking", "data": "x"}), stop()])
    assert end == said.ReasoningEnd(
        Carrier(Vendor.ANTHROPIC, "x", "redacted_thinking"), redacted=True
    )


def test_a_second_thinking_block_is_fresh_once():
    events = [
        start(THINKING),
        stop(),
        start(THINKING, 1),
        delta(1, type="thinking_delta", thinking="x"),
    ]
    assert [one.fresh for one in read(events) if isinstance(one, said.ReasoningDelta)] == [
        False, True, False,
    ]  # fmt: skip


def test_what_the_vendors_tools_did_is_kept_whole():
    block = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    events = [
        start(block),
        delta(type="input_json_delta", partial_json='{"query":'),
        delta(type="input_json_delta", partial_json='"x"}'),
        stop(),
    ]
    (made,) = read(events)
    assert isinstance(made.part, Opaque) and made.part.kind == "server_tool_use"
    assert made.part.raw == {**block, "input": {"query": "x"}}
    assert block["input"] == {}


def test_citations_with_an_address():
    citation = {"type": "web_search_result_location", "url": "u", "title": "t", "cited_text": "q"}
    events = [start({"type": "text", "text": ""}), delta(type="citations_delta", citation=citation)]
    (cited,) = read(events)
    assert (cited.citation.url, cited.citation.title, cited.citation.quote) == ("u", "t", "q")
    page = {"type": "page_location", "document_index": 0, "cited_text": "q"}
    assert read([delta(type="citations_delta", citation=page)]) == []


def test_mixed_up_blocks_are_told_apart_by_index():
    one, two = dict(CALL), {**CALL, "id": "t2"}
    events = [
        start(one),
        start(two, 1),
        delta(1, type="input_json_delta", partial_json="{2}"),
        delta(0, type="input_json_delta", partial_json="{1}"),
        stop(1),
        stop(0),
    ]
    assert read(events) == [
        said.CallStart(0, "t1", "see"),
        said.CallStart(1, "t2", "see"),
        said.CallArguments(1, "{2}"),
        said.CallArguments(0, "{1}"),
        said.CallEnd(1),
        said.CallEnd(0),
    ]


def test_input_in_the_start_and_deltas_without_a_start():
    events = [start({**CALL, "input": {"a": 1}}), text("x", 7)]
    assert read(events) == [
        said.CallStart(0, "t1", "see"),
        said.CallArguments(0, '{"a":1}'),
        said.TextDelta("x"),
        said.CallEnd(0),
    ]


def test_figures_replace_and_the_finish_counts():
    reader = MessagesReader()
    reader.read(None, {"type": "message_start", "message": {"usage": {"input_tokens": 589}}})
    found = reader.read(None, {
        "type": "message_delta",
        "delta": {"stop_reason": "stop_sequence", "stop_sequence": "X"},
        "usage": {"input_tokens": 1250, "output_tokens": 7},
    })  # fmt: skip
    assert found == [
        said.UsageSeen(Usage(input=1250, output=7)),
        said.Finished(said.Finish.STOP_SEQUENCE, "X"),
    ]
    assert reader.read(None, {"type": "message_stop"}) == [said.Done()]


def test_unknown_reasons_are_natural_ends_and_none_is_none():
    for reason, finish in (("new", [said.Finished(said.Finish.STOP)]), (None, [])):
        assert read([{"type": "message_delta", "delta": {"stop_reason": reason}}]) == finish


def test_errors():
    (failed,) = read([{"type": "error", "error": {"type": "rate_limit_error", "message": "m"}}])
    assert (failed.fault.status, failed.fault.message) == (429, "m")
    assert isinstance(MessagesReader().read(b"error", {})[0], said.Failed)


TYPES = st.sampled_from([
    "message_start", "content_block_start", "content_block_delta", "content_block_stop",
    "message_delta", "message_stop", "error", "text", "thinking", "tool_use", "redacted_thinking",
    "text_delta", "thinking_delta", "signature_delta", "input_json_delta", "citations_delta",
    "compaction_delta", "server_tool_use",
])  # fmt: skip
FIELDS = ["index", "delta", "content_block", "message", "usage", "id", "name", "input", "text",
          "thinking", "signature", "partial_json", "citation", "error", "stop_reason"]  # fmt: skip
OBJECT = st.fixed_dictionaries({}, optional={"type": TYPES, **dict.fromkeys(FIELDS, JSON)})
EVENT = st.fixed_dictionaries(
    {"type": TYPES},
    optional={
        "index": st.integers(0, 2) | JSON,
        "delta": OBJECT | JSON,
        "content_block": OBJECT | JSON,
        "message": OBJECT | JSON,
        "usage": JSON,
    },
)


@given(st.lists(EVENT, max_size=8))
def test_nothing_raises_and_every_call_is_closed(events):
    found = read(events)
    opened = [one.key for one in found if isinstance(one, said.CallStart)]
    closed = [one.key for one in found if isinstance(one, said.CallEnd)]
    assert sorted(opened) == sorted(closed) == list(range(len(opened)))


def parsed(arguments):
    """Read arguments as the vendor's client does, which forgives an output limit."""
    return from_json((arguments or "{}").encode(), partial_mode=True)


def collected(events):
    """Return what events say, in the oracle's words."""
    texts, thoughts, redacted, calls, arguments = [], [], [], {}, {}
    thinking = None
    for one in events:
        match one:
            case said.TextDelta():
                texts.append(one.text)
            case said.ReasoningDelta():
                thinking = (thinking or "") + one.text
            case said.ReasoningEnd(redacted=True):
                redacted.append(one.carrier.payload)
            case said.ReasoningEnd():
                thoughts.append((thinking or "", one.carrier.payload if one.carrier else ""))
                thinking = None
            case said.CallStart():
                calls[one.key], arguments[one.key] = (one.id, one.name), ""
            case said.CallArguments():
                arguments[one.key] += one.text
    return {
        "text": "".join(texts),
        "thinking": thoughts,
        "redacted": redacted,
        "calls": [(*calls[key], parsed(arguments[key])) for key in calls],
    }


def events_of(sse):
    reader, found = MessagesReader(), []
    for frame in Framer().feed(sse):
        data = data_of(frame)
        if data is not None:
            found += reader.read(event_of(frame), json.loads(data))
    return found + reader.end()


REASONS = {
    "end_turn": said.Finish.STOP,
    "tool_use": said.Finish.CALL,
    "max_tokens": said.Finish.LENGTH,
}


def test_recorded_streams_say_what_the_vendors_client_reads(corpus):
    streams = oracle.recorded(corpus, streams=True)
    for one in streams:
        found = events_of(one.sse)
        message = oracle.accumulated(one.events())
        if not oracle.is_spliced(one.events()):
            assert collected(found) == oracle.said(message.content), one.file
        finish = [event for event in found if isinstance(event, said.Finished)][-1]
        assert finish.finish is REASONS[message.stop_reason], one.file
        usage = [event for event in found if isinstance(event, said.UsageSeen)][-1].usage
        assert oracle.figures(usage_fields(usage)) == oracle.figures(message.usage), one.file
        assert isinstance(found[-1], said.Done), one.file
    assert len(streams) > 150
