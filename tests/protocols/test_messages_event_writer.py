"""The twin of protocols/messages_event_writer.py."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols import messages_oracle as oracle
from tests.protocols import recordings
from tests.protocols.test_messages_event_reader import events_of, parsed
from tollbridge.protocols import answer as said
from tollbridge.protocols.carriers import opened
from tollbridge.protocols.chat_event_reader import ChatReader
from tollbridge.protocols.conversation import (
    Carrier,
    Citation,
    Conversation,
    Image,
    Opaque,
    Vendor,
    Wire,
)
from tollbridge.protocols.facts import decoded
from tollbridge.protocols.gemini_event_reader import GeminiReader
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.messages_event_writer import MessagesWriter
from tollbridge.protocols.messages_frames import produced_bytes
from tollbridge.protocols.messages_usage import usage_fields
from tollbridge.protocols.responses_event_reader import ResponsesReader
from tollbridge.protocols.sse import Framer, data_of, event_of
from tollbridge.protocols.usage import Usage

CONVERSATION = Conversation(wire=Wire.MESSAGES, model="mine")
IDENTITY = said.Identity(id="abc", created_s=1, model="mine")
KEPT_BY_DRIVER = (said.Finished, said.UsageSeen, said.Failed, said.Done)
STOP = {0: said.Finished(said.Finish.STOP)}


def written(events, finishes=STOP, usage=None, losses=None, identity=IDENTITY):
    """Return the parsed frames, each checked against the vendor's models and the grammar."""
    writer = MessagesWriter(identity, CONVERSATION, losses or Losses())
    sent = b"".join([writer.write(event) for event in events])
    sent += writer.end(finishes, usage, None)
    frames = oracle.events(sent)
    assert writer.produced(sent) == produced_bytes(sent)
    assert frames[0]["message"]["id"] == writer.stream_id
    oracle.check_grammar(frames)
    return frames


def message_of(*events, **options):
    frames = written(events, **options)
    for frame in frames:
        oracle.strict_event(frame)
    return oracle.accumulated(frames)


def blocks_of(*events, **options):
    return [block.to_dict() for block in message_of(*events, **options).content]


def test_the_least_message_has_a_block():
    message = message_of(usage=Usage(input=3, cache_read=4, output=5, reasoning=2))
    assert [block.text for block in message.content] == [""]
    assert (message.id, message.model, message.stop_reason) == ("msg_abc", "mine", "end_turn")
    assert oracle.figures(message.usage) == (3, 5, 4, 0, 2, 0)


def test_the_start_names_the_upstreams_message_and_what_is_known_of_the_input():
    start = said.Start("msg_up", "claude-up", Usage(input=8))
    frames = written([start])
    assert frames[0]["message"]["usage"]["input_tokens"] == 8
    assert (frames[0]["message"]["id"], frames[0]["message"]["model"]) == ("msg_up", "claude-up")
    renamed = said.Identity(id="abc", created_s=1, model="mine", renamed=True)
    frames = written([said.Start("chatcmpl-1", "gpt")], identity=renamed)
    assert (frames[0]["message"]["id"], frames[0]["message"]["model"]) == ("msg_abc", "mine")


def test_blocks_follow_each_other():
    assert blocks_of(
        said.ReasoningDelta("a"),
        said.ReasoningDelta("b", fresh=True),
        said.ReasoningEnd(Carrier(Vendor.ANTHROPIC, "sig")),
        said.TextDelta(""),
        said.TextDelta("c"),
        said.TextDelta("d", fresh=True),
        said.RefusalDelta("e"),
        said.CallStart(0, "t1", "see"),
        said.CallArguments(0, ""),
        said.CallArguments(0, '{"a":1}'),
        said.CallEnd(0),
    ) == [
        {"type": "thinking", "thinking": "a\n\nb", "signature": "sig"},
        {"type": "text", "text": "c"},
        {"type": "text", "text": "de"},
        {"type": "tool_use", "id": "t1", "name": "see", "input": {"a": 1}},
    ]


def test_thinking_is_seen_at_once_and_a_foreign_carrier_is_sealed():
    writer = MessagesWriter(IDENTITY, CONVERSATION, Losses())
    assert b"content_block_start" in writer.write(said.ReasoningDelta(""))
    carrier = Carrier(Vendor.OPENAI, "enc", "rs_1")
    (block,) = blocks_of(said.ReasoningDelta("a"), said.ReasoningEnd(carrier))
    assert opened(block["signature"]) == carrier
    (block,) = blocks_of(said.ReasoningEnd(carrier))
    assert (block["thinking"], opened(block["signature"])) == ("", carrier)
    (block,) = blocks_of(said.ReasoningEnd(Carrier(Vendor.ANTHROPIC, "x"), redacted=True))
    assert block == {"type": "redacted_thinking", "data": "x"}


