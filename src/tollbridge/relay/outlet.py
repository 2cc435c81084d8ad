"""Owns what a streaming client receives: the head, the frames, heartbeats, the end.

It knows how long the client has heard nothing, and whether the status is still open. It must not
know where frames come from.
"""

import asyncio
import math
from collections.abc import Callable

from tollbridge.core.errors import ApiError, render_in_band
from tollbridge.relay.call import Call
from tollbridge.relay.replies import HEARTBEAT, SSE_HEADERS, tracing


class Outlet:
    """The client's side of one stream. `tick` is called at least once each `tick_s` seconds."""

    __slots__ = (
        "_beat_s",
        "_call",
        "_loop",
        "_over",
        "_tick_s",
        "_timer",
        "_touched",
        "started",
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
        self._loop = loop
        self._beat_s = beat_s
        self._tick_s = tick_s
        self._touched = loop.time()
        self._over = False
        self.started = False
        self.tick: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = loop.call_later(min(beat_s, tick_s), self._look)

    def send(self, data: bytes) -> None:
        """Pass frames on; the first ones take the head with them."""
        if self._over or self._call.exchange.gone:
            return
        self._touched = self._loop.time()
        if self.started:
            self._call.exchange.write(data)
        else:
            self.started = True
            self._call.exchange.start(200, SSE_HEADERS + tracing(self._call), data)

    def end(self, tail: bytes) -> None:
        """Pass the last frames and end the answer properly."""
        if self._close():
            if not self.started:
                self.started = True
                self._call.exchange.start(200, SSE_HEADERS + tracing(self._call))
            self._call.exchange.finish(tail)

    def fail(self, error: ApiError) -> None:
        """End a started stream with an error in its own grammar."""
        call = self._call
        if self._close():
            call.exchange.finish(
                render_in_band(
                    error,
                    call.dialect.surface,
                    call.snapshot.site.error_profile,
                    call.tid,
                    model=call.ask.model,
                )
            )

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
            self.send(HEARTBEAT)
            quiet_s = 0.0
        if not self._over:
            self._timer = self._loop.call_later(
                min(self._beat_s - quiet_s, self._tick_s), self._look
            )
