"""Owns the pretend vendor's HTTP answers: heads, framing and the faults that a script asks for.

Pure: values in, bytes out. It must not know of sockets, nor of any vendor's JSON.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice

from tollbridge.demo.fake_errors import OPENAI, Tongue, broken_chat
from tollbridge.demo.fake_openai import Event
from tollbridge.demo.fake_script import Script

_GZIP_WINDOW = 31
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection", "keep-alive"})
_FLOOD_LINE = b"x-fake-flood-%d: " + b"f" * 80 + b"\r\n"
LAST_CHUNK = b"0\r\n\r\n"
JSON = b"content-type: application/json\r\n"
SSE = b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
_status_lines = {
    status.value: b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode()) for status in HTTPStatus
}


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer. `first` leaves in one write; `events` follow; `reset` cuts the connection.

    `tokens` are delivered with `first`. `close` ends the connection after a whole answer.
    """

    first: bytes
    events: Iterator[Event] | None = None
    tokens: int = 0
    delay_ms: int = 0
    reset: bool = False
    close: bool = False
    hang: bool = False
    status: int = 200


@dataclass(frozen=True, slots=True)
class Recording:
    """A stored answer, served byte for byte in the chunks it was given in."""

    status: int
    headers: bytes
    chunks: tuple[bytes, ...]
    streamed: bool


class Cut(Exception):
    """Raised by an event iterator where the connection is to be reset."""


def json_reply(status: int, body: bytes, headers: bytes = b"") -> Reply:
    """Return a plain JSON answer."""
    return Reply(head(status, JSON + headers, len(body)) + body, status=status)


def head(status: int, headers: bytes, length: int | None) -> bytes:
    """Return a response head; a length of None announces a chunked body."""
    line = _status_lines.get(status) or b"HTTP/1.1 %d Unknown\r\n" % status
    size = (
        b"transfer-encoding: chunked\r\n\r\n"
        if length is None
        else b"content-length: %d\r\n\r\n" % length
    )
    return line + b"server: fake-upstream\r\n" + headers + size


def chunk(data: bytes) -> bytes:
    """Return bytes framed as one HTTP chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def refusal(script: Script, message: str, tongue: Tongue = OPENAI) -> Reply:
    """Return the scripted failure in a vendor's own words."""
    headers = _extra_headers(script) + tongue.headers
    if script.retry_after is not None and tongue.waits:
        headers += b"retry-after: %d\r\n" % script.retry_after
    body = tongue.error(script.status, script.error_text or message, script)
    reply = json_reply(script.status, body, headers)
    return Reply(reply.first, delay_ms=script.delay_ms, status=script.status)


def redirect(script: Script) -> Reply:
    """Return a 307 to the scripted address, or to a path that does not exist here."""
    target = script.redirect if isinstance(script.redirect, str) else "/moved"
    return Reply(
        head(307, b"location: %s\r\n" % target.encode(), 0), delay_ms=script.delay_ms, status=307
    )


def unary(script: Script, body: bytes, tokens: int, kind: bytes = JSON) -> Reply:
    """Return a whole answer, JSON unless its headers say otherwise, with the script's faults."""
    headers = kind + _extra_headers(script)
    if script.gzip:
        body = _Gzip().squeeze(body, last=True)
        headers += b"content-encoding: gzip\r\n"
    lie = script.content_length_lie
    first = head(200, headers, max(0, len(body) + lie))
    cut = script.cut_body is not None
    first += body[: script.cut_body] if cut else body
    return Reply(first, tokens=tokens, delay_ms=script.delay_ms, reset=cut, close=lie != 0)


def streamed(
    script: Script,
    events: Iterable[Event],
    broken: Callable[[Script], Event] = broken_chat,
    kind: bytes = SSE,
) -> Reply:
    """Return a stream with the script's faults; each event is one HTTP chunk.

    `broken` makes the event with which the vendor breaks a stream.
    """
    headers = kind + _extra_headers(script)
    steps = _joined(_faulty(_paused(iter(events), script), script, broken), script.coalesce)
    if script.gzip:
        headers += b"content-encoding: gzip\r\n"
        steps = _squeezed(steps)
    return Reply(head(200, headers, None), _framed(steps), delay_ms=script.delay_ms)


