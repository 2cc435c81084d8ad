"""Proof of what all taps have in common, by a protocol of one word: deltas pass, ends are held."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.chat_stream import ChatTap
from tollbridge.protocols.delta_shape import produced_bytes
from tollbridge.protocols.facts import UpstreamFault
from tollbridge.protocols.sse import FRAME_MAX
from tollbridge.protocols.tap import NOT_SSE, TAIL_MAX, TOO_LARGE, FrameTap, fitting

DELTA = b'data: {"say":"hi"}\n\n'
END = b'data: {"end":1}\n\n'
FIGURES = b'event: figures\ndata: {"figures":5}\n\n'
STREAM = DELTA + b": comment\n\n" + DELTA + END + FIGURES + DELTA


class Plain(FrameTap):
    """Says content by `say`, its end by `end`; anything but `say` is marked."""

    _rename = re.compile(rb'("model":)"[^"]*"')

    def __init__(self, rename=None):
        super().__init__(rename)
        self.seen = []

    def _marked(self, data):
        return any(word in data for word in (b'"end"', b'"figures"', b'"error"'))

    def _event(self, name, data):
        self.seen.append((name, data))
        self.content = self.content or "say" in data
        if "end" in data:
            self.finished = self._held = True
        if data.get("error"):
            self._fail(UpstreamFault("bad", "", ""))

    def produced(self, frames):
        return 2 * frames.count(b'"say":"hi"')


def run(pieces, **options):
    tap = Plain(**options)
    shown = b"".join([tap.feed(piece) for piece in pieces])
    tap.close()
    return tap, shown


def split(data, points):
    at = 0
    for point in sorted(points):
        yield data[at:point]
        at = max(at, point)
    yield data[at:]


def test_everything_from_the_finish_on_is_held_in_order():
    tap, shown = run([STREAM])
    assert shown == DELTA + b": comment\n\n" + DELTA
    assert tap.finish_text() == tap.closing(silent=True) == END + FIGURES + DELTA
    assert (tap.content, tap.finished, tap.error, tap.text_bytes) == (True, True, None, 6)


@given(st.lists(st.integers(0, len(STREAM)), max_size=12), st.sampled_from([b"\n", b"\r\n"]))
def test_the_size_of_the_chunks_does_not_matter(points, line):
    stream = STREAM.replace(b"\n", line)
    tap, shown = run(split(stream, points))
    whole, all_shown = run([stream])
    assert shown + tap.finish_text() == stream
    assert (shown, tap.text_bytes) == (all_shown, whole.text_bytes)
    assert [one for one in tap.seen if "say" not in one[1]] == [
        one for one in whole.seen if "say" not in one[1]
    ]


def test_only_marked_frames_are_looked_into_once_there_is_content():
    tap = Plain()
    assert tap.feed(DELTA) == DELTA
    for _ in range(5):
        assert tap.feed(DELTA + DELTA) == DELTA + DELTA
    assert len(tap.seen) == 1
    assert tap.text_bytes == 22
    assert tap.feed(END) == b""
    assert tap.seen[-1] == (None, {"end": 1})


def test_the_name_of_an_event_is_told():
    tap, _ = run([FIGURES])
    assert tap.seen == [(b"figures", {"figures": 5})]


def test_an_unterminated_rest_joins_the_tail():
    tap, shown = run([DELTA + b'data: {"end":2}'])
    assert shown == DELTA
    assert (tap.finish_text(), tap.finished) == (b'data: {"end":2}', True)


def test_a_mapped_models_name_is_replaced_in_what_passes_and_what_is_held():
    frame = b'data: {"say":"hi","model":"up"}\n\n'
    tap, shown = run([frame, END.replace(b'"end"', b'"model":"up","end"')], rename='a"b')
    assert shown == frame.replace(b'"up"', b'"a\\"b"')
    assert b'"model":"a\\"b"' in tap.finish_text()


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"<html>Bad gateway</html>\n\n", NOT_SSE),
        (b'{"a":1}\n\n', NOT_SSE),
        (b'{"error":{"type":"t","message":"m"}}\n\n', UpstreamFault("t", "", "m")),
        (b": hello\n\n", None),
        (b"\n\n", None),
    ],
)
def test_what_is_no_event_stream_is_an_error(body, error):
    tap, _ = run([body])
    assert tap.error == error


def test_what_stands_between_frames_is_borne_once_there_were_any():
    tap, shown = run([DELTA + b'<!-- a proxy -->\n\n{"a":1}\n\n' + END])
    assert (tap.error, tap.finished) == (None, True)
    assert shown == DELTA + b'<!-- a proxy -->\n\n{"a":1}\n\n'


def test_an_error_that_stands_between_frames_is_seen_and_ends_what_passes():
    tap = Plain()
    assert tap.feed(DELTA) == DELTA
    assert tap.feed(b'{"error":"gone"}\n\n' + DELTA) == b""
    assert tap.error == UpstreamFault("", "", "gone")
    tap = Plain()
    tap.feed(DELTA + b'data: {"error":{"x":1}}\n\n')
    tap.feed(b'{"error":"later"}\n\n')
    assert tap.error.type == "bad"


def test_a_frame_or_a_tail_without_end_is_a_fault_and_is_not_kept():
    tap = Plain()
    piece = b"x" * (8 * 1024 * 1024)
    for _ in range(FRAME_MAX // len(piece) + 2):
        assert tap.feed(piece) == b""
    assert tap.error is TOO_LARGE
    tap = Plain()
    tap.feed(END)
    big = b'data: {"pad":"' + piece + b'"}\n\n'
    for _ in range(TAIL_MAX // len(big) + 2):
        tap.feed(big)
    assert tap.error is TOO_LARGE
    assert len(tap.finish_text()) <= TAIL_MAX


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_no_bytes_raise_and_none_are_lost_before_an_error(pieces):
    tap, shown = run(pieces)
    if tap.error is None:
        rest = b"".join(pieces)[len(shown + tap.finish_text()) :]
        assert (shown + tap.finish_text() + rest) == b"".join(pieces)
        assert not rest.strip()


def test_a_tap_without_more_knows_nothing_it_was_not_told():
    tap = FrameTap()
    assert (tap.usage, tap.stream_id, tap.sequence, tap.produced(DELTA)) == (None, "", 0, 0)
    assert tap.length_ending(None) == b""
    assert not (tap.content or tap.done or tap.finished)


def said(text):
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return b"data: " + msgspec.json.encode({"choices": [choice]}) + b"\n\n"


@given(
    st.lists(st.text(max_size=20), max_size=8),
    st.integers(0, 100),
    st.sampled_from([b"\n", b"\r\n"]),
)
def test_frames_are_cut_where_the_text_does_not_fit_any_more(texts, room, line):
    frames = b"".join(map(said, texts)).replace(b"\n", line)
    fit, rest = fitting(ChatTap(), frames, room)
    assert fit + rest == frames
    assert produced_bytes(fit) <= room
    if rest:
        longer = fit + rest[: rest.index(line * 2) + 2 * len(line)] if line * 2 in rest else frames
        assert produced_bytes(longer) > room or line == b"\r\n"


def test_what_comes_after_the_first_frame_too_many_waits_with_it():
    one, two, three = said("aaa"), said("bbb"), said("")
    assert fitting(ChatTap(), one + two + three + b"data: rest", 3) == (
        one, two + three + b"data: rest"
    )  # fmt: skip
    assert fitting(ChatTap(), one + two + three, 6) == (one + two + three, b"")
