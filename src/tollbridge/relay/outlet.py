"""Owns what a streaming client receives: the head, the frames, heartbeats, the end.

It knows how long the client has heard nothing, and whether the status is still open. An answer need
not be frames: of a plain body the client gets every byte and no other. It must not know where they
come from.
"""

import asyncio
import math
from collections.abc import Callable

from tollbridge.core.errors import ApiError, render, render_in_band
from tollbridge.protocols.tap import Tap
from tollbridge.relay.call import Call
from tollbridge.relay.replies import SSE_HEADERS, header_lines, stream_lines, tracing


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
        "plain_type",
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
        self.plain_type: bytes | None = None
        """The content type of an answer that is a plain body; None for frames."""
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
        """End a started stream with an error in its own grammar; a plain body has none and is cut."""
        call, tap = self._call, self.tap
        if not self._close():
            return
        if not self.started:
            self._refuse(error)
        elif self.plain_type is not None:
            call.exchange.abort()
        else:
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
        # It is no frame, so it does not go through the framing.
        beat = (self._framing or self._call.dialect).heartbeat
        if beat and self.plain_type is None and not (self._over or self._call.exchange.gone):
            self._pass(beat)

    def _refuse(self, error: ApiError) -> None:
        """Answer with the error itself: nothing was sent yet."""
        call = self._call
        told = render(error, call.dialect.surface, call.snapshot.site.error_profile, call.tid)
        call.exchange.reply(told.status, header_lines(told.headers) + call.rate_lines, told.body)

    def _start(self, first: bytes) -> None:
        """Send the head with the first bytes."""
        self.started = True
        call, framing = self._call, self._framing
        if self.plain_type is not None:
            call.exchange.start(200, stream_lines(self.plain_type) + tracing(call), first)
        elif framing is None:
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
