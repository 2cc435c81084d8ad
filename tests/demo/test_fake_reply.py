"""The pretend vendor's HTTP: framing, and the faults that scripts ask for."""

import gzip
import zlib
from collections.abc import Iterator

import pytest

from tollbridge.demo import fake_reply
from tollbridge.demo.fake_openai import Event
from tollbridge.demo.fake_reply import LAST_CHUNK, Cut, Reply, chunk
from tollbridge.demo.fake_script import Script

_FOUR = [Event(b"a", 1), Event(b"b", 1, 5), Event(b"c", 1, 5), Event(b"d", 1, 5)]


def parts(reply: Reply) -> Iterator[bytes]:
    assert reply.events is not None
    for event in reply.events:
        yield event.data


def body(reply: Reply) -> bytes:
    return reply.first.partition(b"\r\n\r\n")[2]


def test_unary_is_framed_by_its_length() -> None:
    reply = fake_reply.unary(Script(delay_ms=9), b"{}", 4)
    assert reply.first.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"content-length: 2\r\n\r\n{}" in reply.first
    assert (reply.tokens, reply.delay_ms, reply.reset, reply.close) == (4, 9, False, False)


def test_unary_faults() -> None:
    cut = fake_reply.unary(Script(cut_body=3), b"0123456789", 1)
    assert (body(cut), cut.reset) == (b"012", True)
    assert b"content-length: 10\r\n" in cut.first
    lie = fake_reply.unary(Script(content_length_lie=-4), b"0123456789", 1)
    assert b"content-length: 6\r\n" in lie.first
    assert lie.close
    squeezed = fake_reply.unary(Script(gzip=True), b"0123456789", 1)
    assert gzip.decompress(body(squeezed)) == b"0123456789"
    flood = fake_reply.unary(Script(header_flood=200), b"{}", 1)
    assert flood.first.count(b"x-fake-flood-") == 200


def test_streamed_is_chunked_and_ends() -> None:
    reply = fake_reply.streamed(Script(), _FOUR)
    assert b"transfer-encoding: chunked\r\n" in reply.first
    assert list(parts(reply)) == [*map(chunk, (b"a", b"b", b"c", b"d")), LAST_CHUNK]


def test_cut_after_some_events() -> None:
    stream = parts(fake_reply.streamed(Script(cut_after=2), _FOUR))
    assert [next(stream), next(stream)] == [chunk(b"a"), chunk(b"b")]
    with pytest.raises(Cut):
        next(stream)


def test_error_event_after_some_events_ends_properly() -> None:
    found = list(parts(fake_reply.streamed(Script(error_event_after=1), _FOUR)))
    assert found[0] == chunk(b"a")
    assert b'"error"' in found[1]
    assert found[2:] == [LAST_CHUNK]


def test_coalesced_events_share_a_write() -> None:
    reply = fake_reply.streamed(Script(coalesce=3), _FOUR)
    assert reply.events is not None
    first, second, last = reply.events
    assert (first.data, first.tokens, first.pause_ms) == (chunk(b"abc"), 3, 0)
    assert (second.data, second.pause_ms, last.data) == (chunk(b"d"), 5, LAST_CHUNK)


def test_coalesced_events_before_a_cut_still_leave() -> None:
    stream = parts(fake_reply.streamed(Script(coalesce=3, cut_after=2), _FOUR))
    assert next(stream) == chunk(b"ab")
    with pytest.raises(Cut):
        next(stream)


def test_squeezed_stream_can_be_read_piece_by_piece() -> None:
    reader = zlib.decompressobj(wbits=31)
    pieces = list(parts(fake_reply.streamed(Script(gzip=True), _FOUR)))
    bodies = [piece.split(b"\r\n", 1)[1][:-2] for piece in pieces[:-1]]
    assert [reader.decompress(piece) for piece in bodies] == [b"a", b"b", b"c", b"d", b""]
    assert reader.eof


def test_one_silence() -> None:
    reply = fake_reply.streamed(Script(pause_after=2, pause_ms=30), _FOUR)
    assert reply.events is not None
    assert [event.pause_ms for event in reply.events] == [0, 5, 35, 5, 0]


def test_streams_of_other_kinds_break_in_their_own_way() -> None:
    script = Script(error_event_after=1)
    broken = Event(b"broken")
    kind = b"content-type: text/plain\r\n"
    reply = fake_reply.streamed(
        script, _FOUR, lambda asked: broken if asked is script else _FOUR[0], kind
    )
    assert kind in reply.first
    assert list(parts(reply)) == [chunk(b"a"), chunk(b"broken"), LAST_CHUNK]


def test_scripted_headers() -> None:
    reply = fake_reply.unary(Script(headers={"x-a": "1"}), b"{}", 0)
    assert b"\r\nx-a: 1\r\n" in reply.first


def test_refusal_and_redirect() -> None:
    refused = fake_reply.refusal(Script(status=429, retry_after=7), "slow down")
    assert refused.first.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
    assert b"retry-after: 7\r\n" in refused.first
    assert b"slow down" in body(refused)
    assert fake_reply.refusal(Script(status=529), "x").first.startswith(b"HTTP/1.1 529 ")
    moved = fake_reply.redirect(Script(redirect="http://127.0.0.1:1/x"))
    assert (moved.status, b"location: http://127.0.0.1:1/x\r\n" in moved.first) == (307, True)


def test_recordings_keep_their_chunks() -> None:
    headers = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked", "X-A": "1"}
    stored = fake_reply.recording(200, headers, [b"da", b"", b"ta: x\n\n"])
    reply = fake_reply.recorded(stored, Script())
    assert list(parts(reply)) == [chunk(b"da"), chunk(b"ta: x\n\n"), LAST_CHUNK]
    assert b"x-a: 1\r\n" in reply.first
    assert reply.first.count(b"transfer-encoding") == 1
    plain = fake_reply.recording(418, {"content-type": "application/json"}, [b"{", b"}"])
    reply = fake_reply.recorded(plain, Script())
    assert (reply.status, list(parts(reply))) == (418, [b"{", b"}"])
    assert b"content-length: 2\r\n" in reply.first
    chunked = {"content-type": "application/json", "transfer-encoding": "chunked"}
    stored = fake_reply.recording(200, chunked, [b"[", b"]"])
    assert list(parts(fake_reply.recorded(stored, Script()))) == [
        chunk(b"["),
        chunk(b"]"),
        LAST_CHUNK,
    ]
