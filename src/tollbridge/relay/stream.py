"""Owns one attempt at a stream: upstream bytes in, frames out, until it ended in some way.

A sink of the upstream client and the watcher of the client, all in callbacks on the loop: no
task and no queue a frame. It holds back the start until first content, everything from the
finish on, and text that the hold does not pay for yet; how far the hold goes, it is told
(architecture.md, "One request", steps 5 and 6; money.md, step 5).
"""

import asyncio
from enum import StrEnum
from typing import Protocol, runtime_checkable

from tollbridge.protocols.tap import Tap, fitting
from tollbridge.relay.checkpoint import Answer, Checkpoints
from tollbridge.relay.outlet import Outlet
from tollbridge.upstreams.failures import Reason, UpstreamFailure

_PRELUDE_MAX_BYTES = 256 * 1024
_PRELUDE_MAX_PARTS = 64
_PLAIN_MAX_BYTES = 1024 * 1024
_EVENT_STREAM = b"text/event-stream"
_UNKNOWN = b"application/octet-stream"
# When a wait is over, what has come meanwhile may still lie unread: this process stood still, or
# its loop looks at its timers first. So it reads up before anything is concluded.
_READ_UP_S = 0.01


class End(StrEnum):
    """How the upstream's side ended."""

    DONE = "done"
    SILENT = "silent"
    FAILED = "failed"
    ABORTED = "aborted"
    LIMITED = "limited"
    """Not by the upstream: the money for more of it is not there."""


class RunningCall(Protocol):
    """The handle of a running upstream call."""

    def pause(self) -> None:
        """Stop reading."""

    def resume(self) -> None:
        """Read on."""

    def abort(self) -> None:
        """Close the connection; no callback follows."""


@runtime_checkable
class Open(Protocol):
    """A tap whose answer need not be an event stream."""

    def of_body(self, content_type: bytes) -> Tap | None:
        """Return what watches a plain body of this type, None when that can be no answer."""


class Pace(Protocol):
    """The waits of a stream, in seconds."""

    finish_silence_s: float
    drain_cap_s: float


