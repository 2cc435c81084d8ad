"""Owns one attempt at a stream: upstream bytes in, frames out, until it ended in some way.

A sink of the upstream client and the watcher of the client, all in callbacks on the loop: no
task and no queue a frame. It holds back the start until first content and everything from the
finish on; it decides nothing about money (architecture.md, "One request", steps 5 and 6).
"""

import asyncio
from enum import StrEnum
from typing import Protocol

from tollbridge.protocols.chat_stream import ChatTap
from tollbridge.relay.checkpoint import Checkpoints
from tollbridge.relay.outlet import Outlet
from tollbridge.upstreams.failures import Reason, UpstreamFailure

_PRELUDE_MAX_BYTES = 256 * 1024
_PRELUDE_MAX_PARTS = 64
_PLAIN_MAX_BYTES = 1024 * 1024
_DONE = b"data: [DONE]\n\n"


class End(StrEnum):
    """How the upstream's side ended."""

    DONE = "done"
    SILENT = "silent"
    FAILED = "failed"
    ABORTED = "aborted"


class RunningCall(Protocol):
    """The handle of a running upstream call."""

    def pause(self) -> None:
        """Stop reading."""

    def resume(self) -> None:
        """Read on."""

    def abort(self) -> None:
        """Close the connection; no callback follows."""


class Pace(Protocol):
    """The waits of a stream, in seconds."""

    finish_silence_s: float
    drain_cap_s: float