def recorded(recording: Recording, script: Script) -> Reply:
    """Return a stored answer; each of its chunks is a write of its own."""
    headers = recording.headers + _extra_headers(script)
    chunks = recording.chunks
    events = iter(
        [Event(part, pause_ms=script.event_delay_ms if at else 0) for at, part in enumerate(chunks)]
    )
    if recording.streamed:
        return Reply(
            head(recording.status, headers, None),
            _framed(events),
            0,
            script.delay_ms,
            status=recording.status,
        )
    size = sum(map(len, chunks))
    return Reply(
        head(recording.status, headers, size), events, 0, script.delay_ms, status=recording.status
    )


def recording(status: int, headers: Mapping[str, str], chunks: Iterable[bytes]) -> Recording:
    """Build a recording; headers that frame a message are dropped, as the framing is made anew.

    It is chunked when it was, or when it is an event stream.
    """
    kept = [
        (name.lower(), value) for name, value in headers.items() if name.lower() not in _FRAMING
    ]
    lines = b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in kept)
    streamed = any(
        (name.lower(), value) == ("transfer-encoding", "chunked")
        or (name.lower() == "content-type" and "event-stream" in value)
        for name, value in headers.items()
    )
    return Recording(status, lines, tuple(part for part in chunks if part), streamed)


def _extra_headers(script: Script) -> bytes:
    if not script.headers and not script.header_flood:
        return b""
    own = b"".join(f"{name}: {value}\r\n".encode() for name, value in script.headers.items())
    return own + b"".join(_FLOOD_LINE % index for index in range(script.header_flood))


def _paused(events: Iterator[Event], script: Script) -> Iterator[Event]:
    """Put the one scripted silence before its event."""
    return events if script.pause_after is None else _silence(events, script, script.pause_after)


def _silence(events: Iterator[Event], script: Script, before: int) -> Iterator[Event]:
    for at, event in enumerate(events):
        pause = script.pause_ms if at == before else 0
        yield Event(event.data, event.tokens, event.pause_ms + pause)


def _faulty(
    events: Iterator[Event], script: Script, broken: Callable[[Script], Event]
) -> Iterator[Event]:
    """Break the stream after the scripted number of events, by an error event or by a cut."""
    if script.error_event_after is not None:
        yield from islice(events, script.error_event_after)
        yield broken(script)
    elif script.cut_after is not None:
        yield from islice(events, script.cut_after)
        raise Cut
    else:
        yield from events


def _joined(events: Iterator[Event], count: int) -> Iterator[Event]:
    """Put several events into one write; what was collected before a cut is still sent."""
    if count == 1:
        yield from events
        return
    cut = False
    while not cut:
        batch: list[Event] = []
        try:
            batch.extend(islice(events, 1))
            for _ in range(count - 1):
                batch.extend(islice(events, 1))
        except Cut:
            cut = True
        if not batch:
            break
        data = b"".join(event.data for event in batch)
        yield Event(data, sum(event.tokens for event in batch), batch[0].pause_ms)
    if cut:
        raise Cut


def _squeezed(events: Iterator[Event]) -> Iterator[Event]:
    gzip = _Gzip()
    for event in events:
        yield Event(gzip.squeeze(event.data), event.tokens, event.pause_ms)
    yield Event(gzip.squeeze(b"", last=True))


def _framed(events: Iterator[Event]) -> Iterator[Event]:
    for event in events:
        yield Event(chunk(event.data), event.tokens, event.pause_ms)
    yield Event(LAST_CHUNK)


class _Gzip:
    """Squeezes a body piece by piece so that each piece can be read as soon as it arrives."""

    def __init__(self) -> None:
        self._press = zlib.compressobj(wbits=_GZIP_WINDOW)

    def squeeze(self, data: bytes, *, last: bool = False) -> bytes:
        return self._press.compress(data) + self._press.flush(
            zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH
        )
