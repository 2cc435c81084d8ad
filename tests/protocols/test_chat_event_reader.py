"""Chunks of every vendor's chat stream are read as events, whatever they make of the protocol."""

import json
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols import recordings
from tests.protocols.chat_junk import JUNK
from tests.protocols.chat_oracle import accumulated
from tollbridge.protocols.answer import (
    CallArguments,
    CallEnd,
    CallStart,
    Cited,
    Failed,
    Finish,
    Finished,
    Made,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    Start,
    TextDelta,
    UsageSeen,
)
from tollbridge.protocols.carriers import sealed
from tollbridge.protocols.chat_event_reader import ChatReader
from tollbridge.protocols.chat_usage import usage_from
from tollbridge.protocols.conversation import Audio, Carrier, Image, Vendor


def read(*chunks, name=None):
    reader = ChatReader()
    events = [event for chunk in chunks for event in reader.read(name, chunk)]
    return events + reader.end()


def chunk(finish=None, index=0, **delta):
    return {"id": "c", "choices": [{"index": index, "delta": delta, "finish_reason": finish}]}


def call(**entry):
    function = {name: entry.pop(name) for name in ("name", "arguments") if name in entry}
    return chunk(tool_calls=[{**entry, "function": function}])


def calls(*chunks):
    """Return [id, name, arguments] of all calls, after checking that each is closed once."""
    said, ended = {}, []
    for event in read(*chunks):
        if isinstance(event, CallStart):
            said[event.key] = [event.id, event.name, ""]
        if isinstance(event, CallArguments):
            assert event.key not in ended
            said[event.key][2] += event.text
        if isinstance(event, CallEnd):
            ended.append(event.key)
    assert ended == list(said)
    return list(said.values())


def texts(events, kind, choice=0):
    return "".join(one.text for one in events if isinstance(one, kind) and one.choice == choice)


def test_every_recorded_stream_says_what_the_sdk_says(corpus):
    compared = 0
    for one in recordings.load(corpus, "openai_chat"):
        if one.sse is None:
            continue
        given = one.events()
        events = read(*given)
        whole = accumulated(given)
        if whole is None or any(isinstance(event, Failed) for event in events):
            continue
        compared += 1
        last = {event.choice: event.finish for event in events if isinstance(event, Finished)}
        for choice in whole.choices:
            said, message = choice.index, choice.message
            assert texts(events, TextDelta, said) == (message.content or ""), one.file
            assert texts(events, RefusalDelta, said) == (message.refusal or ""), one.file
            extra = message.model_extra or {}
            thoughts = extra.get("reasoning_content") or extra.get("reasoning") or ""
            assert texts(events, ReasoningDelta, said) == thoughts, one.file
            made = [
                event for event in events if isinstance(event, CallStart) and event.choice == said
            ]
            arguments = {event.key: "" for event in made}
            for event in events:
                if isinstance(event, CallArguments) and event.key in arguments:
                    arguments[event.key] += event.text
            assert [(event.id, event.name, arguments[event.key]) for event in made] == [
                (tool.id, tool.function.name, tool.function.arguments or "")
                for tool in message.tool_calls or ()
            ], one.file
            called = bool(made) and choice.finish_reason == "stop"
            assert last[said] == (Finish.CALL if called else _finish(choice)), one.file
        used = [event.usage for event in events if isinstance(event, UsageSeen)]
        if whole.usage is not None:
            assert used[-1] == usage_from(json.loads(whole.usage.model_dump_json())), one.file
    assert compared > 130


def _finish(choice):
    names = {"tool_calls": Finish.CALL, "content_filter": Finish.POLICY}
    given = choice.finish_reason
    return names.get(given) or Finish(given)


def test_every_recorded_stream_has_usage_and_an_end(corpus):
    for one in recordings.load(corpus, "openai_chat"):
        if one.sse is None:
            continue
        events = read(*one.events())
        assert isinstance(events[0], (Start, Failed)), one.file
        assert sum(isinstance(event, Start) for event in events) <= 1
        given = [chunk["usage"] for chunk in one.events() if chunk.get("usage")]
        used = [event.usage for event in events if isinstance(event, UsageSeen)]
        assert bool(used) >= bool(given), one.file


def test_the_start_waits_for_a_name():
    first = {"id": "", "choices": [], "prompt_filter_results": []}
    assert ChatReader().read(None, first) == []
    assert read(first, {**chunk(content="a"), "model": "m"})[0] == Start(id="c", model="m")


def test_calls_without_index_or_id():
    assert calls(
        call(id="a", name="f", arguments='{"x"'),
        call(arguments=":1}"),
        call(id="b", name="g", arguments="{}"),
    ) == [["a", "f", '{"x":1}'], ["b", "g", "{}"]]


