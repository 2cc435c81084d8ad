"""Frames keep every byte, whatever the chunks and line ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.sse import Framer, FrameTooLarge, data_of, event_of

ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
LINES = st.sampled_from(
    [b"data: {}", b"data:x", b": note", b"event: error", b"id", b"data: \xc3\xa9"]
)


@st.composite
def streams(draw):
    """Return a stream and its events as lists of lines."""
    events = draw(st.lists(st.lists(LINES, min_size=1, max_size=3), max_size=5))
    end = draw(ENDS)
    return b"".join(b"".join(line + end for line in lines) + end for lines in events), events


def cut(data, points):
    at = 0
    for point in sorted({min(p, len(data)) for p in points}):
        yield data[at:point]
        at = point
    yield data[at:]


@given(streams(), st.lists(st.integers(0, 200), max_size=12))
def test_any_cut_gives_the_same_frames(stream, points):
    data, events = stream
    framer = Framer()
    frames = [frame for piece in cut(data, points) for frame in framer.feed(piece)]
    rest = framer.rest()
    assert b"".join(frames) + rest == data
    # A lone CR at the very end waits for the LF that may follow; only then is there a rest.
    frames += [rest] if rest else []
    assert len(frames) == len(events)
    for frame, lines in zip(frames, events, strict=True):
        data_lines = [line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data")]
        assert data_of(frame) == (b"\n".join(data_lines) if data_lines else None)
        assert event_of(frame) == (b"error" if b"event: error" in lines else None)


@given(
    st.text(alphabet="d:\r\n a", max_size=40).map(str.encode),
    st.lists(st.integers(0, 40), max_size=8),
)
def test_no_byte_is_lost_in_anything(data, points):
    framer = Framer()
    frames = [frame for piece in cut(data, points) for frame in framer.feed(piece)]
    assert b"".join(frames) + framer.rest() == data
    assert framer.size == 0


def test_one_whole_frame_is_not_copied():
    frame = b"data: {}\n\n"
    assert Framer().feed(frame)[0] is frame


def test_mixed_line_ends():
    data = b"data: 1\r\n\r\ndata: 2\n\ndata: 3\r\rdata: 4\n\r\ndata: 5\r\n\n"
    framer = Framer()
    assert [data_of(f) for f in framer.feed(data)] == [b"1", b"2", b"3", b"4", b"5"]
    assert framer.rest() == b""


def test_a_crlf_is_one_line_end():
    framer = Framer()
    assert framer.feed(b"data: 1\r\ndata: 2\r\n") == []
    assert framer.feed(b"\r\n") == [b"data: 1\r\ndata: 2\r\n\r\n"]


def test_a_frame_without_end_is_limited():
    framer = Framer(limit=100)
    for _ in range(10):
        framer.feed(b"data: xxxx")
    with pytest.raises(FrameTooLarge):
        framer.feed(b"x")


def test_the_limit_counts_from_the_last_frame():
    framer = Framer(limit=100)
    for _ in range(50):
        assert len(framer.feed(b"xx\n\ndata: xx")) == 1


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize(
    ("lines", "name", "data"),
    [
        ([b"event: a", b"data: x"], b"a", b"x"),
        ([b"event:a", b"data:x"], b"a", b"x"),
        ([b"event:  a", b"data:"], b" a", b""),
        ([b"data: x", b"event: a"], b"a", b"x"),
        ([b"event: a", b"event: b", b"data: x"], b"b", b"x"),
        ([b"event: a", b"id: 7", b"data: x", b"data: y"], b"a", b"x\ny"),
        ([b"event: a"], b"a", None),
        ([b"eventual: a", b"data: x"], None, b"x"),
    ],
)
def test_names_and_data(lines, end, name, data):
    frame = end.join([*lines, b"", b""])
    assert (event_of(frame), data_of(frame)) == (name, data)


@pytest.mark.parametrize(
    ("frame", "data"),
    [
        (b"data:x\n\n", b"x"),
        (b"data:  x\n\n", b" x"),
        (b"data\n\n", b""),
        (b": data: x\n\n", None),
        (b"database: x\n\n", None),
        (b" data: x\n\n", None),
        (b"data: a\ndata: b\n\n", b"a\nb"),
    ],
)
def test_data_lines(frame, data):
    assert data_of(frame) == data
