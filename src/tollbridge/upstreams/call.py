"""Owns one call while it runs: who hears of the reply, its deadlines, and the handle to steer it.

It must not parse anything; the connection does and reports here.
"""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from tollbridge.upstreams.failures import Reason, UpstreamFailure
from tollbridge.upstreams.limits import Deadlines
from tollbridge.upstreams.target import Target


class Sink(Protocol):
    """Who hears of a reply. Calls come from the event loop, never from inside `send`'s caller."""

    def head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Take the final head; names are lower-case, framing headers of the hop may be in it."""

    def data(self, chunk: bytes) -> None:
        """Take the next bytes of the body, decompressed; what arrived together comes together."""

    def end(self) -> None:
        """Learn that the reply is complete; called once, nothing follows."""

    def fail(self, failure: UpstreamFailure) -> None:
        """Learn that no more will come; called once instead of `end`, nothing follows."""


@dataclass(slots=True)
class Reply:
    """A whole reply; header names are lower-case."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Carrier(Protocol):
    """The connection under a call, as far as the call needs it."""

    @property
    def reads(self) -> int:
        """How often something arrived for this call."""

    @property
    def head_seen(self) -> bool:
        """Whether the final head was reported."""

    def drop(self) -> None:
        """Close at once without a word to the call."""

    def hold(self, *, paused: bool) -> None:
        """Stop or continue to read."""


class Call:
    """Handle of a running call; every method may be called at any time, also after its end."""

    __slots__ = (
        "begun_at",
        "body",
        "budget",
        "carrier",
        "deadlines",
        "head",
        "owner",
        "paused",
        "reads_seen",
        "reused",
        "sink",
        "stamp",
        "target",
        "task",
    )

    def __init__(
        self,
        owner: set["Call"],
        target: Target,
        request: tuple[bytes, bytes],
        sink: Sink,
        deadlines: Deadlines,
        budget: int,
        begun_at: float,
    ) -> None:
        """`budget`: bytes of decoded body that may come; `begun_at`: the loop's clock."""
        self.owner = owner
        self.target = target
        self.head, self.body = request
        self.sink = sink
        self.deadlines = deadlines
        self.budget = budget
        self.begun_at = begun_at
        self.stamp = begun_at
        self.carrier: Carrier | None = None
        self.task: asyncio.Task[None] | None = None
        self.paused = False
        self.reused = False
        self.reads_seen = 0

    def pause(self) -> None:
        """Stop reading; what was read already may still be reported."""
        self._hold(paused=True)

    def resume(self) -> None:
        """Read on."""
        self._hold(paused=False)

    def abort(self) -> None:
        """Close the connection; the sink hears nothing any more."""
        self._let_go()

    def break_off(self, reason: Reason) -> None:
        """Close the connection and let the sink fail; does nothing after the end."""
        if self not in self.owner:
            return
        head_seen = self.carrier is not None and self.carrier.head_seen
        self._let_go()
        self.sink.fail(UpstreamFailure(reason, sent=True, head_seen=head_seen))

    def overdue(self, now: float) -> Reason | None:
        """Return the deadline that has passed at `now`; to be asked every tick."""
        deadlines = self.deadlines
        if now - self.begun_at >= deadlines.total_s:
            return Reason.TOTAL_TIMEOUT
        carrier = self.carrier
        if carrier is None:
            return None
        if self.paused:
            self.stamp = now
            return None
        if not carrier.head_seen:
            late = now - self.stamp >= deadlines.first_byte_s
            return Reason.FIRST_BYTE_TIMEOUT if late else None
        if carrier.reads != self.reads_seen:
            self.reads_seen = carrier.reads
            self.stamp = now
            return None
        return Reason.IDLE_TIMEOUT if now - self.stamp >= deadlines.idle_s else None

    def _hold(self, *, paused: bool) -> None:
        if self.paused is paused or self not in self.owner:
            return
        self.paused = paused
        if self.carrier is not None:
            self.carrier.hold(paused=paused)

    def _let_go(self) -> None:
        self.owner.discard(self)
        carrier, self.carrier = self.carrier, None
        if carrier is not None:
            carrier.drop()
        if self.task is not None:
            self.task.cancel()
            self.task = None


class Collector:
    """A sink that gathers a whole reply into one future."""

    __slots__ = ("_future", "_headers", "_pieces", "_status")

    def __init__(self, future: asyncio.Future[Reply]) -> None:
        self._future = future
        self._pieces: list[bytes] = []

    def head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Keep the head."""
        self._status = status
        self._headers = headers

    def data(self, chunk: bytes) -> None:
        """Keep the bytes."""
        self._pieces.append(chunk)

    def end(self) -> None:
        """Fulfil the future."""
        pieces = self._pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if not self._future.done():
            self._future.set_result(Reply(self._status, self._headers, body))

    def fail(self, failure: UpstreamFailure) -> None:
        """Break the future."""
        if not self._future.done():
            self._future.set_exception(failure)
