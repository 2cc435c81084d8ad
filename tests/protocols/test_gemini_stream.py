"""Same-protocol Gemini streams: what passes, what is held, and what the tap knows at the end."""

import json

import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols import recordings
from tollbridge.protocols.answer import Identity
from tollbridge.protocols.gemini_parts import text_size
from tollbridge.protocols.gemini_stream import GeminiTap
from tollbridge.protocols.gemini_usage import usage_from
from tollbridge.protocols.tap import NOT_SSE
from tollbridge.protocols.usage import Usage


def frame(*parts, finish=None, index=None, end=b"\r\n\r\n", **fields):
    candidate = {"content": {"parts": list(parts), "role": "model"}}
    if finish:
        candidate["finishReason"] = finish
    if index is not None:
        candidate["index"] = index
    chunk = {"candidates": [candidate], "modelVersion": "up", "responseId": "r", **fields}
    return b"data: " + json.dumps(chunk).encode() + end


TEXT = frame({"text": "hi"})
FIGURES = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}
STOP = frame({"text": ""}, finish="STOP", usageMetadata=FIGURES)


def run(pieces, **options):
    tap = GeminiTap(**options)
    shown = b"".join([tap.feed(piece) for piece in pieces])
    tap.close()
    return tap, shown


def facts(tap):
    return (
        tap.content,
        tap.text_bytes,
        tap.finished,
        tap.done,
        tap.usage,
        tap.model,
        tap.stream_id,
        tap.error,
    )


def test_everything_from_the_finish_on_is_held_and_the_end_is_the_upstreams():
    tap = GeminiTap()
    assert tap.feed(TEXT + TEXT) == TEXT + TEXT
    assert tap.content
    assert tap.feed(STOP + TEXT) == b""
    assert tap.finished
    assert not tap.done
    tap.close()
    assert tap.done
    assert tap.finish_text() == STOP + TEXT
    assert tap.usage == Usage(input=3, output=2)
    assert (tap.model, tap.stream_id, tap.sequence) == ("up", "r", 0)
    assert tap.text_bytes == 6


def test_a_stream_without_a_finish_is_cut():
    tap, shown = run([TEXT])
    assert shown == TEXT
    assert not tap.finished
    assert not tap.done


def test_the_last_of_several_candidates_ends_the_stream():
    one = frame({"text": "a"}, finish="STOP", index=0)
    two = frame({"text": "b"}, finish="MAX_TOKENS", index=1)
    tap, shown = run([one, TEXT, two], copies=2)
    assert shown == one + TEXT
    assert tap.finish_text() == two
    assert tap.done


def test_fewer_candidates_than_asked_for_are_an_end_only_at_the_upstreams():
    tap = GeminiTap(copies=2)
    assert tap.feed(STOP) == STOP
    assert not tap.finished
    tap.close()
    assert tap.done
    other, _ = run([STOP, frame({"text": "b"}, index=1)], copies=2)
    assert not other.done


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ({"text": "x", "thought": True}, True),
        ({"functionCall": {"name": "f"}}, True),
        ({"inlineData": {"data": "AA==", "mimeType": "image/png"}}, True),
        ({"text": "", "thoughtSignature": "AA=="}, False),
    ],
)
def test_content_is_a_part_with_a_payload(part, content):
    assert run([frame(part)])[0].content is content


def test_the_last_usage_counts_and_an_empty_one_does_not():
    frames = [
        frame({"text": "a"}, usageMetadata=FIGURES),
        frame({"text": "a"}, usageMetadata={"promptTokenCount": 2}),
        frame({"text": "a"}, usageMetadata={"trafficType": "ON_DEMAND"}),
    ]
    assert run(frames)[0].usage == Usage(input=2)


def test_searches_are_counted_once():
    candidate = {"groundingMetadata": {"webSearchQueries": ["a", "b"]}}
    found = b"data: " + json.dumps({"candidates": [candidate], "usageMetadata": FIGURES}).encode()
    assert run([found + b"\n\n", found + b"\n\n", STOP])[0].usage.web_search == 2


def test_a_refused_prompt_is_a_finish():
    refused = b'data: {"promptFeedback":{"blockReason":"SAFETY"}}\r\n\r\n'
    tap, shown = run([refused])
    assert shown == b""
    assert tap.finish_text() == refused
    assert tap.done
    assert not tap.content


ERROR = {"error": {"code": 499, "message": "gone", "status": "CANCELLED"}}