class StreamPump:
    """One attempt. `begun` resolves at first content or earlier end, `ended` at the end."""

    __slots__ = (
        "_checkpoints", "_choked", "_cleared", "_full", "_loop", "_outlet", "_pace", "_paused",
        "_plain", "_prelude", "_prelude_bytes", "_released", "_shown_bytes", "_timer", "_unpaid",
        "begun", "call", "drains", "end_state", "ended", "failure", "gone", "headers", "status",
        "tap",
    )  # fmt: skip

    def __init__(
        self, tap: Tap, outlet: Outlet, checkpoints: Checkpoints, pace: Pace, *, drains: bool
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._outlet = outlet
        self._checkpoints = checkpoints
        checkpoints.told = self._told
        self._pace = pace
        # Reading is paused while the client is slow, the start is long or the money is awaited.
        self._paused = self._choked = self._full = False
        self._cleared: asyncio.Future[None] | None = None
        self._unpaid: list[bytes] = []
        self._shown_bytes: int | None = None
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

    @property
    def text_bytes(self) -> int:
        """The text that was passed on, or would have been but for the finish."""
        return self.tap.text_bytes if self._shown_bytes is None else self._shown_bytes

    async def over(self) -> None:
        """Return when the upstream has ended and all that waited for money has passed or never will.

        What the upstream says it used may show that the hold pays for all of it as it is.
        """
        try:
            await self.ended
            if self._cleared is not None and self._is_paid():
                self._pass_unpaid()
            while self._cleared is not None:
                await self._cleared
        finally:
            self._checkpoints.close()

    def last_frames(self) -> bytes:
        """Return what was held back since the finish; properly ended if the upstream forgot to."""
        return self.tap.closing(silent=self.end_state is End.SILENT)

    def release(self) -> None:
        """Gate 1 is open: send what was held back and let the rest through."""
        self._released = True
        self._full = False
        self._outlet.tick = self._tick
        start = b"".join(self._prelude)
        self._prelude.clear()
        if self.tap.content:
            self._pass_counted(start)
        elif start:
            self._outlet.send(start)
        # The client may have choked on the start just now: then reading stays paused.
        if not self.ended.done():
            self._steer()

    # what the upstream client reports

    def head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """The upstream has decided on a status."""
        self.status = status
        self.headers = headers
        kind = _type_of(headers)
        self._outlet.plain_type = None
        if status == 200 and kind.lower().startswith(_EVENT_STREAM):
            return
        tap = self.tap
        opened = tap.of_body(kind) if status == 200 and isinstance(tap, Open) else None
        if opened is None or self._outlet.started:
            self._plain = bytearray()
        else:
            self.tap = self._outlet.tap = opened
            self._outlet.plain_type = kind or _UNKNOWN

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
            self._steer()
            self._arm(self._pace.drain_cap_s)
        else:
            self.stop()

    def client_slow(self) -> None:
        """Backpressure: stop reading until the client has caught up.

        What follows the finish is held back here anyway, and the usage is in it.
        """
        if self.call is not None and not (self.gone or self.tap.finished):
            self._choked = True
            self._steer()

    def client_ready(self) -> None:
        """The client has caught up."""
        self._choked = False
        self._steer()

    def stop(self) -> None:
        """Abort the upstream and end here."""
        self._abort(End.ABORTED)

    def _pass(self, out: bytes) -> None:
        if self._released:
            if self.tap.text_bytes >= self._checkpoints.next_bytes:
                self._pass_counted(out)
            else:
                self._outlet.send(out)
            return
        self._prelude.append(out)
        self._prelude_bytes += len(out)
        full = self._prelude_bytes > _PRELUDE_MAX_BYTES or len(self._prelude) > _PRELUDE_MAX_PARTS
        if (self.tap.content or full) and not self.begun.done():
            self.begun.set_result(None)
        if self._prelude_bytes > _PRELUDE_MAX_BYTES:
            self._full = True
            self._steer()

    def _pass_counted(self, out: bytes) -> None:
        """Pass frames on as far as the durable hold pays for them, and see to the hold."""
        points = self._checkpoints
        text_bytes = self.tap.text_bytes
        if not self._is_paid():
            points.write(text_bytes)
            if self._cleared is not None or text_bytes > points.limit_bytes:
                self._hold_back(out)
                return
        if out:
            self._outlet.send(out)

    def _is_paid(self) -> bool:
        return self.complete and self._checkpoints.pays(self.tap.usage)

    def _hold_back(self, out: bytes) -> None:
        """Keep frames until the hold has grown; the first time, those that it pays for still pass."""
        if self._cleared is None:
            self._cleared = self._loop.create_future()
            tap = self.tap
            before = tap.text_bytes - tap.produced(out) - tap.produced(tap.finish_text())
            fit, out = fitting(tap, out, self._checkpoints.limit_bytes - before)
            self._shown_bytes = before + tap.produced(fit)
            if fit:
                self._outlet.send(fit)
        self._unpaid.append(out)
        self._steer()

    def _told(self, answer: Answer) -> None:
        """More was asked for; without it the stream goes on as far as the hold does."""
        if answer is Answer.GONE and self.end_state is None and self._cleared is None:
            self._abort(End.FAILED)
        elif self._cleared is None:
            return
        elif answer is Answer.MORE:
            self._pass_unpaid()
        else:
            self._end_unpaid(End.LIMITED if answer is Answer.SHORT else End.FAILED)

    def _pass_unpaid(self) -> None:
        frames = self._clear()
        self._shown_bytes = None
        self._pass_counted(frames)
        self._steer()

    def _end_unpaid(self, how: End) -> None:
        """Drop what the hold does not pay for; it is the end of the stream, whoever ended it."""
        frames = self._clear()
        self._abort(how)
        self.end_state = how
        self.tap.unsay(frames)

    def _clear(self) -> bytes:
        """Return what waited for money; nothing waits any more."""
        frames = b"".join(self._unpaid)
        self._unpaid.clear()
        if self._cleared is not None:
            self._cleared.set_result(None)
            self._cleared = None
        return frames

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
            self._steer()
            self._arm(self._pace.finish_silence_s)

    def _arm(self, wait_s: float) -> None:
        self._disarm()
        self._timer = self._loop.call_later(wait_s, self._read_up)

    def _read_up(self) -> None:
        self._timer = self._loop.call_later(_READ_UP_S, self._too_long)

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
        if how is End.ABORTED:
            self._clear()
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

    def _steer(self) -> None:
        """Read on unless there is a reason not to; what follows a finish is always wanted."""
        wait = self._choked or self._full or self._cleared is not None
        wait = wait and not (self.gone or self.tap.finished)
        if wait != self._paused:
            self._paused = wait
            if self.call is not None:
                (self.call.pause if wait else self.call.resume)()

    def _tick(self) -> None:
        if self.end_state is None:
            self._checkpoints.write(self.tap.text_bytes)


def _type_of(headers: list[tuple[bytes, bytes]]) -> bytes:
    return next((value for name, value in headers if name == b"content-type"), b"")
