"""A stream of frames becomes one JSON array of the same chunks, however the bytes come."""

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.protocols import recordings
from tollbridge.protocols.gemini_array import HEARTBEAT, ArrayFraming

CHUNKS = st.lists(st.dictionaries(st.text(max_size=4), st.text(max_size=6), max_size=2), max_size=5)


@given(CHUNKS, st.sets(st.integers(0, 300), max_size=8), st.sampled_from(["\n\n", "\r\n\r\n"]))
def test_the_array_is_the_chunks(chunks, points, end):
    data = "".join(f"data: {json.dumps(chunk)}{end}" for chunk in chunks).encode()
    framing = ArrayFraming()
    cuts = [0, *sorted(point for point in points if point < len(data)), len(data)]
    written = [framing.open()]
    for start, stop in pairwise(cuts):
        written += [framing.more(data[start:stop]), HEARTBEAT]
    written.append(framing.close())
    assert json.loads(b"".join(written)) == chunks


def test_an_element_is_there_as_soon_as_its_frame_is():
    framing = ArrayFraming()
    assert framing.open(b'data: {"a"') == b"["
    assert framing.more(b":1}\r\n\r\n") == b'{"a":1}'
    assert framing.more(b'data: {"b":2}\n\n').endswith(b',\r\n{"b":2}')
    assert framing.close() == b"\n]\n"


def test_signs_of_life_are_whitespace_and_broken_frames_are_nothing():
    framing = ArrayFraming()
    said = framing.open(b": ping\n\n\r\n\r\n") + framing.more(b"data: {broken\n\n")
    said += framing.close(b'data: {"a":1}\n\n')
    assert json.loads(said) == [{"a": 1}]


def test_an_error_without_data_is_an_element_and_an_unfinished_frame_counts():
    framing = ArrayFraming()
    said = framing.open(b'data: {"a":1}\n\n') + framing.close(b'{"error":\n {"code": 499}}')
    assert json.loads(said) == [{"a": 1}, {"error": {"code": 499}}]
    other = ArrayFraming()
    assert json.loads(other.open() + other.close(b'data: {"a":1}')) == [{"a": 1}]
    empty = ArrayFraming()
    assert json.loads(empty.open() + empty.close()) == []


def test_recorded_streams(corpus):
    seen = 0
    for recording in recordings.load(corpus, "gemini"):
        if recording.sse is None:
            continue
        seen += 1
        framing = ArrayFraming()
        said = framing.open() + b"".join(framing.more(piece) for piece in recording.chunks())
        assert json.loads(said + framing.close()) == recording.events(), recording.file
    assert seen > 100
