"""The twin of protocols/messages_stream.py."""

import json
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols import messages_oracle as oracle
from tollbridge.protocols import messages_frames as frames
from tollbridge.protocols.messages_stream import MessagesTap
from tollbridge.protocols.messages_usage import merged_usage, usage_from
from tollbridge.protocols.sse import Framer
from tollbridge.protocols.tap import NOT_SSE
from tollbridge.protocols.usage import Usage

START = frames.message_start("msg_1", "up", {"input_tokens": 3, "output_tokens": 1})
OPEN = frames.block_start(0, frames.EMPTY_TEXT)
TEXT = frames.block_delta(0, {"type": "text_delta", "text": "hi"})
MORE = frames.block_delta(0, {"type": "text_delta", "text": "ya"})
CLOSE = frames.block_stop(0)
PING = b'event: ping\ndata: {"type": "ping"}\n\n'
END = frames.message_end("end_turn", None, Usage(input=4, output=2))
WHOLE = START + OPEN + PING + TEXT + MORE + CLOSE + END


def run(pieces, rename=None):
    tap = MessagesTap(rename)
    shown = b"".join([tap.feed(piece) for piece in pieces])
    tap.close()
    return tap, shown


def state(tap, shown):
    return (
        shown, tap.finish_text(), tap.content, tap.done, tap.error, tap.finished, tap.model,
        tap.text_bytes, tap.usage, tap.stream_id, tap.sequence,
    )  # fmt: skip


def test_everything_from_the_finish_on_is_held():
    tap, shown = run([WHOLE])
    assert shown == WHOLE[: -len(END)] and tap.finish_text() == END
    assert (tap.finished, tap.done, tap.content, tap.error) == (True, True, True, None)
    assert (tap.stream_id, tap.sequence, tap.model) == ("msg_1", 0, "up")
    assert tap.usage == Usage(input=4, output=2)
    assert tap.text_bytes == 4


def test_a_beginning_is_no_content_but_a_call_is():
    tap, _ = run([START + OPEN + PING])
    assert not tap.content and not tap.finished
    empty = frames.block_delta(0, {"type": "text_delta", "text": ""})
    assert not run([START + OPEN + empty])[0].content
    call = {"type": "tool_use", "id": "t", "name": "n", "input": {}}
    assert run([START + frames.block_start(0, call)])[0].content
    signed = frames.block_delta(0, {"type": "signature_delta", "signature": "s"})
    assert run([START + signed])[0].content


def test_figures_without_a_stop_reason_do_not_hold():
    figures = frames.frame({
        "type": "message_delta", "delta": {"stop_reason": None}, "usage": {"output_tokens": 9},
    })  # fmt: skip
    tap, shown = run([START + OPEN + TEXT + figures + MORE])
    assert shown.endswith(MORE) and not tap.finished
    assert tap.usage == Usage(input=3, output=9)


@pytest.mark.parametrize("content", [b"", OPEN + TEXT])
def test_an_error_is_held_and_named(content):
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    tap, shown = run([START + content + frames.frame(error) + MORE])
    assert shown == START + content
    assert tap.error is not None and tap.error.status == 529
    assert not tap.finished and tap.content == bool(content)


def test_an_error_by_its_name_alone_is_one():
    assert run([START + b"event: error\ndata: {}\n\n"])[0].error is not None


def test_a_page_is_no_stream():
    assert run([b"<html>\n\n"])[0].error == NOT_SSE


def test_a_mapped_model_is_renamed_once_and_nothing_else():
    result = {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}}
    block = frames.block_start(0, result)
    tap, shown = run([START + block], rename="mine")
    assert shown == START.replace(b'"up"', b'"mine"') + block
    assert tap.model == "up"
    assert run([WHOLE], rename="mine")[1] == run([WHOLE])[1].replace(b'"up"', b'"mine"')


def test_a_second_start_is_ignored():
    second = frames.message_start("msg_2", "other", {"input_tokens": 999, "output_tokens": 0})
    tap, _ = run([START + OPEN + second + TEXT])
    assert (tap.stream_id, tap.model, tap.usage) == ("msg_1", "up", Usage(input=3, interim=True))


def ended(tap, shown, used=None):
    events = oracle.events(shown + tap.length_ending(used or Usage(input=3, output=7)))
    for event in events:
        if event["type"] != "ping":
            oracle.strict_event(event)
    oracle.check_grammar([event for event in events if event["type"] != "ping"])
    return oracle.accumulated(events)


@pytest.mark.parametrize("drop", range(7))
@pytest.mark.parametrize("tail", [b"", CLOSE + END])
def test_a_cut_stream_ends_for_length(drop, tail):
    sent = [START, OPEN, TEXT, CLOSE, *(
        part.replace(b'"index":0', b'"index":1') for part in (OPEN, TEXT, MORE)
    )]  # fmt: skip
    tap = MessagesTap()
    shown = [tap.feed(piece) for piece in sent]
    tap.feed(tail.replace(b'"index":0', b'"index":1'))
    tap.close()
    kept = shown[: len(shown) - drop]
    # What passed after the cut waits for money; the close of the second block does so too.
    waiting = b"".join(shown[len(shown) - drop :])
    if tail:
        waiting += CLOSE.replace(b'"index":0', b'"index":1')
    tap.unsay(waiting)
    message = ended(tap, b"".join(kept))
    assert message.stop_reason == "max_tokens"
    assert oracle.figures(message.usage)[:2] == (3, 7)
    assert len(message.content) == max(1, 2 if drop < 3 else 1)