@pytest.mark.parametrize(
    "error",
    [
        b"data: " + json.dumps(ERROR).encode() + b"\r\n\r\n",
        json.dumps(ERROR, indent=2).encode(),
        json.dumps([ERROR], indent=2).encode() + b"\n",
    ],
)
def test_errors_in_a_stream_in_any_form(error):
    tap, shown = run([TEXT, error])
    assert shown == TEXT
    assert (tap.error.type, tap.error.status) == ("CANCELLED", 499)
    assert not tap.done
    assert tap.finish_text() == error


def test_what_is_no_stream_is_a_fault():
    assert run([b"<html>busy</html>\n\n"])[0].error == NOT_SSE
    assert run([b"[1]"])[0].error == NOT_SSE


def test_the_models_name_is_the_clients_and_arguments_are_not_touched():
    call = frame({"functionCall": {"name": "f", "args": {"modelVersion": "mine"}}})
    _, shown = run([call, b": \r\n\r\n"], rename='my"name')
    assert b'"args": {"modelVersion": "mine"}' in shown
    assert json.loads(shown.split(b"\r\n")[0][6:])["modelVersion"] == 'my"name'
    assert shown.endswith(b"\r\n\r\n: \r\n\r\n")


def test_a_frame_of_several_lines_is_renamed_too():
    lines = b'data: {"candidates":[],\r\ndata: "modelVersion":"up"}\r\n\r\n'
    _, shown = run([lines], rename="mine")
    assert json.loads(b"".join(line[6:] for line in shown.splitlines()))["modelVersion"] == "mine"


def test_an_end_for_length():
    tap = GeminiTap(copies=2, rename="mine", identity=Identity("own", 1, "mine"))
    tap.feed(frame({"text": "a"}, finish="STOP", index=1))
    ending = tap.length_ending(Usage(input=4, output=6))
    answer = types.GenerateContentResponse.model_validate_json(ending[6:])
    assert [candidate.index for candidate in answer.candidates] == [0]
    assert answer.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS
    assert answer.usage_metadata.total_token_count == 10
    assert (answer.model_version, answer.response_id) == ("mine", "r")
    fresh = GeminiTap(identity=Identity("own", 1, "mine")).length_ending(Usage())
    assert json.loads(fresh[6:])["responseId"] == "own"


def test_a_finish_that_nobody_saw_is_taken_back():
    tap, _ = run([TEXT, STOP])
    assert json.loads(tap.length_ending(Usage())[6:])["candidates"] == []
    tap.unsay(b"")
    assert len(json.loads(tap.length_ending(Usage())[6:])["candidates"]) == 1


def pieces(data, points):
    at = 0
    for point in sorted(points):
        yield data[at:point]
        at = point
    yield data[at:]


@given(st.sets(st.integers(0, 600), max_size=12), st.sampled_from([b"\r\n\r\n", b"\n\n"]))
def test_chunks_do_not_matter(points, end):
    data = b"".join(
        [
            frame({"text": "é", "thought": True}, end=end),
            frame({"functionCall": {"name": "f", "args": {"text": "é"}}}, end=end),
            frame({"text": "end"}, finish="STOP", end=end, usageMetadata=FIGURES),
        ]
    )
    tap, shown = run(pieces(data, {point for point in points if point < len(data)}))
    whole, _ = run([data])
    assert shown + tap.finish_text() == data
    assert facts(tap) == facts(whole)


def test_recorded_streams_pass_untouched(corpus):
    seen = 0
    for recording in recordings.load(corpus, "gemini"):
        if recording.sse is None:
            continue
        events = [event for event in recording.events() if isinstance(event, dict)]
        if not any(event.get("candidates") for event in events):
            continue
        seen += 1
        tap, shown = run([recording.sse])
        assert shown + tap.finish_text() == recording.sse, recording.file
        figures = [usage_from(event.get("usageMetadata")) for event in events]
        last = next((one for one in reversed(figures) if one is not None), None)
        mine = tap.usage
        assert (mine is None) == (last is None), recording.file
        if mine is not None:
            assert (mine.tokens_in(), mine.output) == (last.tokens_in(), last.output)
        parts = [
            part
            for event in events
            for candidate in event.get("candidates", [])
            for part in (candidate.get("content") or {}).get("parts", [])
        ]
        assert tap.text_bytes == sum(text_size(part) for part in parts), recording.file
        step = 1 if len(recording.sse) < 3000 else 97
        cut, cut_shown = run(
            recording.chunks()
            if recording.cuts
            else [recording.sse[at : at + step] for at in range(0, len(recording.sse), step)]
        )
        assert cut_shown + cut.finish_text() == recording.sse
        assert facts(cut) == facts(tap), recording.file
    assert seen > 100
