"""Owns what a streaming client receives: the head, the frames, heartbeats, the end.

It knows how long the client has heard nothing, and whether the status is still open. It must not
know where frames come from.
"""

import asyncio
import math
from collections.abc import Callable

from tollbridge.core.errors import ApiError, render_in_band
from tollbridge.protocols.tap import Tap
from tollbridge.relay.call import Call
from tollbridge.relay.replies import SSE_HEADERS, stream_lines, tracing


class Outlet:
    """The client's side of one stream. `tick` is called at least once each `tick_s` seconds."""

    __slots__ = (
        "_beat_s",
        "_call",
        "_framing",
        "_loop",
        "_over",
        "_tick_s",
        "_timer",
        "_touched",
        "started",
        "tap",
        "tick",
    )

    def __init__(
        self,
        call: Call,
        loop: asyncio.AbstractEventLoop,
        beat_s: float,
        tick_s: float = math.inf,
    ) -> None:
        self._call = call
        self._framing = call.dialect.framing()
        self._loop = loop
        self._beat_s = beat_s
        self._tick_s = tick_s
        self._touched = loop.time()
        self._over = False
        self.started = False
        self.tap: Tap | None = None
        """What watches the try whose frames these are; it knows how they name themselves."""
        self.tick: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = loop.call_later(min(beat_s, tick_s), self._look)

    def send(self, data: bytes) -> None:
        """Pass frames on; the first ones take the head with them."""
        if self._over or self._call.exchange.gone:
            return
        self._pass(data if self._framing is None else self._framing.more(data))

    def end(self, tail: bytes) -> None:
        """Pass the last frames and end the answer properly."""
        if self._close():
            if not self.started:
                self._start(b"")
            self._call.exchange.finish(tail if self._framing is None else self._framing.close(tail))

    def fail(self, error: ApiError) -> None:
        """End a started stream with an error in its own grammar."""
        call, tap = self._call, self.tap
        if self._close():
            last = render_in_band(
                error,
                call.dialect.surface,
                call.snapshot.site.error_profile,
                call.tid,
                model=call.ask.model,
                stream_id="" if tap is None else tap.stream_id,
                sequence=0 if tap is None else tap.sequence,
            )
            call.exchange.finish(last if self._framing is None else self._framing.close(last))

    def _pass(self, data: bytes) -> None:
        self._touched = self._loop.time()
        if self.started:
            self._call.exchange.write(data)
        else:
            self._start(data)

    def _beat(self) -> None:
        """Show the client that somebody is there."""
        if not (self._over or self._call.exchange.gone):
            # It is no frame, so it does not go through the framing.
            self._pass((self._framing or self._call.dialect).heartbeat)

    def _start(self, first: bytes) -> None:
        """Send the head with the first bytes."""
        self.started = True
        call, framing = self._call, self._framing
        if framing is None:
            call.exchange.start(200, SSE_HEADERS + tracing(call), first)
        else:
            lines = stream_lines(framing.content_type)
            call.exchange.start(200, lines + tracing(call), framing.open() + first)

    def close(self) -> None:
        """Stop the heartbeats; nothing more is sent."""
        self._close()

    def _close(self) -> bool:
        """Return whether this was the end of a stream whose client still listens."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        was_open, self._over = not self._over, True
        return was_open and not self._call.exchange.gone

    def _look(self) -> None:
        now = self._loop.time()
        if self.tick is not None:
            self.tick()
        quiet_s = now - self._touched
        if quiet_s >= self._beat_s:
            self._beat()
            quiet_s = 0.0
        if not self._over:
            self._timer = self._loop.call_later(
                min(self._beat_s - quiet_s, self._tick_s), self._look
            )