def test_thoughts_bear_the_carrier_of_a_call():
    carrier = Carrier(Vendor.GEMINI, "c2ln")
    call = said.CallStart(0, "t1", "see", carrier=carrier)
    thought, called = blocks_of(said.ReasoningDelta("hm"), call)
    assert (thought["thinking"], opened(thought["signature"])) == ("hm", carrier)
    assert called["type"] == "tool_use"
    text, thought, _ = blocks_of(said.TextDelta("a"), call)
    assert (text["text"], thought["thinking"]) == ("a", "")
    assert opened(thought["signature"]) == carrier


def test_an_end_of_thoughts_that_were_none_is_nothing():
    assert blocks_of(said.TextDelta("a"), said.ReasoningEnd(), said.TextDelta("b")) == [
        {"type": "text", "text": "ab"}
    ]


def test_calls_that_interleave_wait_for_each_other():
    events = [
        said.CallStart(0, "t1", "one"),
        said.CallStart(1, "t2", "two"),
        said.CallArguments(1, '{"b"'),
        said.CallArguments(0, '{"a"'),
        said.TextDelta("between"),
        said.CallArguments(1, ":2}"),
        said.CallArguments(0, ":1}"),
        said.CallEnd(1),
        said.CallEnd(0),
    ]
    expected = {
        "text": "between",
        "thinking": [],
        "redacted": [],
        "calls": [("t1", "one", {"a": 1}), ("t2", "two", {"b": 2})],
    }
    assert oracle.said(blocks_of(*events)) == expected
    # Calls that were never ended are ended at the end.
    assert oracle.said(blocks_of(*events[:-2])) == expected


def test_the_first_of_interleaved_calls_is_not_held_up():
    writer = MessagesWriter(IDENTITY, CONVERSATION, Losses())
    writer.write(said.CallStart(0, "t1", "one"))
    assert not writer.write(said.CallStart(1, "t2", "two"))
    assert writer.write(said.CallArguments(0, "{}"))
    assert b'"t2"' in writer.write(said.CallEnd(0))


def test_arguments_of_no_call_go_nowhere():
    assert blocks_of(said.TextDelta("a"), said.CallArguments(5, "{}"), said.CallEnd(5)) == [
        {"type": "text", "text": "a"}
    ]


def test_a_call_without_an_id_gets_the_same_one_every_time():
    ids = [
        [block["id"] for block in blocks_of(
            said.CallStart(0, "", "a"), said.CallEnd(0), said.CallStart(1, "", "a"),
        )]
        for _ in range(2)
    ]  # fmt: skip
    assert ids[0] == ids[1] and len(set(ids[0])) == 2


def test_free_text_of_a_call_stands_in_its_field():
    pieces = ['say "hi"', "\n", "é"]
    (block,) = blocks_of(
        said.CallStart(0, "t", "patch", custom=True),
        *(said.CallArguments(0, piece) for piece in pieces),
    )
    assert block["input"] == {"input": "".join(pieces)}


def test_a_natural_end_after_a_call_is_the_calls():
    call = said.CallStart(0, "t", "n")
    for finish, reason in (
        (said.Finish.STOP, "tool_use"),
        (said.Finish.LENGTH, "max_tokens"),
        (said.Finish.POLICY, "refusal"),
    ):
        assert message_of(call, finishes={0: said.Finished(finish)}).stop_reason == reason


def test_reasons_without_a_call():
    for finish, reason in (
        (said.Finish.FAULT, "end_turn"),
        (said.Finish.CONTEXT, "model_context_window_exceeded"),
        (said.Finish.PAUSED, "pause_turn"),
    ):
        assert message_of(finishes={0: said.Finished(finish)}).stop_reason == reason
    message = message_of(finishes={0: said.Finished(said.Finish.STOP_SEQUENCE, "END")})
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "END")
    assert message_of(finishes={}).stop_reason == "max_tokens"


def test_what_has_no_place_is_noted():
    losses = Losses()
    foreign = Opaque(wire=Wire.RESPONSES, kind="web_search_call", raw={})
    citation = Citation(url="u", title="t", quote="q")
    (block,) = blocks_of(
        said.Cited(citation),
        said.Made(Image(url="u")),
        said.Made(foreign),
        said.TextDelta("a"),
        said.Cited(citation),
        said.TextDelta("other", choice=1),
        losses=losses,
    )
    assert [cited["url"] for cited in block["citations"]] == ["u"]
    assert losses.counts == {
        "answer_citation": 1, "answer_opaque": 1, "answer_server_tool": 1, "answer_choices": 1,
    }  # fmt: skip


CARRIERS = st.none() | st.builds(Carrier, st.sampled_from(Vendor), st.text("ab", min_size=1))
KEYS = st.integers(0, 3)
EVENTS = st.lists(
    st.builds(said.Start, st.sampled_from(["", "msg_x"]))
    | st.builds(said.TextDelta, st.text(max_size=4), fresh=st.booleans())
    | st.builds(said.RefusalDelta, st.text(max_size=4))
    | st.builds(said.ReasoningDelta, st.text(max_size=4), fresh=st.booleans())
    | st.builds(said.ReasoningEnd, CARRIERS, redacted=st.booleans())
    | st.builds(said.CallStart, KEYS, st.text("ab", max_size=3), st.just("n"), carrier=CARRIERS)
    | st.builds(said.CallArguments, KEYS, st.text("x ", max_size=3))
    | st.builds(said.CallEnd, KEYS)
    | st.builds(said.Cited, st.builds(Citation, st.just("u")))
    | st.builds(said.Made, st.builds(Image, url=st.just("u"))),
    max_size=14,
)  # fmt: skip


