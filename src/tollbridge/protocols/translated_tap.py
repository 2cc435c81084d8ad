"""Owns a running stream that is translated: the vendor's frames in, the client's frames out.

Everything from the first finish on is kept and written once the vendor has ended, because several
protocols say the usage before they close (protocols.md 7.4 and 7.6). Must not know money, accounts
or sockets.
"""

from tollbridge.protocols.answer import (
    CallArguments,
    CallEnd,
    CallStart,
    Done,
    Event,
    EventWriter,
    Failed,
    Finished,
    Identity,
    Made,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    Start,
    TextDelta,
    UsageSeen,
)
from tollbridge.protocols.facts import UpstreamFault, decoded, fault_from
from tollbridge.protocols.service_tier import with_tier
from tollbridge.protocols.sse import Framer, FrameTooLarge, data_of, event_of
from tollbridge.protocols.tap import NOT_SSE, TOO_LARGE
from tollbridge.protocols.translation import Translation
from tollbridge.protocols.usage import Usage

_DONE = b"[DONE]"
_OF_NO_CHOICE = (Start, CallArguments, CallEnd, UsageSeen, Failed, Done)
_BODY_STARTS = (b"{", b"[", b"<")


class TranslatedTap:
    """Watches one stream and translates it. Its slices are not watched: `unsay` is never needed.

    An end that not all choices have finished before is a cut, also where the vendor says `done`.
    """

    def __init__(self, translation: Translation, identity: Identity, copies: int = 1) -> None:
        """Watch a stream of `copies` choices; `identity` is what the client is to read."""
        self._framer = Framer()
        self._reader = translation.reader()
        self._calls = translation.calls()
        self._writer: EventWriter = translation.writer(identity)
        self._copies = copies
        self._begun: set[int] = set()
        self._finishes: dict[int, Finished] = {}
        self._usage: Usage | None = None
        self._told_first: Usage | None = None
        self._tier: str | None = None
        self._tail: list[bytes] = []
        self._frames = 0
        self._closed = False
        self._next = 0
        self.content = False
        self.done = False
        self.error: UpstreamFault | None = None
        self.finished = False
        self.model: str | None = None
        self.text_bytes = 0

    @property
    def usage(self) -> Usage | None:
        """What the upstream says it used; what only its start tells is interim."""
        return self._usage or self._told_first

    @property
    def stream_id(self) -> str:
        """The id that the client's frames bear."""
        return self._writer.stream_id

    @property
    def sequence(self) -> int:
        """The number of the frame after those that have passed; what is held may never be seen."""
        return self._next

    def feed(self, data: bytes) -> bytes:
        """Return the client's frames for what has come."""
        try:
            frames = self._framer.feed(data)
        except FrameTooLarge:
            self.error = self.error or TOO_LARGE
            return b""
        return b"".join([self._passed(frame) for frame in frames])

    def close(self) -> None:
        """Take note that the upstream has ended, and write the end if it was a proper one."""
        if self._closed:
            return
        self._closed = True
        rest = self._framer.rest()
        if rest.strip():
            self._tail.append(self._frame(rest))
        self._tail.append(self._written(self._reader.end()))
        # A vendor may give fewer choices than it was asked for, but ends those that it began.
        self.finished = bool(self._finishes) and self._begun <= self._finishes.keys()
        self.done = self.done and self.finished
        if self.finished and self.error is None:
            self._tail.append(self._writer.end(self._finishes, self._usage, self._tier))

    def finish_text(self) -> bytes:
        """Return everything that was held back."""
        return b"".join(self._tail)

    def closing(self, *, silent: bool) -> bytes:  # noqa: ARG002 (the writer has ended properly)
        """Return everything that was held back; it always has the protocol's end."""
        return self.finish_text()

    def produced(self, frames: bytes) -> int:
        """Return the UTF-8 bytes of what was produced in the client's frames."""
        return self._writer.produced(frames)

    def unsay(self, frames: bytes) -> None:
        """Translated streams are held for in whole."""

    def length_ending(self, _used: Usage) -> bytes:
        """Translated streams are held for in whole, so none ends for want of money."""
        return b""

    def _passed(self, frame: bytes) -> bytes:
        out = self._frame(frame)
        if self.finished or self.error is not None:
            self._tail.append(out)
            return b""
        self._next = self._writer.sequence
        return out

    def _frame(self, frame: bytes) -> bytes:
        data = data_of(frame)
        if data is None:
            self._dataless(frame)
            return b""
        if self.done:
            return b""
        self._frames += 1
        if data.strip() == _DONE:
            self.done = True
            return b""
        value = decoded(data)
        return b"" if value is None else self._written(self._reader.read(event_of(frame), value))

    def _dataless(self, frame: bytes) -> None:
        if frame.lstrip()[:1] in _BODY_STARTS:
            body = decoded(frame) or {}
            if body.get("error"):
                self.error = self.error or fault_from(body["error"])
            elif not self._frames:
                self.error = self.error or NOT_SSE

    def _written(self, events: list[Event]) -> bytes:
        out = b""
        for event in self._calls.events(events):
            if type(event) is TextDelta:
                # Nearly all of a stream.
                self._begun.add(event.choice)
                self.text_bytes += len(event.text.encode())
                self.content = self.content or bool(event.text)
                out += self._writer.write(event)
            elif isinstance(event, Finished):
                self._finishes[event.choice] = self._calls.finish(event)
                self.finished = len(self._finishes) >= self._copies
            elif isinstance(event, UsageSeen):
                self._tier = event.tier or self._tier
                self._usage = with_tier(event.usage, self._tier)
            elif isinstance(event, Failed):
                self.error = self.error or event.fault
            elif isinstance(event, Done):
                self.done = True
            else:
                self._note(event)
                out += self._writer.write(event)
        return out

    def _note(self, event: Event) -> None:
        if not isinstance(event, _OF_NO_CHOICE):
            self._begun.add(event.choice)
        if isinstance(event, Start):
            self.model = self.model or event.model or None
            self._told_first = self._told_first or event.usage
        elif isinstance(event, (RefusalDelta, ReasoningDelta, CallArguments)):
            self.text_bytes += len(event.text.encode())
            self.content = self.content or bool(event.text)
        elif isinstance(event, (CallStart, Made, ReasoningEnd)):
            self.content = True
            if isinstance(event, CallStart):
                self.text_bytes += len(event.name.encode())
