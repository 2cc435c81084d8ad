"""Owns one running stream of an Anthropic message that passes as it is: what is held, what it says.

JSON is parsed only for frames that bear a marker; a quote within a JSON string is escaped, so
searching the bytes for a marker in quotes misses nothing (protocols.md 7.4). Must not know money,
accounts or sockets.
"""

import re
from typing import Any, Final

from tollbridge.protocols.conversation import Json
from tollbridge.protocols.facts import UpstreamFault, decoded, text_or_none
from tollbridge.protocols.messages import carries, fault_of
from tollbridge.protocols.messages_frames import (
    EMPTY_TEXT,
    MESSAGE_STOP,
    block_start,
    block_stop,
    message_end,
    message_start,
    produced_bytes,
)
from tollbridge.protocols.messages_usage import (
    begun_usage,
    delta_usage_fields,
    merged_usage,
    usage_from,
)
from tollbridge.protocols.sse import Framer, data_of
from tollbridge.protocols.tap import FrameTap
from tollbridge.protocols.usage import Usage

_MODEL: Final = re.compile(rb'("model"\s*:\s*)"(?:[^"\\]|\\.)*"')
_START: Final = b'"message_start"'
_UNNAMED: Final = UpstreamFault(type="api_error", code="", message="")


class MessagesTap(FrameTap):
    """Watches the stream of one message; `rename` is the client's name for a mapped model."""

    def __init__(self, rename: str | None = None) -> None:
        super().__init__(rename)
        self._client_model = rename
        self._figures: Json | None = None
        self._counted = False
        self._id = ""
        self._started = False
        # The blocks that were opened, and those of them that are not closed yet.
        self._blocks = 0
        self._open: list[int] = []

    @property
    def usage(self) -> Usage | None:
        """The figures seen so far; what only the start of a message tells is interim."""
        return (usage_from if self._counted else begun_usage)(self._figures)

    @property
    def stream_id(self) -> str:
        """The message's id."""
        return self._id

    def produced(self, frames: bytes) -> int:
        """Return the UTF-8 bytes of text, thinking and tool input in whole frames."""
        return produced_bytes(frames)

    def _marked(self, data: bytes) -> bool:
        # Written out, for it is asked for every chunk.
        return b'"message_' in data or b'"content_block_st' in data or b'"error"' in data

    def _event(self, name: bytes | None, data: dict[str, Any]) -> None:
        kind = data.get("type")
        if self.error is not None:
            return
        if kind == "error" or name == b"error":
            self._fail(fault_of(data) or _UNNAMED)
        elif kind == "content_block_delta":
            delta = data.get("delta")
            self.content = self.content or (isinstance(delta, dict) and _says(delta))
        elif kind == "content_block_start":
            block = data.get("content_block")
            self.content = self.content or (isinstance(block, dict) and carries(block))
        elif kind == "message_start":
            self._begin(data.get("message"))
        elif kind == "message_delta":
            figures = data.get("usage")
            self._figures = merged_usage(self._figures, figures)
            self._counted = self._counted or usage_from(figures) is not None
            delta = data.get("delta")
            if isinstance(delta, dict) and delta.get("stop_reason"):
                self.finished = self._held = True
        elif kind == "message_stop":
            self.done = self._held = True
        self._follow(data)

    def _begin(self, message: object) -> None:
        # A second start is an anomaly of the upstream; the vendor's own client ignores it too.
        if isinstance(message, dict) and not self._started:
            self._id = text_or_none(message.get("id")) or ""
            self.model = text_or_none(message.get("model"))
            self._figures = merged_usage(None, message.get("usage"))

    def _follow(self, data: dict[str, Any]) -> None:
        """Keep track of what the client has to see closed."""
        kind, index = data.get("type"), data.get("index")
        if kind == "message_start":
            self._started = True
        elif kind == "content_block_start" and isinstance(index, int):
            self._blocks += 1
            self._open.append(index)
        elif kind == "content_block_stop" and index in self._open:
            self._open.remove(index)

    def _shown(self, frame: bytes) -> bytes:
        value = self._model_value
        if value is None or _START not in frame:
            return frame
        return _MODEL.sub(lambda match: match[1] + value, frame, count=1)

    def unsay(self, frames: bytes) -> None:
        """Take back what these frames and the tail said of open blocks, the last one first."""
        for frame in reversed(Framer().feed(frames + self.finish_text())):
            data = decoded(data_of(frame) or b"") or {}
            kind, index = data.get("type"), data.get("index")
            if kind == "content_block_stop" and isinstance(index, int):
                self._open.append(index)
            elif kind == "content_block_start" and index in self._open:
                self._blocks -= 1
                self._open.remove(index)
            elif kind == "message_start":
                self._started = False

    def length_ending(self, used: Usage) -> bytes:
        """Return the frames that end the message for length: open blocks closed, figures, the end.

        A message that the client has seen nothing of begins here; one without any block gets an
        empty one, for clients break on none.
        """
        parts: list[bytes] = []
        if not self._started:
            model = self._client_model or self.model or ""
            parts.append(message_start(self._id, model, delta_usage_fields(used)))
        if not self._blocks:
            parts += [block_start(0, EMPTY_TEXT), block_stop(0)]
        parts += [block_stop(index) for index in self._open]
        return b"".join([*parts, message_end("max_tokens", None, used)])

    def closing(self, *, silent: bool) -> bytes:  # noqa: ARG002 (the end is missing either way)
        """Return what was held back, with the last frame where the upstream ended without it."""
        held = self.finish_text()
        if self.finished and not self.done and self.error is None:
            return held + MESSAGE_STOP
        return held


def _says(delta: Json) -> bool:
    """Say whether a delta is more than an empty beginning."""
    return any(value for name, value in delta.items() if name != "type")