def test_neither_index_nor_id_goes_on_with_the_last_call():
    assert calls(
        call(index=0, id="a", name="f", arguments="{}"),
        call(index=1, id="b", name="g", arguments="["),
        call(arguments="]"),
    ) == [["a", "f", "{}"], ["b", "g", "[]"]]


def test_a_new_id_at_a_used_index_is_a_new_call():
    assert calls(
        call(index=0, id="a", name="f", arguments="{}"),
        call(index=0, id="b", name="f", arguments='{"y":2}'),
    ) == [["a", "f", "{}"], ["b", "f", '{"y":2}']]


def test_interleaved_calls_keep_apart():
    assert calls(
        call(index=0, id="a", name="f", arguments=""),
        call(index=1, id="b", name="g", arguments=""),
        call(index=0, arguments="[1"),
        call(index=1, arguments="[2"),
        call(index=0, arguments="]"),
        call(index=1, arguments="]"),
    ) == [["a", "f", "[1]"], ["b", "g", "[2]"]]


def test_repeated_ids_and_names_are_told_once():
    assert calls(
        call(index=0, id="a", name="f", arguments="{"),
        call(index=0, id="a", name="f", arguments="}"),
    ) == [["a", "f", "{}"]]


def test_objects_and_doubled_arguments():
    assert calls(call(index=0, id="a", name="f", arguments={"x": [1]})) == [["a", "f", '{"x":[1]}']]
    full = '{"x":1}'
    assert calls(
        call(index=0, id="a", name="f", arguments='{"x"'),
        call(index=0, arguments=":1}"),
        call(index=0, arguments=full),
    ) == [["a", "f", full]]
    # An empty object first stands for none so far.
    assert calls(
        call(index=0, id="a", name="f", arguments="{}"), call(index=0, arguments=full)
    ) == [["a", "f", full]]


def test_names_and_ids_that_come_late_or_never():
    late = calls(call(index=0, arguments='{"x":'), call(index=0, id="a", name="f", arguments="1}"))
    assert late == [["a", "f", '{"x":1}']]
    assert calls(call(index=0, id="a", arguments="{}")) == []
    made = calls(call(index=0, name="f", arguments="{}"), call(index=1, name="g", arguments="{}"))
    assert made == calls(
        call(index=0, name="f", arguments="{}"), call(index=1, name="g", arguments="{}")
    )
    assert len({one[0] for one in made}) == 2 and all(one[0].startswith("call_") for one in made)


def test_free_text_calls_and_old_functions():
    custom = {"index": 0, "id": "a", "type": "custom"}
    events = read(
        chunk(tool_calls=[{**custom, "custom": {"name": "f", "input": "{}"}}]),
        chunk(tool_calls=[{"index": 0, "custom": {"input": "{}"}}]),
    )
    assert CallStart(0, "a", "f", custom=True) in events
    assert [one.text for one in events if isinstance(one, CallArguments)] == ["{}", "{}"]
    old = calls(
        chunk(function_call={"name": "f", "arguments": "["}),
        chunk(function_call={"arguments": "]"}),
    )
    assert [one[1:] for one in old] == [["f", "[]"]]


def test_an_empty_list_of_calls_is_none():
    events = read(chunk(content="a", tool_calls=[]), chunk("stop"))
    assert events[-1] == Finished(Finish.STOP)


def test_content_in_the_finish_chunk_comes_first():
    events = read(chunk("stop", content="a", role="assistant"))
    assert events == [Start(id="c"), TextDelta("a"), Finished(Finish.STOP)]


def test_a_stop_after_calls_is_one_for_calls_also_when_repeated():
    events = read(call(id="a", name="f", arguments="{}"), chunk("tool_calls"), chunk("stop"))
    assert [one.finish for one in events if isinstance(one, Finished)] == [Finish.CALL] * 2


def test_reasoning_under_all_its_names():
    detail = {"type": "reasoning.text", "text": "a", "index": 0}
    for delta in (
        {"reasoning_content": "a"},
        {"reasoning": "a"},
        {"reasoning": "a", "reasoning_content": "a"},
        {"reasoning": "a", "reasoning_details": [detail]},
        {"reasoning_details": [detail]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "a"}]}]},
    ):
        events = read(chunk(**delta), chunk(content="x"))
        assert events == [Start(id="c"), ReasoningDelta("a"), ReasoningEnd(), TextDelta("x")]


