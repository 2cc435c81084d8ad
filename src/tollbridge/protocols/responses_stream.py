"""Owns one running stream of the Responses protocol: what may pass, what is held, what it says.

JSON is parsed only for frames that bear a response or an error: a key such as `"response"` cannot
be written inside a JSON string, where its quotes would be escaped, so searching the bytes for it
misses nothing. Must not know money, accounts or sockets.
"""

import re
from typing import Any, Final

import msgspec

from tollbridge.protocols.facts import UpstreamFault, decoded, fault_from, text_or_none
from tollbridge.protocols.json_peek import PeekError, peek
from tollbridge.protocols.responses import BROKEN, ENDED, fault_of
from tollbridge.protocols.responses_usage import usage_of
from tollbridge.protocols.sse import Framer, data_of
from tollbridge.protocols.tap import FrameTap
from tollbridge.protocols.usage import Usage

TERMINALS: Final = frozenset(
    {
        "response.completed",
        "response.incomplete",
        "response.failed",
        "response.cancelled",
        "response.done",
    }
)
"""The events after which nothing follows."""

_ENDS: Final = frozenset({"response.completed", "response.incomplete"})
_FAILS: Final = frozenset({"response.failed", "response.cancelled"})
_FAILED: Final = UpstreamFault(type="", code="failed", message="")
_RESPONSE: Final = b'"response"'
_DELTA: Final = re.compile(rb'"delta"\s*:\s*"([^"\\]*(?:\\.[^"\\]*)*)"')
_TEXT: Final = msgspec.json.Decoder(str)


class ResponsesTap(FrameTap):
    """Watches one stream; `rename` is the client's name for a mapped model."""

    def __init__(self, rename: str | None = None) -> None:
        super().__init__(rename)
        self._usage: Usage | None = None
        self._id = ""
        # The last bytes that the client was shown: their number counts on in an error of ours.
        self._last = b""

    @property
    def usage(self) -> Usage | None:
        """The figures of the last response that had any."""
        return self._usage

    @property
    def stream_id(self) -> str:
        """The response's id, empty before it was said."""
        return self._id

    @property
    def sequence(self) -> int:
        """The number after that of the last frame that the client was shown, 0 without numbers."""
        for frame in reversed(Framer().feed(self._last)):
            event = decoded(data_of(frame) or b"") or {}
            number = event.get("sequence_number")
            if type(number) is int:
                return number + 1
        return 0

    def feed(self, data: bytes) -> bytes:
        """Return the bytes that may go to the client now: whole frames before the terminal event."""
        shown = super().feed(data)
        if b"data" in shown:
            self._last = shown
        return shown

    def produced(self, frames: bytes) -> int:
        """Return the UTF-8 bytes of all deltas in whole frames."""
        return produced_bytes(frames)

    def _marked(self, data: bytes) -> bool:
        return _RESPONSE in data or b'"error"' in data

    def _event(self, name: bytes | None, data: dict[str, Any]) -> None:
        kind = text_or_none(data.get("type")) or (name or b"").decode(errors="replace")
        response = data.get("response")
        if isinstance(response, dict):
            self._read(response)
        else:
            response = {}
        if kind.endswith(".delta"):
            self.content = True
        elif kind.startswith("response.output_item."):
            self.content = self.content or not _is_empty_message(data.get("item"))
        elif kind in TERMINALS:
            self._end(kind, response)
        elif kind == "error" or data.get("error"):
            self._fail(fault_from(data.get("error")) or flat_fault(data))

    def _read(self, response: dict[str, Any]) -> None:
        self._id = self._id or text_or_none(response.get("id")) or ""
        self.model = self.model or text_or_none(response.get("model"))
        self._usage = usage_of(response) or self._usage

    def _end(self, kind: str, response: dict[str, Any]) -> None:
        """Hold from here on; the event and the response's own state should agree, an error wins."""
        self.done = True
        if kind in _FAILS or response.get("status") in BROKEN:
            self._fail(fault_of(response) or _FAILED)
        else:
            self._held = True
            self.finished = kind in _ENDS or response.get("status") in ENDED

    def _shown(self, frame: bytes) -> bytes:
        """Return a frame with the client's model name; only the response's own name changes."""
        value = self._model_value
        data = data_of(frame) if value is not None and _RESPONSE in frame else None
        if value is None or data is None:
            return frame
        try:
            raw = peek(data).raw("response")
            if raw is None or not raw.startswith(b"{"):
                return frame
            response = peek(raw)
        except PeekError:
            return frame
        if response.kind("model") is None:
            return frame
        return frame.replace(raw, response.replaced({"model": value}), 1)


def _is_empty_message(item: object) -> bool:
    """Tell whether an item is a message that says nothing yet: its text comes in deltas."""
    return isinstance(item, dict) and item.get("type") == "message" and not item.get("content")


def flat_fault(event: dict[str, Any]) -> UpstreamFault:
    """Return what an `error` event says whose fields are not nested in an `error`."""
    fields = {name: event.get(name) for name in ("code", "message", "status")}
    return fault_from(fields) or _FAILED


def produced_bytes(frames: bytes) -> int:
    """Return the UTF-8 bytes of text, reasoning and arguments in whole frames: their deltas.

    What is complete is said again in `.done` events and at the end, and is not counted twice.
    """
    if _RESPONSE not in frames:
        return _deltas(frames)
    # A response echoes the request, in which a client may have a field of that name.
    parts = Framer().feed(frames)
    return sum([_deltas(frame) for frame in parts if _RESPONSE not in frame])


def _deltas(frames: bytes) -> int:
    return sum([_unescaped(text) for text in _DELTA.findall(frames)])


def _unescaped(text: bytes) -> int:
    if b"\\" not in text:
        return len(text)
    try:
        return len(_TEXT.decode(b'"' + text + b'"').encode())
    except (msgspec.DecodeError, UnicodeDecodeError):
        return len(text)