class StreamPump:
    """One attempt. `begun` resolves at first content or earlier end, `ended` at the end."""

    __slots__ = (
        "_checkpoints", "_loop", "_outlet", "_pace", "_paused", "_plain", "_prelude",
        "_prelude_bytes", "_released", "_timer", "begun", "call", "drains", "end_state", "ended",
        "failure", "gone", "headers", "status", "tap",
    )  # fmt: skip

    def __init__(
        self, tap: ChatTap, outlet: Outlet, checkpoints: Checkpoints, pace: Pace, *, drains: bool
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._outlet = outlet
        self._checkpoints = checkpoints
        self._pace = pace
        self._paused = False
        self._plain: bytearray | None = None
        self._prelude: list[bytes] = []
        self._prelude_bytes = 0
        self._released = False
        self._timer: asyncio.TimerHandle | None = None
        self.tap = tap
        self.drains = drains
        self.gone = False
        self.call: RunningCall | None = None
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.failure: UpstreamFailure | None = None
        self.end_state: End | None = None
        self.begun: asyncio.Future[None] = self._loop.create_future()
        self.ended: asyncio.Future[None] = self._loop.create_future()

    @property
    def body(self) -> bytes | None:
        """The whole answer when it was no event stream, else None."""
        return None if self._plain is None else bytes(self._plain)

    @property
    def complete(self) -> bool:
        """Whether the upstream ended its answer properly; an end without a finish is a cut."""
        return self.end_state in (End.DONE, End.SILENT) and (self.tap.finished or self.tap.done)

    def last_frames(self) -> bytes:
        """Return what was held back since the finish; properly ended if the upstream forgot to."""
        tail = self.tap.finish_text()
        ended = self.tap.done or tail.endswith(_DONE)
        return tail if ended or self.end_state is not End.SILENT else tail + _DONE

    def release(self) -> None:
        """Gate 1 is open: send what was held back and let the rest through."""
        self._released = True
        if self.tap.content:
            self._checkpoints.write(self.tap.text_bytes)
        was_full, self._paused = self._paused, False
        if self._prelude:
            self._outlet.send(b"".join(self._prelude))
            self._prelude.clear()
        self._outlet.tick = self._tick
        # The client may have choked on the prelude just now: then reading stays paused.
        if was_full and not self._paused and not self.ended.done():
            self._resume()

    # what the upstream client reports

    def head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """The upstream has decided on a status."""
        self.status = status
        self.headers = headers
        if status != 200 or not _is_event_stream(headers):
            self._plain = bytearray()

    def data(self, chunk: bytes) -> None:
        """More of the answer is here."""
        if self.end_state is not None:
            return
        if self._plain is not None:
            self._plain += chunk
            if len(self._plain) > _PLAIN_MAX_BYTES:
                self._break(Reason.REPLY_TOO_LARGE)
            return
        tap = self.tap
        out = tap.feed(chunk)
        if out:
            self._pass(out)
        if tap.finished or tap.done or tap.error is not None:
            self._near_end()

    def end(self) -> None:
        """The answer is complete as far as HTTP goes."""
        if self.end_state is None:
            self.tap.close()
            self._finish(End.DONE)
        else:
            self._disarm()

    def fail(self, failure: UpstreamFailure) -> None:
        """The connection failed."""
        if self.end_state is None:
            self.failure = failure
            self.tap.close()
            self._finish(End.FAILED)

    # what the edge reports

    def client_gone(self) -> None:
        """Nobody listens any more: stop the upstream if that stops its bill, else drain it."""
        self.gone = True
        if self.end_state is not None:
            return
        if self.drains or self.tap.finished:
            if self._paused:
                self._resume()
            self._arm(self._pace.drain_cap_s)
        else:
            self.stop()

    def client_slow(self) -> None:
        """Backpressure: stop reading until the client has caught up.

        What follows the finish is held back here anyway, and the usage is in it.
        """
        if self.call is not None and not (self.gone or self._paused or self.tap.finished):
            self._paused = True
            self.call.pause()

    def client_ready(self) -> None:
        """The client has caught up."""
        if self._paused:
            self._resume()

    def stop(self) -> None:
        """Abort the upstream and end here."""
        self._abort(End.ABORTED)

    def _pass(self, out: bytes) -> None:
        if self._released:
            self._outlet.send(out)
            if self.tap.text_bytes >= self._checkpoints.next_bytes:
                self._checkpoints.write(self.tap.text_bytes)
            return
        self._prelude.append(out)
        self._prelude_bytes += len(out)
        full = self._prelude_bytes > _PRELUDE_MAX_BYTES or len(self._prelude) > _PRELUDE_MAX_PARTS
        if (self.tap.content or full) and not self.begun.done():
            self.begun.set_result(None)
        if self._prelude_bytes > _PRELUDE_MAX_BYTES and not self._paused and not self.gone:
            self._paused = True
            if self.call is not None:
                self.call.pause()

    def _near_end(self) -> None:
        """From the finish on everything is held back; wait for usage, but not for ever."""
        tap = self.tap
        if tap.error is not None:
            self._abort(End.FAILED)
        elif tap.done:
            tap.close()
            self.end_state = End.DONE
            self._resolve()
            # The connection may still end by itself and be used again.
            self._arm(self._pace.finish_silence_s)
        else:
            if not self.begun.done():
                self.begun.set_result(None)
            if self._paused:
                self._resume()
            self._arm(self._pace.finish_silence_s)

    def _arm(self, wait_s: float) -> None:
        self._disarm()
        self._timer = self._loop.call_later(wait_s, self._too_long)

    def _too_long(self) -> None:
        self._timer = None
        self._abort(End.SILENT if self.tap.finished or self.tap.done else End.ABORTED)

    def _break(self, reason: Reason) -> None:
        self.failure = UpstreamFailure(reason, sent=True, head_seen=True)
        self._abort(End.FAILED)

    def _abort(self, how: End) -> None:
        if self.call is not None:
            self.call.abort()
        if self.end_state is None:
            self.tap.close()
            self._finish(how)

    def _finish(self, how: End) -> None:
        self.end_state = how
        self._disarm()
        self._resolve()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _resolve(self) -> None:
        for future in (self.begun, self.ended):
            if not future.done():
                future.set_result(None)

    def _resume(self) -> None:
        self._paused = False
        if self.call is not None:
            self.call.resume()

    def _tick(self) -> None:
        if self.end_state is None:
            self._checkpoints.write(self.tap.text_bytes)


def _is_event_stream(headers: list[tuple[bytes, bytes]]) -> bool:
    for name, value in headers:
        if name == b"content-type":
            return value.lower().startswith(b"text/event-stream")
    return False