def test_reasoning_blocks_and_their_carriers():
    carrier = Carrier(Vendor.ANTHROPIC, "sig")
    text = {"type": "reasoning.text", "format": "anthropic-claude-v1"}
    events = read(
        chunk(reasoning_details=[{**text, "text": "a", "index": 0}]),
        chunk(reasoning_details=[{**text, "signature": "sig", "index": 0}]),
        chunk(
            reasoning_details=[{"type": "reasoning.encrypted", "data": sealed(carrier), "index": 1}]
        ),
        chunk(reasoning_details=[{"type": "reasoning.encrypted", "data": "whose?", "index": 2}]),
        chunk(reasoning_details=[{"type": "reasoning.summary", "summary": "b", "index": 3}]),
        chunk(reasoning_details=[{"type": "reasoning.summary", "summary": "c", "index": 4}]),
        chunk("stop"),
    )
    assert events[1:] == [
        ReasoningDelta("a"),
        ReasoningEnd(carrier),
        ReasoningEnd(carrier, redacted=True),
        ReasoningDelta("b", summary=True),
        ReasoningDelta("c", summary=True, fresh=True),
        ReasoningEnd(),
        Finished(Finish.STOP),
    ]


def test_gemini_signatures():
    google = {"google": {"thought_signature": "sig"}}
    carrier = Carrier(Vendor.GEMINI, "sig")
    entry = {"index": 0, "id": "a", "function": {"name": "f"}, "extra_content": google}
    assert CallStart(0, "a", "f", carrier=carrier) in read(chunk(tool_calls=[entry]))
    assert ReasoningEnd(carrier) in read(chunk(content="x", extra_content=google))


def test_media_and_citations():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    first, second = b64encode(b"a").decode(), b64encode(b"bc").decode()
    events = read(
        chunk(images=[image], content=[image]),
        chunk(audio={"id": "x", "transcript": "h"}),
        chunk(audio={"data": first}),
        chunk(audio={"data": second, "transcript": "i"}),
        chunk(audio={"expires_at": 7}),
        chunk(annotations=[{"type": "url_citation", "url_citation": {"url": "u"}}]),
        chunk("stop"),
    )
    made = [one.part for one in events if isinstance(one, Made)]
    assert made[:2] == [Image(data="AAAA", mime="image/png")] * 2
    sound = b64encode(b"abc").decode()
    assert made[2] == Audio(data=sound, mime="audio/L16;rate=24000", transcript="hi")
    assert [one.citation.url for one in events if isinstance(one, Cited)] == ["u"]
    sources = read(
        {**chunk(content="a"), "citations": ["v"]}, {**chunk("stop"), "citations": ["v"]}
    )
    assert [one.citation.url for one in sources if isinstance(one, Cited)] == ["v"]


def test_usage_anywhere_the_last_figures_count():
    events = read(
        {**chunk(content="a"), "usage": {"prompt_tokens": 1, "completion_tokens": 0}},
        {**chunk("stop"), "x_groq": {"usage": {"prompt_tokens": 1, "completion_tokens": 5}}},
        {"choices": [], "usage": {"completion_tokens": 6}, "service_tier": "flex"},
    )
    used = [one for one in events if isinstance(one, UsageSeen)]
    assert [(one.usage.input, one.usage.output) for one in used] == [(1, 0), (1, 5), (1, 6)]
    assert used[-1].tier == "flex"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        (None, {"error": {"message": "m"}}),
        (None, {**chunk("error", content=""), "error": {"message": "m"}}),
        (b"error", {"message": "m"}),
    ],
)
def test_errors_end_the_stream(name, data):
    reader = ChatReader()
    [event] = reader.read(name, data)
    assert isinstance(event, Failed) and event.fault.message == "m"
    assert reader.read(None, chunk(content="a")) == [] and reader.end() == []


def test_choices_are_told_apart():
    events = read(chunk(content="a"), chunk(content="b", index=1), chunk("length", index=1))
    assert TextDelta("b", choice=1) in events
    assert events[-1] == Finished(Finish.LENGTH, choice=1)


def test_a_whole_message_in_a_stream():
    message = {"role": "assistant", "content": "a"}
    events = read({"id": "c", "choices": [{"message": message, "finish_reason": "stop"}]})
    assert events[1:] == [TextDelta("a"), Finished(Finish.STOP)]
    both = [{"delta": {"content": "a"}, "message": message}, {"message": message}]
    assert texts(read(*({"id": "c", "choices": [one]} for one in both)), TextDelta) == "a"


@given(st.lists(JUNK, max_size=4), st.none() | st.just(b"error"))
def test_nothing_raises(given, name):
    read(*given, name=name)
    read(*({"id": "c", "choices": [{"delta": one, "finish_reason": one}]} for one in given))
    read(*({"choices": [{"delta": {"tool_calls": [one, one]}}]} for one in given))
    read(
        *({"choices": [{"delta": {"reasoning_details": [one], "content": [one]}}]} for one in given)
    )
