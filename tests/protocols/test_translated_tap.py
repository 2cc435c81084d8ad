"""Proof of a stream that is translated: what passes when, what is held, and that a cut is no end."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tollbridge.protocols.abilities import Addressee, abilities_of
from tollbridge.protocols.answer import Identity
from tollbridge.protocols.conversation import Wire
from tollbridge.protocols.sse import FRAME_MAX, Framer, data_of, event_of
from tollbridge.protocols.tap import NOT_SSE, TOO_LARGE
from tollbridge.protocols.translated_tap import TranslatedTap
from tollbridge.protocols.translation import Translation, read_request

IDENTITY = Identity("t1", 1_700_000_000, "asked", renamed=True)
SAID = [{"role": "user", "content": "hello"}]
BODIES = {
    Wire.CHAT: {
        "model": "asked", "messages": SAID, "stream": True,
        "stream_options": {"include_usage": True},
    },
    Wire.RESPONSES: {"model": "asked", "input": "hello", "stream": True},
    Wire.MESSAGES: {"model": "asked", "messages": SAID, "max_tokens": 9, "stream": True},
    Wire.GEMINI: {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]},
}  # fmt: skip
PLATFORM = {
    Wire.CHAT: "openai",
    Wire.RESPONSES: "openai",
    Wire.MESSAGES: "anthropic",
    Wire.GEMINI: "gemini",
}


def event(value, name=""):
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + msgspec.json.encode(value) + b"\n\n"


def typed(kind, **fields):
    return event({"type": kind, **fields}, kind)


def chat(delta=None, finish=None, index=0, **more):
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish}
    return event({"id": "c", "model": "up", "choices": [choice], **more})


def delta(text):
    return typed("content_block_delta", index=0, delta={"type": "text_delta", "text": text})


# Each upstream says "one two", ends, and then tells 5 tokens in and 7 out.
BEGIN, TEXT, FINISH, FIGURES, DONE = range(5)
STREAMS = {
    Wire.CHAT: [
        chat({"role": "assistant", "content": ""}),
        chat({"content": "one "}) + chat({"content": "two"}),
        chat(finish="stop"),
        event({"id": "c", "model": "up", "choices": [],
               "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}}),
        b"data: [DONE]\n\n",
    ],
    Wire.MESSAGES: [
        typed("message_start", message={
            "id": "msg_1", "type": "message", "role": "assistant", "model": "up", "content": [],
            "usage": {"input_tokens": 5, "output_tokens": 1}})
        + typed("content_block_start", index=0, content_block={"type": "text", "text": ""})
        + typed("ping"),
        delta("one ") + delta("two"),
        typed("content_block_stop", index=0)
        + typed("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None},
                usage={"output_tokens": 7}),
        b"",
        typed("message_stop"),
    ],
    Wire.GEMINI: [
        b": hello\n\n",
        b"".join(event({"modelVersion": "up", "responseId": "r", "candidates": [
            {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}]})
            for text in ("one ", "two")),
        event({"modelVersion": "up", "candidates": [{"finishReason": "STOP", "index": 0}],
               "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 7,
                                 "totalTokenCount": 12}}),
        b"",
        b"",
    ],
    Wire.RESPONSES: [
        typed("response.created", sequence_number=0,
              response={"id": "resp_1", "model": "up", "status": "in_progress", "output": []})
        + typed("response.output_item.added", sequence_number=1, output_index=0,
                item={"id": "msg_1", "type": "message", "role": "assistant", "content": []})
        + typed("response.content_part.added", sequence_number=2, item_id="msg_1",
                output_index=0, content_index=0,
                part={"type": "output_text", "text": "", "annotations": []}),
        b"".join(typed("response.output_text.delta", sequence_number=3, item_id="msg_1",
                       output_index=0, content_index=0, delta=text) for text in ("one ", "two")),
        typed("response.completed", sequence_number=5, response={
            "id": "resp_1", "model": "up", "status": "completed",
            "output": [{"id": "msg_1", "type": "message", "role": "assistant",
                        "content": [{"type": "output_text", "text": "one two",
                                     "annotations": []}]}],
            "usage": {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}}),
        b"",
        b"",
    ],
}  # fmt: skip
PAIRS = [(client, vendor) for client in Wire for vendor in Wire if client is not vendor]


def tap_for(client=Wire.CHAT, vendor=Wire.MESSAGES, copies=1, **fields):
    body = msgspec.json.encode({**BODIES[client], **fields})
    conversation = read_request(client, body, model="asked", stream=True)
    to = Addressee("sent", abilities_of(PLATFORM[vendor], "sent"), 1_000)
    return TranslatedTap(Translation(conversation, vendor, to), IDENTITY, copies)


def run(stream, *args, **kwargs):
    tap = tap_for(*args, **kwargs)
    shown = b"".join([tap.feed(piece) for piece in stream])
    tap.close()
    return tap, shown


def frames(data):
    return Framer().feed(data)


def is_ended(client, data):
    """Say whether a client would take these frames for a whole answer."""
    last = frames(data)[-1] if frames(data) else b""
    if client is Wire.CHAT:
        return data_of(last) == b"[DONE]" or b'"finish_reason":"' in data
    if client is Wire.GEMINI:
        return b'"finishReason"' in data
    return event_of(last) in {b"message_stop", b"response.completed", b"response.incomplete"}


@pytest.mark.parametrize(("client", "vendor"), PAIRS)
def test_text_passes_at_once_and_the_end_is_held_with_its_figures(client, vendor):
    stream, tap = STREAMS[vendor], tap_for(client, vendor)
    tap.feed(stream[BEGIN])
    assert not tap.content
    assert b"one " in tap.feed(stream[TEXT])
    assert (tap.content, tap.finished, tap.text_bytes, tap.model) == (True, False, 7, "up")
    assert tap.feed(stream[FINISH]) == b""
    assert tap.finished
    for late in stream[FIGURES:]:
        assert tap.feed(late) == b""
    tap.close()
    assert (tap.usage.input, tap.usage.output, tap.error) == (5, 7, None)
    assert is_ended(client, tap.finish_text())
    assert tap.closing(silent=True) == tap.finish_text()


@pytest.mark.parametrize(("client", "vendor"), PAIRS)
@given(st.data())
@settings(max_examples=15)
def test_the_size_of_the_chunks_does_not_matter(client, vendor, data):
    stream = b"".join(STREAMS[vendor])
    points = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=9)))
    pieces = [stream[a:b] for a, b in zip([0, *points], [*points, len(stream)], strict=True)]
    whole, shown = run([stream], client, vendor)
    tap, pieced = run(pieces, client, vendor)
    assert (pieced, tap.finish_text()) == (shown, whole.finish_text())
    assert (tap.usage, tap.text_bytes, tap.model) == (whole.usage, whole.text_bytes, whole.model)
    assert is_ended(client, pieced + tap.finish_text())


@pytest.mark.parametrize(("client", "vendor"), PAIRS)
@pytest.mark.parametrize("after", [BEGIN, TEXT])
def test_a_cut_is_never_an_end(client, vendor, after):
    tap, shown = run(STREAMS[vendor][: after + 1], client, vendor)
    assert not (tap.finished or tap.done)
    assert not is_ended(client, shown + tap.finish_text())
    assert tap.error is None


@pytest.mark.parametrize(("client", "vendor"), PAIRS)
def test_the_vendors_end_mark_without_a_finish_is_a_cut_too(client, vendor):
    stream = STREAMS[vendor]
    mark = stream[DONE] or b"data: [DONE]\n\n"
    tap, shown = run([*stream[: TEXT + 1], mark], client, vendor)
    assert not (tap.finished or tap.done)
    assert not is_ended(client, shown + tap.finish_text())


@pytest.mark.parametrize(("client", "vendor"), PAIRS)
def test_a_finish_without_figures_or_end_mark_is_an_end(client, vendor):
    tap, shown = run(STREAMS[vendor][: FINISH + 1], client, vendor)
    assert tap.finished
    assert is_ended(client, shown + tap.finish_text())


def test_text_before_the_finish_passes_also_when_both_come_in_one_piece():
    stream = STREAMS[Wire.MESSAGES]
    tap = tap_for()
    assert b"two" in tap.feed(b"".join(stream))
    assert tap.finished
    assert tap.finish_text() == b""
    tap.close()
    assert is_ended(Wire.CHAT, tap.finish_text())


def test_closing_twice_says_the_end_once():
    tap, _ = run(STREAMS[Wire.MESSAGES])
    before = tap.finish_text()
    tap.close()
    assert tap.finish_text() == before
    assert before.count(b"[DONE]") == 1


def test_what_follows_the_end_mark_is_not_read():
    stream = STREAMS[Wire.MESSAGES]
    late = typed("error", error={"type": "api_error", "message": "late"}) + delta("late")
    tap, shown = run([*stream, late])
    assert (tap.error, tap.text_bytes, tap.finished) == (None, 7, True)
    assert b"late" not in shown + tap.finish_text()
    tap, shown = run([*STREAMS[Wire.CHAT], chat({"content": "late"})], Wire.MESSAGES, Wire.CHAT)
    assert (tap.done, tap.text_bytes) == (True, 7)
    assert b"late" not in shown + tap.finish_text()


def test_text_after_a_finish_is_held_with_it():
    stream = STREAMS[Wire.CHAT]
    tap = tap_for(Wire.MESSAGES, Wire.CHAT)
    tap.feed(b"".join(stream[: FINISH + 1]))
    assert tap.feed(chat({"content": "more"})) == b""
    assert tap.text_bytes == 11


@pytest.mark.parametrize("client", [Wire.CHAT, Wire.RESPONSES, Wire.GEMINI])
@pytest.mark.parametrize("after", [BEGIN, TEXT, FINISH])
def test_an_error_ends_what_passes_and_no_end_is_written(client, after):
    error = typed("error", error={"type": "overloaded_error", "message": "busy"})
    stream = STREAMS[Wire.MESSAGES]
    tap, shown = run([*stream[: after + 1], error + delta("late")], client)
    assert (tap.error.type, tap.error.message) == ("overloaded_error", "busy")
    assert b"late" not in shown
    assert not is_ended(client, shown + tap.finish_text())


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b'{"error":{"type":"t","message":"m"}}\n\n', "t"), (b"<html></html>\n\n", NOT_SSE.type),
     (b"[1]\n\n", NOT_SSE.type), (b'{"a":1}', NOT_SSE.type)],
)  # fmt: skip
def test_what_is_no_event_stream_is_an_error(body, kind):
    tap, shown = run([body])
    assert (tap.error.type, shown, tap.content) == (kind, b"", False)


@pytest.mark.parametrize("noise", [b": ping\n\n", b"\n\n", b"data: nonsense\n\n", b"data: [1]\n\n",
                                   b"<!-- a proxy -->\n\n", b"event: ping\n\n", b"data:\n\n"])  # fmt: skip
def test_noise_between_frames_changes_nothing(noise):
    stream = STREAMS[Wire.MESSAGES]
    whole, shown = run(stream)
    tap, noisy = run([piece + noise for piece in stream])
    assert (noisy, tap.finish_text()) == (shown, whole.finish_text())
    assert (tap.error, tap.finished) == (None, True)


def test_a_frame_without_end_is_a_fault():
    tap = tap_for()
    piece = b"x" * (8 * 1024 * 1024)
    for _ in range(FRAME_MAX // len(piece) + 2):
        tap.feed(piece)
    assert tap.error is TOO_LARGE


def candidates(*indices, finish=None, text=""):
    made = []
    for index in indices:
        one = {"index": index, "content": {"role": "model", "parts": [{"text": text}]}}
        made.append({**one, "finishReason": finish} if finish else one)
    return event({"modelVersion": "up", "candidates": made})


def test_with_several_choices_all_have_to_end():
    both = candidates(0, 1, text="a")
    tap = tap_for(Wire.CHAT, Wire.GEMINI, 2, n=2)
    tap.feed(both + candidates(0, finish="STOP"))
    assert not tap.finished
    tap.feed(candidates(1, finish="STOP"))
    assert tap.finished
    tap, shown = run([both, candidates(0, finish="STOP")], Wire.CHAT, Wire.GEMINI, 2, n=2)
    assert not (tap.finished or tap.done)
    assert b"[DONE]" not in shown + tap.finish_text()


def test_fewer_choices_than_asked_for_that_all_ended_are_an_end():
    stream = [candidates(0, text="a"), candidates(0, finish="STOP")]
    tap, shown = run(stream, Wire.CHAT, Wire.GEMINI, 2, n=2)
    assert tap.finished
    assert is_ended(Wire.CHAT, shown + tap.finish_text())


def test_what_only_the_start_tells_is_interim():
    tap = tap_for()
    tap.feed(b"".join(STREAMS[Wire.MESSAGES][: TEXT + 1]))
    assert (tap.usage.input, tap.usage.interim) == (5, True)
    tap.feed(STREAMS[Wire.MESSAGES][FINISH])
    assert (tap.usage.output, tap.usage.interim) == (7, False)
    assert tap_for().usage is None


def test_every_frame_bears_the_clients_name_of_the_model():
    for client, vendor in PAIRS:
        tap, shown = run(STREAMS[vendor], client, vendor)
        assert b'"up"' not in shown + tap.finish_text()
        assert b'"asked"' in shown + tap.finish_text()


def test_frames_of_responses_are_numbered_on_from_what_has_passed():
    stream = STREAMS[Wire.MESSAGES]
    tap = tap_for(Wire.RESPONSES)
    assert (tap.sequence, tap.stream_id) == (0, "")
    shown = tap.feed(b"".join(stream[: TEXT + 1]))
    numbers = [json.loads(data_of(one))["sequence_number"] for one in frames(shown)]
    assert numbers == list(range(len(numbers)))
    assert tap.sequence == len(numbers)
    assert tap.stream_id == json.loads(data_of(frames(shown)[0]))["response"]["id"]
    # What is held may never be seen: an error of ours counts on from what was.
    tap.feed(b"".join(stream[FINISH:]))
    tap.close()
    assert tap.sequence == len(numbers)


def test_a_chat_keeps_its_id_and_has_no_numbers():
    tap, shown = run(STREAMS[Wire.MESSAGES])
    ids = {json.loads(data_of(one))["id"] for one in frames(shown)}
    assert ids == {tap.stream_id}
    assert tap.sequence == 0


@pytest.mark.parametrize(("client", "vendor"), PAIRS)
def test_what_was_produced_is_the_same_by_the_clients_frames(client, vendor):
    tap, shown = run(STREAMS[vendor], client, vendor)
    assert tap.produced(shown) == tap.text_bytes == 7


def test_it_is_held_for_in_whole_so_nothing_is_taken_back_and_nothing_ended_early():
    tap, shown = run(STREAMS[Wire.MESSAGES])
    tap.unsay(shown)
    assert (tap.text_bytes, tap.finished, tap.length_ending(tap.usage)) == (7, True, b"")


@given(st.sampled_from(PAIRS), st.lists(st.binary(max_size=30), max_size=5))
def test_no_bytes_raise_and_none_are_an_end(pair, pieces):
    tap, _ = run([b"data: " + piece + b"\n\n" for piece in pieces] + pieces, *pair)
    assert not tap.finished
