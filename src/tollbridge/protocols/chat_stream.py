"""Owns one running stream of chat (or text) completions: what may pass, what is held, what it says.

Fed with the upstream's bytes as they arrive, it gives back the bytes that may go to the client
now and keeps everything from the finish on (money.md, "Gate 2"). JSON is parsed only for frames
that bear a marker: a key such as `"finish_reason"` cannot be written inside a JSON string, where
its quotes would be escaped, so searching the bytes for it misses nothing. It must not know money, accounts or sockets.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from tollbridge.protocols.chat import has_content
from tollbridge.protocols.chat_length import finished_in
from tollbridge.protocols.chat_normal import StreamNormaliser
from tollbridge.protocols.chat_usage import merge_usage, usage_from
from tollbridge.protocols.delta_shape import DeltaShape, learn_shape, produced_bytes
from tollbridge.protocols.facts import UpstreamFault, decoded, fault_from, text_or_none
from tollbridge.protocols.json_peek import PeekError, peek
from tollbridge.protocols.service_tier import with_tier
from tollbridge.protocols.sse import Framer, FrameTooLarge, data_of, event_of
from tollbridge.protocols.tap import NOT_SSE, TAIL_MAX, TOO_LARGE
from tollbridge.protocols.usage import Usage

RELEARN_AFTER: Final = 8
"""Frames between two attempts to learn what a plain frame looks like (tool calls change it)."""

_DONE: Final = b"[DONE]"
_DONE_FRAME: Final = b"data: [DONE]\n\n"
_NULL_USAGE: Final = re.compile(rb',\s*"usage"\s*:\s*null')
_MODEL: Final = re.compile(rb'("model"\s*:\s*)"(?:[^"\\]|\\.)*"')
_BODY_STARTS: Final = (b"{", b"[", b"<")


class ChatTap:
    """Watches one stream. Feed it, then `close` it at the end; the attributes are what is known so far.

    `copies` is the request's n. `hide_usage` takes the usage out again that only we asked for.
    `rename` is the client's name for a mapped model. `normaliser` re-emits a compatible
    upstream's chunks by the book. `ending` makes the frames that end the stream for length.
    """

    __slots__ = (
        "_copies",
        "_ended",
        "_ending",
        "_figures",
        "_framer",
        "_hide_usage",
        "_learn_at",
        "_model_value",
        "_normaliser",
        "_plain",
        "_rewrites",
        "_shape",
        "_tail_bytes",
        "_tier",
        "content",
        "done",
        "error",
        "events",
        "finished",
        "first",
        "held",
        "model",
        "tail",
        "text_bytes",
    )

    def __init__(
        self,
        *,
        copies: int = 1,
        hide_usage: bool = False,
        rename: str | None = None,
        normaliser: StreamNormaliser | None = None,
        ending: "Callable[[ChatTap, Usage], bytes] | None" = None,
    ) -> None:
        self._ending = ending
        self._copies = copies
        self._hide_usage = hide_usage
        self._model_value = None if rename is None else msgspec.json.encode(rename)
        self._normaliser = normaliser
        self._framer = Framer()
        self._ended: set[int] = set()
        self._figures: dict[str, Any] | None = None
        self._tier: object = None
        # Content was seen and nothing is held: whole chunks may pass on a scan of their bytes.
        self._plain = False
        self._rewrites = hide_usage or rename is not None
        self._shape: DeltaShape | None = None
        self._learn_at = 0
        self._tail_bytes = 0
        self.content = False
        self.done = False
        self.error: UpstreamFault | None = None
        self.events = 0
        self.finished = False
        self.first: dict[str, Any] | None = None
        """The first chunk that says who it is: all chunks of a stream bear its name."""
        self.held = False
        self.model: str | None = None
        self.tail: list[bytes] = []
        self.text_bytes = 0

    @property
    def usage(self) -> Usage | None:
        """The usage figures seen so far; None when the upstream has given none."""
        return with_tier(usage_from(self._figures), self._tier)

    @property
    def stream_id(self) -> str:
        """The id that all chunks bear, empty when there is none yet."""
        return (text_or_none(self.first.get("id")) or "") if self.first else ""

    @property
    def sequence(self) -> int:
        """Chunks have no numbers."""
        return 0

    @property
    def unfinished(self) -> list[int]:
        """The choices that have no finish reason yet, also those that have not begun."""
        return [index for index in range(self._copies) if index not in self._ended]

    def unsay(self, frames: bytes) -> None:
        """Take back the finishes in these frames and in the tail, which nobody will see."""
        self._ended -= finished_in(frames + self.finish_text())

    def feed(self, data: bytes) -> bytes:
        """Return the bytes that may go to the client now: whole frames before the finish."""
        if self._plain and not self._framer.size:
            shape = self._shape
            if shape is not None and data.startswith(shape.prefix):
                end = shape.end_of_text(data)
                if end:
                    self.events += 1
                    self.text_bytes += shape.text_bytes(data, end)
                    return shape.shown(data, end) if self._rewrites else data
            if data.endswith(b"\n\n") and not has_marker(data) and b"\r" not in data:
                return self._plain_frames(data)
        try:
            frames = self._framer.feed(data)
        except FrameTooLarge:
            self._fail(TOO_LARGE)
            return b""
        return b"".join([self._pass(frame) for frame in frames])

    def _plain_frames(self, data: bytes) -> bytes:
        """Let a chunk of whole frames without markers pass, and learn from it if it is one frame."""
        frames = data.count(b"\n\n")
        self.events += frames
        self.text_bytes += produced_bytes(data)
        if frames == 1 and self.events >= self._learn_at:
            shape = self._shape = learn_shape(data)
            if shape is not None and self._rewrites:
                shape.show_as(self._shown)
            self._learn_at = self.events + RELEARN_AFTER
        return self._shown(data) if self._rewrites else data

    def close(self) -> None:
        """Take note of the upstream's end; an unterminated rest joins the tail."""
        rest = self._framer.rest()
        self.held = True
        self._plain = False
        if rest:
            self._pass(rest)
        if self._normaliser is not None:
            complete = self.error is None and (self.done or bool(self._ended))
            self._hold(self._normaliser.end(self._figures, complete=complete))
        if self._ended:
            self.finished = True

    def finish_text(self) -> bytes:
        """Return everything that was held back, as it is to be sent once the call is settled."""
        return b"".join(self.tail)

    def closing(self, *, silent: bool) -> bytes:
        """Return what was held back; with the end mark where the upstream forgot it."""
        tail = self.finish_text()
        ended = self.done or tail.endswith(_DONE_FRAME)
        return tail + _DONE_FRAME if silent and not ended else tail

    def produced(self, frames: bytes) -> int:
        """Return the UTF-8 bytes of text, reasoning and arguments in whole frames."""
        return produced_bytes(frames)

    def length_ending(self, used: Usage) -> bytes:
        """Return the frames that end the stream for length, with what it used."""
        return b"" if self._ending is None else self._ending(self, used)

    def _pass(self, frame: bytes) -> bytes:
        """Look at one frame and return what may be shown of it now; the rest joins the tail."""
        data = data_of(frame)
        if data is None:
            shown = self._dataless(frame)
        elif self.done or data.strip() == _DONE:
            self.done = self.held = True
            shown = self._shown(frame) if self._normaliser is None else b""
        else:
            self.events += 1
            shown = self._event(frame, data)
        if self.held:
            self._plain = False
            self._hold(shown)
            return b""
        self._plain = self.content and self._normaliser is None
        return shown

    def _dataless(self, frame: bytes) -> bytes:
        """Take a comment, or a body without `data:`: an error, or no event stream at all."""
        if frame.lstrip()[:1] in _BODY_STARTS:
            body = decoded(frame) or {}
            if body.get("error"):
                self._fail(fault_from(body["error"]))
            elif not self.events:
                self._fail(NOT_SSE)
        return frame if self._normaliser is None else b""

    def _event(self, frame: bytes, data: bytes) -> bytes:
        if self._normaliser is None:
            self.text_bytes += produced_bytes(frame)
            if self.content and not has_marker(frame):
                return self._shown(frame)
        chunk = decoded(data)
        if chunk is None:
            return frame if self._normaliser is None else b""
        self._read(chunk, frame)
        if self._normaliser is not None:
            shown = self._normaliser.chunk(chunk) if self.error is None else b""
            self.text_bytes += produced_bytes(shown)
            return shown
        if self._hide_usage and isinstance(chunk.get("usage"), dict):
            frame = _without_usage(frame, data) if chunk.get("choices") else b""
        return self._shown(frame)

    def _read(self, chunk: dict[str, Any], frame: bytes) -> None:
        """Note what one parsed chunk says."""
        fault = fault_from(chunk.get("error"))
        if fault is None and event_of(frame) == b"error":
            fault = fault_from(chunk)
        if fault is not None:
            self._fail(fault)
        if self.model is None:
            self.model = text_or_none(chunk.get("model"))
        if self.first is None and (chunk.get("id") or self._normaliser is not None):
            self.first = chunk
        self._tier = chunk.get("service_tier") or self._tier
        self._count(chunk.get("usage"))
        vendor = chunk.get("x_groq")
        if isinstance(vendor, dict):
            self._count(vendor.get("usage"))
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                self._read_choice(choice)

    def _read_choice(self, choice: dict[str, Any]) -> None:
        delta = choice.get("delta")
        if not self.content:
            self.content = bool(choice.get("text")) or (
                isinstance(delta, dict) and has_content(delta)
            )
        self._count(choice.get("usage"))
        if choice.get("finish_reason"):
            index = choice.get("index")
            self._ended.add(index if isinstance(index, int) else 0)
            if len(self._ended) >= self._copies:
                self.finished = self.held = True

    def _count(self, figures: object) -> None:
        if isinstance(figures, dict):
            self._figures = merge_usage(self._figures, figures)

    def _fail(self, fault: UpstreamFault | None) -> None:
        self.error = self.error or fault
        self.held = True
        self._plain = False

    def _hold(self, data: bytes) -> None:
        self._tail_bytes += len(data)
        if self._tail_bytes > TAIL_MAX:
            self._fail(TOO_LARGE)
        elif data:
            self.tail.append(data)

    def _shown(self, data: bytes) -> bytes:
        """Return frames as the client is to see them: its own model name, no usage it did not ask for."""
        if self._hide_usage and b'"usage"' in data:
            data = _NULL_USAGE.sub(b"", data)
        value = self._model_value
        if value is not None:
            data = _MODEL.sub(lambda match: match[1] + value, data)
        return data


def has_marker(data: bytes) -> bool:
    """Say whether frames may bear more than deltas: a finish, usage, an error or the end.

    May say yes without need (then JSON is parsed), never no where there is one.
    """
    finishes = data.count(b'"finish_reason"')
    if finishes != data.count(b'"finish_reason":null') and finishes != data.count(
        b'"finish_reason": null'
    ):
        return True
    if b'"usage"' in data:
        usages = data.count(b'"usage"')
        if usages != data.count(b'"usage":null') and usages != data.count(b'"usage": null'):
            return True
    return b'"error"' in data or _DONE in data or b"event: error" in data or b"event:error" in data


def _without_usage(frame: bytes, data: bytes) -> bytes:
    """Take the usage out of a frame that also has choices."""
    try:
        return frame.replace(data, peek(data).removed("usage"))
    except PeekError:
        return frame
