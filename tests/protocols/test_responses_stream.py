"""Same-protocol streams of responses: what passes, what is held, and what the tap knows at the end."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols import recordings
from tollbridge.protocols.facts import UpstreamFault
from tollbridge.protocols.responses_stream import ResponsesTap, produced_bytes
from tollbridge.protocols.responses_usage import usage_of
from tollbridge.protocols.usage import Usage


def frame(kind, **fields):
    data = json.dumps({"type": kind, **fields}, separators=(",", ":"))
    return f"event: {kind}\ndata: {data}\n\n".encode()


def response(kind, number, **fields):
    head = {"id": "resp_1", "model": "up", "status": kind.rsplit(".")[-1]}
    return frame(
        kind, sequence_number=number, response={**head, "tools": [{"model": "own"}], **fields}
    )


CREATED = response("response.created", 0, status="in_progress", usage=None, error=None)
ADDED = frame(
    "response.output_item.added", sequence_number=1, output_index=0, item={"type": "message"}
)
TEXT = frame("response.output_text.delta", sequence_number=2, output_index=0, delta="h\u00e9")
SAID = frame("response.output_text.done", sequence_number=3, text="h\u00e9")
FIGURES = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
COMPLETED = response("response.completed", 4, usage=FIGURES, output=[])


def run(pieces, **options):
    tap = ResponsesTap(**options)
    shown = b"".join([tap.feed(piece) for piece in pieces])
    tap.close()
    return tap, shown


def facts(tap):
    known = (tap.content, tap.text_bytes, tap.finished, tap.done, tap.usage, tap.model, tap.error)
    return (*known, tap.stream_id)


def test_everything_from_the_terminal_event_on_is_held():
    tap, shown = run([CREATED, ADDED, TEXT, SAID, COMPLETED, b"data: [DONE]\n\n"])
    assert shown == CREATED + ADDED + TEXT + SAID
    assert tap.finish_text() == COMPLETED + b"data: [DONE]\n\n"
    used = Usage(input=3, output=2)
    assert facts(tap) == (True, 3, True, True, used, "up", None, "resp_1")
    assert tap.sequence == 4


@pytest.mark.parametrize(
    ("item", "content"),
    [
        ({"type": "message"}, False),
        ({"type": "message", "role": "assistant", "status": "in_progress", "content": []}, False),
        ({"type": "message", "content": [{"type": "output_text", "text": "all of it"}]}, True),
        ({"type": "function_call", "name": "look_up", "arguments": ""}, True),
        ({"type": "reasoning", "summary": []}, True),
        ("of a later version", True),
    ],
)
def test_an_item_is_content_unless_it_is_a_message_without_any(item, content):
    tap = ResponsesTap()
    tap.feed(CREATED)
    assert not tap.content
    tap.feed(frame("response.output_item.added", sequence_number=1, output_index=0, item=item))
    assert tap.content is content
    part = {"type": "output_text", "text": "", "annotations": []}
    tap.feed(frame("response.content_part.added", sequence_number=2, part=part))
    assert tap.content is content
    tap.feed(TEXT)
    assert tap.content


def test_incomplete_is_an_end_with_usage():
    tap, _ = run([CREATED, ADDED, response("response.incomplete", 2, usage=FIGURES)])
    assert (tap.finished, tap.error, tap.usage) == (True, None, Usage(input=3, output=2))


def test_failed_is_an_error_with_usage():
    error = {"code": "rate_limit_exceeded", "message": "slow"}
    tap, shown = run([CREATED, response("response.failed", 1, usage=FIGURES, error=error)])
    assert shown == CREATED
    assert tap.error == UpstreamFault("", "rate_limit_exceeded", "slow")
    assert (tap.finished, tap.usage) == (False, Usage(input=3, output=2))


@pytest.mark.parametrize(
    "fields",
    [
        {"error": {"code": "c", "message": "m", "type": ""}},
        {"code": "c", "message": "m", "param": None},
    ],
)
@pytest.mark.parametrize("before", [[CREATED], [CREATED, ADDED, TEXT]])
def test_errors_nested_and_flat(fields, before):
    tap, shown = run([*before, frame("error", sequence_number=9, **fields)])
    assert shown == b"".join(before)
    assert tap.error == UpstreamFault("", "c", "m")


def test_a_cut_stream_has_not_finished():
    tap, _ = run([CREATED, ADDED, TEXT])
    assert (tap.finished, tap.done, tap.usage) == (False, False, None)


def test_only_the_responses_own_model_is_renamed():
    tap, shown = run([CREATED, ADDED, TEXT, COMPLETED], rename="mine")
    assert shown == CREATED.replace(b'"up"', b'"mine"') + ADDED + TEXT
    assert tap.finish_text() == COMPLETED.replace(b'"up"', b'"mine"')
    assert tap.model == "up"


def test_numbers_are_those_of_what_was_shown():
    tap = ResponsesTap()
    assert tap.sequence == 0
    tap.feed(CREATED + ADDED + TEXT)
    assert tap.sequence == 3
    tap.feed(b": still there\n\n")
    assert tap.sequence == 3
    assert run([b'data: {"type":"response.created"}\n\n'])[0].sequence == 0


def test_only_deltas_count_as_produced():
    echo = response("response.created", 0, metadata={"delta": "not produced"})
    assert produced_bytes(echo + TEXT + SAID + COMPLETED) == 3
    assert produced_bytes(TEXT + TEXT) == 6
    assert produced_bytes(frame("response.output_text.delta", delta='a"\n\u00e9')) == 5


def split(data, points):
    at = 0
    for point in sorted(points):
        yield data[at:point]
        at = point
    yield data[at:]


@given(st.lists(st.integers(0, 900), max_size=6))
def test_cuts_change_nothing(points):
    data = CREATED + ADDED + TEXT + SAID + COMPLETED
    whole, shown = run([data])
    tap, pieces = run(split(data, points))
    assert (facts(tap), pieces, tap.finish_text()) == (facts(whole), shown, whole.finish_text())


def streams(corpus):
    found = recordings.load(corpus, "openai_responses")
    return [record for record in found if record.sse]


def test_every_recorded_stream_passes_byte_for_byte(corpus):
    dice = random.Random(1)
    for record in streams(corpus):
        data = record.sse
        whole, shown = run([data])
        assert shown + whole.finish_text() == data, record.file
        places = [dice.randrange(len(data) + 1) for _ in range(8)]
        for pieces in (record.chunks(), list(split(data, places))):
            tap, again = run(pieces)
            assert (facts(tap), again) == (facts(whole), shown), record.file


def test_short_recorded_streams_may_be_cut_anywhere(corpus):
    short = sorted(streams(corpus), key=lambda record: len(record.sse))[:4]
    for record in short:
        whole, shown = run([record.sse])
        for at in range(0, len(record.sse), 1 if len(record.sse) < 6000 else 17):
            tap, again = run([record.sse[:at], record.sse[at:]])
            assert (facts(tap), again) == (facts(whole), shown), record.file


def test_the_usage_of_every_recorded_stream_is_found(corpus):
    found = 0
    for record in streams(corpus):
        tap, _ = run([record.sse])
        ends = [one["response"] for one in record.events() if one.get("response", {}).get("usage")]
        assert tap.usage == (usage_of(ends[-1]) if ends else None), record.file
        said = [one["delta"] for one in record.events() if isinstance(one.get("delta"), str)]
        assert tap.text_bytes == sum(len(text.encode()) for text in said), record.file
        found += bool(ends)
    assert found > 170
