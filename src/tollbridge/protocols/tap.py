"""Owns what watches a running stream: which bytes may pass, what is held, what was said so far.

`Tap` is what the relay needs of any of them, `FrameTap` what the same-protocol taps have in common.
Everything from the finish on is held until the call is settled (money.md, "Gate 2"). Must not know
money, accounts or sockets.
"""

import re
from typing import Any, Final, Protocol

import msgspec

from tollbridge.protocols.facts import UpstreamFault, decoded, fault_from
from tollbridge.protocols.sse import Framer, FrameTooLarge, data_of, event_of
from tollbridge.protocols.usage import Usage

TAIL_MAX: Final = 32 * 1024 * 1024
"""Bytes that may follow the finish; more is a fault of the upstream."""

NOT_SSE: Final = UpstreamFault(
    type="not_sse", code="", message="The answer is not an event stream."
)
TOO_LARGE: Final = UpstreamFault(type="too_large", code="", message="The answer does not end.")

_BODY_STARTS: Final = (b"{", b"[", b"<")


class Tap(Protocol):
    """Watches one stream. Feed it, then `close` it at the end; the rest is what is known so far."""

    content: bool
    """Something produced was seen: from here on no other account may be tried."""
    done: bool
    """The protocol's own end was seen."""
    error: UpstreamFault | None
    finished: bool
    """The model has ended; what follows are figures and closing frames."""
    model: str | None
    text_bytes: int
    """UTF-8 bytes of text, reasoning and arguments that passed or are held."""

    @property
    def usage(self) -> Usage | None:
        """What the upstream says it used, as far as it said so."""

    @property
    def stream_id(self) -> str:
        """The id that the client's frames bear, empty when there is none yet."""

    @property
    def sequence(self) -> int:
        """The number of the next frame where frames are numbered, else 0."""

    def feed(self, data: bytes) -> bytes:
        """Return the bytes that may go to the client now."""

    def close(self) -> None:
        """Take note that the upstream has ended."""

    def finish_text(self) -> bytes:
        """Return everything that was held back, as it is to be sent once the call is settled."""

    def closing(self, *, silent: bool) -> bytes:
        """Return `finish_text`, properly ended where the upstream fell silent before it did so."""

    def produced(self, frames: bytes) -> int:
        """Return the UTF-8 bytes of text, reasoning and arguments in whole frames."""

    def unsay(self, frames: bytes) -> None:
        """Take back what these frames and the tail said, for nobody will see them."""

    def length_ending(self, used: Usage) -> bytes:
        """Return the frames that end the stream for length, with what it used."""


def fitting(tap: Tap, frames: bytes, text_bytes: int) -> tuple[bytes, bytes]:
    """Cut whole frames in two: those with at most so much text, and all from there on."""
    framer = Framer()
    fit: list[bytes] = []
    left = text_bytes
    whole = framer.feed(frames)
    for at, frame in enumerate(whole):
        left -= tap.produced(frame)
        if left < 0:
            return b"".join(fit), b"".join([*whole[at:], framer.rest()])
        fit.append(frame)
    return b"".join(fit), framer.rest()


class FrameTap:
    """A tap on a stream of frames that pass as they are, but for a mapped model's name.

    A protocol says what a frame means in `_event`, what a marker is in `_marked` and which bytes are
    text in `produced`.
    """

    def __init__(self, rename: str | None = None) -> None:
        """Watch a stream; `rename` is the client's name for a mapped model."""
        self._framer = Framer()
        self._model_value = None if rename is None else msgspec.json.encode(rename)
        # Content was seen and nothing is held: whole chunks may pass on a scan of their bytes.
        self._plain = False
        self._tail: list[bytes] = []
        self._tail_bytes = 0
        self._frames = 0
        self._held = False
        self.content = False
        self.done = False
        self.error: UpstreamFault | None = None
        self.finished = False
        self.model: str | None = None
        self.text_bytes = 0

    # what a protocol says

    _rename: re.Pattern[bytes] | None = None
    """Finds a model's name in a frame: group 1 is all before the name's value."""

    def _marked(self, _data: bytes) -> bool:
        """Say whether whole frames may bear more than deltas. May say yes without need, never no."""
        return True

    def _event(self, _name: bytes | None, _data: dict[str, Any]) -> None:
        """Note what one marked frame says; sets `_held` from the finish on."""

    def produced(self, _frames: bytes) -> int:
        """Return the UTF-8 bytes of what was produced in whole frames."""
        return 0

    @property
    def usage(self) -> Usage | None:
        """What the upstream says it used."""
        return None

    @property
    def stream_id(self) -> str:
        """The id that frames bear."""
        return ""

    @property
    def sequence(self) -> int:
        """The number of the next frame."""
        return 0

    def unsay(self, frames: bytes) -> None:
        """Take back what frames said; only streams that are sliced need it."""

    def length_ending(self, _used: Usage) -> bytes:
        """End for length; only streams that are sliced need it."""
        return b""

    # what all have in common

    def feed(self, data: bytes) -> bytes:
        """Return the bytes that may go to the client now: whole frames before the finish."""
        if (
            self._plain
            and not self._framer.size
            and data.endswith(b"\n\n")
            and b"\r" not in data
            and not self._marked(data)
        ):
            self.text_bytes += self.produced(data)
            return data
        try:
            frames = self._framer.feed(data)
        except FrameTooLarge:
            self._fail(TOO_LARGE)
            return b""
        return b"".join([self._pass(frame) for frame in frames])

    def close(self) -> None:
        """Take note of the upstream's end; an unterminated rest joins the tail."""
        rest = self._framer.rest()
        self._held = True
        self._plain = False
        if rest.strip():
            self._pass(rest)

    def finish_text(self) -> bytes:
        """Return everything that was held back."""
        return b"".join(self._tail)

    def closing(self, *, silent: bool) -> bytes:  # noqa: ARG002 (some protocols have to add an end)
        """Return what was held back; most protocols' closing frames cannot be missing."""
        return self.finish_text()

    def _pass(self, frame: bytes) -> bytes:
        data = data_of(frame)
        if data is None:
            self._dataless(frame)
        else:
            self._frames += 1
            self.text_bytes += self.produced(frame)
            if not self.content or self._held or self._marked(frame):
                value = decoded(data)
                if value is not None:
                    self._event(event_of(frame), value)
        shown = self._shown(frame)
        if self._held:
            self._plain = False
            self._hold(shown)
            return b""
        self._plain = self.content
        return shown

    def _dataless(self, frame: bytes) -> None:
        """Take a comment, or a body without `data:`: an error, or no event stream at all."""
        if frame.lstrip()[:1] in _BODY_STARTS:
            body = decoded(frame) or {}
            if body.get("error"):
                self._fail(fault_from(body["error"]))
            elif not self._frames:
                self._fail(NOT_SSE)

    def _fail(self, fault: UpstreamFault | None) -> None:
        self.error = self.error or fault
        self._held = True
        self._plain = False

    def _hold(self, data: bytes) -> None:
        self._tail_bytes += len(data)
        if self._tail_bytes > TAIL_MAX:
            self._fail(TOO_LARGE)
        elif data:
            self._tail.append(data)

    def _shown(self, frame: bytes) -> bytes:
        value, pattern = self._model_value, self._rename
        if value is None or pattern is None:
            return frame
        return pattern.sub(lambda match: match[1] + value, frame)