def test_a_cut_before_anything_was_seen_still_is_a_message():
    tap, shown = run([START + OPEN + TEXT], rename="mine")
    tap.unsay(shown)
    message = ended(tap, b"")
    assert (message.id, message.model) == ("msg_1", "mine")
    assert [block.text for block in message.content] == [""]


@pytest.mark.parametrize("silent", [True, False])
def test_an_end_after_the_finish_is_made_whole(silent):
    tap = MessagesTap()
    shown = tap.feed(WHOLE[: -len(frames.MESSAGE_STOP)])
    assert shown + tap.closing(silent=silent) == WHOLE
    tap, shown = run([WHOLE])
    assert shown + tap.closing(silent=True) == WHOLE
    assert run([START + OPEN + TEXT])[0].closing(silent=True) == b""


def test_every_cut_of_a_short_stream_says_the_same():
    expected = state(*run([WHOLE], "mine"))
    for at in range(len(WHOLE) + 1):
        assert state(*run([WHOLE[:at], WHOLE[at:]], "mine")) == expected, at


@given(st.lists(st.integers(0, len(WHOLE))), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_chunks_and_line_ends_mean_nothing(points, line_end):
    sent = WHOLE.replace(b"\n", line_end)
    points = sorted({point * len(sent) // len(WHOLE) for point in points} | {0, len(sent)})
    pieces = [sent[a:b] for a, b in pairwise(points)]
    tap, shown = run(pieces)
    # A lone carriage return may be half a line end, so the last frame can be found at the end only.
    assert shown + tap.finish_text() == sent
    assert state(tap, b"")[2:] == state(*run([WHOLE]))[2:]


@given(st.binary())
def test_no_bytes_raise(data):
    tap, shown = run([START, b"data: " + data + b"\n\n", data])
    assert shown.startswith(START)
    tap.unsay(data)
    tap.length_ending(Usage())


def _last_figures(events):
    figures = None
    for event in events:
        if event["type"] == "message_start":
            figures = figures or event["message"].get("usage")
        elif event["type"] == "message_delta":
            figures = merged_usage(figures, event.get("usage"))
    return figures


def test_recorded_streams_pass_byte_by_byte(corpus):
    streams = oracle.recorded(corpus, streams=True)
    assert len(streams) > 150
    for one in streams:
        tap, shown = run([one.sse])
        assert shown + tap.finish_text() == one.sse, one.file
        assert tap.finished and tap.done and tap.error is None, one.file
        figures = _last_figures(one.events())
        assert tap.usage == usage_from(figures), one.file
        message = oracle.accumulated(one.events())
        assert oracle.figures(figures) == oracle.figures(message.usage), one.file
        said = oracle.said(message.content)
        others = [block for block in message.content if block.type not in {"text", "thinking"}]
        assert tap.content == bool(said["text"] or said["thinking"] or others), one.file
        size = len(said["text"].encode()) + sum(len(t.encode()) for t, _ in said["thinking"])
        assert tap.text_bytes >= size, one.file


def test_recorded_streams_are_the_same_in_any_chunks(corpus):
    randomly = random.Random(7)
    for one in oracle.recorded(corpus, streams=True):
        expected = state(*run([one.sse], "mine"))
        points = sorted(randomly.sample(range(len(one.sse)), min(40, len(one.sse) - 1)))
        pieces = [one.sse[a:b] for a, b in zip([0, *points], [*points, None], strict=True)]
        assert state(*run(pieces, "mine")) == expected, one.file
        assert state(*run(one.chunks(), "mine")) == expected, one.file
        assert state(*run(Framer().feed(one.sse), "mine")) == expected, one.file


def test_recorded_streams_can_be_ended_after_every_frame(corpus):
    for one in oracle.recorded(corpus, streams=True)[:60]:
        if not oracle.is_strict(one.events()):
            continue
        sent = Framer().feed(one.sse)[:40]
        for at in range(1, len(sent)):
            tap = MessagesTap()
            kept = b"".join([tap.feed(frame) for frame in sent[:at]])
            rest = b"".join([tap.feed(frame) for frame in sent[at:]])
            tap.unsay(rest)
            if tap.finished and not rest:
                continue
            ending = oracle.events(tap.length_ending(Usage(output=1)))
            events = [
                json.loads(line[5:]) for line in kept.decode().splitlines() if line[:5] == "data:"
            ]
            whole = [event for event in [*events, *ending] if event["type"] != "ping"]
            oracle.check_grammar(whole)
            assert oracle.accumulated(whole).stop_reason == "max_tokens", (one.file, at)