@given(EVENTS, st.sampled_from(said.Finish))
def test_any_order_of_events_is_a_message(events, finish):
    frames = written(events, finishes={0: said.Finished(finish)})
    for frame in frames:
        oracle.strict_event(frame)
    texts = "".join(
        one.text for one in events if isinstance(one, (said.TextDelta, said.RefusalDelta))
    )
    deltas = [frame["delta"] for frame in frames if frame["type"] == "content_block_delta"]
    # Texts may wait for a call to end, but none is lost and their order stays.
    assert "".join(delta.get("text", "") for delta in deltas) == texts
    opened_calls = [
        frame for frame in frames
        if frame.get("content_block", {}).get("type") == "tool_use"
    ]  # fmt: skip
    starts = [one for one in events if isinstance(one, said.CallStart)]
    assert len(opened_calls) == len(starts)


@given(st.permutations([(key, piece) for key in range(3) for piece in range(4)]), st.booleans())
def test_arguments_stay_with_their_call_however_calls_are_mixed(order, ended):
    order = sorted(order, key=lambda one: one[1]) if ended else order
    seen, events = set(), []
    for key, _ in order:
        if key not in seen:
            seen.add(key)
            events.append(said.CallStart(key, f"t{key}", "n"))
        events.append(said.CallArguments(key, "[" if len(events) % 2 else "]"))
    if ended:
        events += [said.CallEnd(key) for key in range(3)]
    sent = {}
    for one in events:
        if isinstance(one, said.CallArguments):
            sent[f"t{one.key}"] = sent.get(f"t{one.key}", "") + one.text
    got, current = {}, None
    for frame in written(events):
        if frame["type"] == "content_block_start":
            current = frame["content_block"]["id"]
        elif frame["type"] == "content_block_delta":
            got[current] = got.get(current, "") + frame["delta"]["partial_json"]
    assert got == sent


def test_recorded_streams_are_written_again(corpus):
    strictly = 0
    for one in oracle.recorded(corpus, streams=True):
        events = events_of(one.sse)
        usage = [event for event in events if isinstance(event, said.UsageSeen)][-1].usage
        finish = [event for event in events if isinstance(event, said.Finished)][-1]
        frames = written(
            [event for event in events if not isinstance(event, KEPT_BY_DRIVER)],
            finishes={0: finish},
            usage=usage,
        )
        if oracle.is_strict(one.events()):
            strictly += 1
            for frame in frames:
                oracle.strict_event(frame)
        message, given_ = oracle.accumulated(frames), oracle.accumulated(one.events())
        if not oracle.is_spliced(one.events()):
            assert oracle.said(message.content) == oracle.said(given_.content), one.file
        assert message.stop_reason == given_.stop_reason, one.file
        assert (message.id, message.model) == (given_.id, given_.model), one.file
        assert oracle.figures(message.usage) == oracle.figures(given_.usage), one.file
        assert oracle.figures(usage_fields(usage)) == oracle.figures(given_.usage), one.file
    assert strictly > 120


def test_json_of_arguments_is_what_was_sent():
    (block,) = blocks_of(said.CallStart(0, "t", "n"), said.CallArguments(0, json.dumps({"é": 1})))
    assert block["input"] == parsed('{"é": 1}')


def others(sse, reader):
    """Return the events of a stream of another protocol."""
    framer, found = Framer(), []
    for frame in [*framer.feed(sse), framer.rest()]:
        data = data_of(frame)
        value = decoded(data) if data else None
        if value is not None:
            found += reader.read(event_of(frame), value)
    return found + reader.end()


@pytest.mark.parametrize(
    ("folder", "reader"),
    [("openai_chat", ChatReader), ("openai_responses", ResponsesReader), ("gemini", GeminiReader)],
)
def test_recorded_streams_of_other_protocols_become_messages(corpus, folder, reader):
    seen = 0
    for one in recordings.load(corpus, folder):
        if one.sse is None:
            continue
        events = others(one.sse, reader())
        finishes = {event.choice: event for event in events if isinstance(event, said.Finished)}
        if not finishes or any(isinstance(event, said.Failed) for event in events):
            continue
        frames = written(
            [event for event in events if not isinstance(event, KEPT_BY_DRIVER)], finishes=finishes
        )
        for frame in frames:
            oracle.strict_event(frame)
        told = oracle.said(oracle.accumulated(frames).content)
        spoken = [
            event.text
            for event in events
            if isinstance(event, (said.TextDelta, said.RefusalDelta)) and not event.choice
        ]
        calls = [
            event for event in events if isinstance(event, said.CallStart) and not event.choice
        ]
        assert told["text"] == "".join(spoken), one.file
        assert [name for _, name, _ in told["calls"]] == [call.name for call in calls], one.file
        seen += 1
    assert seen > 100
