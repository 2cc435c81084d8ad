"""Owns one running stream of chat (or text) completions: what may pass, what is held, what it says.

Fed with the upstream's bytes as they arrive, it gives back the bytes that may go to the client
now and keeps everything from the finish on (money.md, "Gate 2"). JSON is parsed only for frames
that bear a marker: a key such as `"finish_reason"` cannot be written inside a JSON string, where
its quotes would be escaped, so searching the bytes for it misses nothing. It must not know money, accounts or sockets.
"""

import re
from typing import Any, Final

import msgspec

from tollbridge.protocols.chat import UpstreamFault, decoded, fault_from, has_content, text_or_none
from tollbridge.protocols.chat_normal import StreamNormaliser
from tollbridge.protocols.chat_usage import merge_usage, usage_from
from tollbridge.protocols.json_peek import PeekError, peek
from tollbridge.protocols.sse import Framer, FrameTooLarge, data_of, event_of
from tollbridge.protocols.usage import Usage

TAIL_MAX: Final = 32 * 1024 * 1024
"""Bytes that may follow the finish; more is a fault of the upstream."""

NOT_SSE: Final = UpstreamFault(
    type="not_sse", code="", message="The answer is not an event stream."
)
TOO_LARGE: Final = UpstreamFault(type="too_large", code="", message="The answer does not end.")

_DONE: Final = b"[DONE]"
_BACKSLASH: Final = 0x5C
_NULL_USAGE: Final = re.compile(rb',\s*"usage"\s*:\s*null')
_MODEL: Final = re.compile(rb'("model"\s*:\s*)"(?:[^"\\]|\\.)*"')
_STRING: Final = rb'"\s*:\s*"([^"\\]*(?:\\.[^"\\]*)*)"'
_PRODUCED: Final = re.compile(
    rb'"(?:content|reasoning_content|reasoning|thinking|refusal|arguments|transcript|text)'
    + _STRING
)
# Beside `reasoning`, its details say the same text once more.
_PRODUCED_ONCE: Final = re.compile(rb'"(?:content|reasoning|refusal|arguments)' + _STRING)
_FIELD_LINE: Final = re.compile(rb"\s*(?:(?:data|event|id|retry)?:|\Z)")
_TEXT = msgspec.json.Decoder(str)


class ChatTap:
    """Watches one stream. Feed it, then `close` it at the end; the attributes are what is known so far.

    `copies` is the request's n. `hide_usage` takes the usage out again that only we asked for.
    `rename` is the client's name for a mapped model. `normaliser` re-emits a compatible
    upstream's chunks by the book.
    """

    __slots__ = (
        "_copies",
        "_ended",
        "_figures",
        "_framer",
        "_hide_usage",
        "_junk",
        "_model_value",
        "_normaliser",
        "_plain",
        "_tail_bytes",
        "content",
        "done",
        "error",
        "events",
        "finished",
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
    ) -> None:
        self._copies = copies
        self._hide_usage = hide_usage
        self._model_value = None if rename is None else msgspec.json.encode(rename)
        self._normaliser = normaliser
        self._framer = Framer()
        self._ended: set[int] = set()
        self._figures: dict[str, Any] | None = None
        self._junk = False
        # Content was seen and nothing is held: whole chunks may pass on a scan of their bytes.
        self._plain = False
        self._tail_bytes = 0
        self.content = False
        self.done = False
        self.error: UpstreamFault | None = None
        self.events = 0
        self.finished = False
        self.held = False
        self.model: str | None = None
        self.tail: list[bytes] = []
        self.text_bytes = 0

    @property
    def usage(self) -> Usage | None:
        """The usage figures seen so far; None when the upstream has given none."""
        return usage_from(self._figures)

    def feed(self, data: bytes) -> bytes:
        """Return the bytes that may go to the client now: whole frames before the finish."""
        if (
            self._plain
            and not self._framer.size
            and data.endswith(b"\n\n")
            and not has_marker(data)
            and b"\r" not in data
        ):
            self.events += data.count(b"\n\n")
            self.text_bytes += produced_bytes(data)
            return self._shown(data)
        try:
            frames = self._framer.feed(data)
        except FrameTooLarge:
            self._fail(TOO_LARGE)
            return b""
        return b"".join([self._pass(frame) for frame in frames])

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
        if self.error is None and self._junk and not self.events:
            self.error = NOT_SSE

    def finish_text(self) -> bytes:
        """Return everything that was held back, as it is to be sent once the call is settled."""
        return b"".join(self.tail)

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
        """Take a comment or a bare error body, which some upstreams write without `data:`."""
        if _FIELD_LINE.match(frame) is None:
            self._junk = True
            fault = decoded(frame)
            if fault is not None and fault.get("error"):
                self._fail(fault_from(fault["error"]))
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


def produced_bytes(data: bytes) -> int:
    """Return the UTF-8 bytes of the text, reasoning and tool arguments in raw frames."""
    start = data.find(b'"content":"')
    if (
        start >= 0
        and b'"reasoning' not in data
        and b'"arguments"' not in data
        and b'"refusal":"' not in data
    ):
        # The most frequent frame of all: nothing but plain text.
        end = data.find(b'"', start + 11)
        if data.find(b'"content":"', end) < 0 and data[end - 1] != _BACKSLASH:
            return _unescaped(data[start + 11 : end])
    pattern = _PRODUCED_ONCE if b'"reasoning_details"' in data else _PRODUCED
    return sum([_unescaped(text) for text in pattern.findall(data)])


def _unescaped(text: bytes) -> int:
    if b"\\" not in text:
        return len(text)
    try:
        return len(_TEXT.decode(b'"' + text + b'"').encode())
    except (msgspec.DecodeError, UnicodeDecodeError):
        return len(text)


def _without_usage(frame: bytes, data: bytes) -> bytes:
    """Take the usage out of a frame that also has choices."""
    try:
        return frame.replace(data, peek(data).removed("usage"))
    except PeekError:
        return frame
