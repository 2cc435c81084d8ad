"""Owns one running stream of Gemini: what may pass, what is held, what it says.

Frames end with CRLF and there is no end mark: a stream is complete when every candidate has a finish
reason and the upstream has closed. Usage stands in nearly every chunk; the last one counts
(protocols.md 2.1). Must not know money, accounts or sockets.
"""

from typing import Any

import msgspec

from tollbridge.protocols.answer import Identity
from tollbridge.protocols.facts import decoded, text_or_none
from tollbridge.protocols.gemini_names import spelled
from tollbridge.protocols.gemini_parts import (
    blocked,
    finish_of,
    gemini_fault,
    has_payload,
    index_of,
    objects,
    parts_of,
    produced_bytes,
    searches_in,
)
from tollbridge.protocols.gemini_usage import has_counts, usage_fields, usage_from
from tollbridge.protocols.json_peek import PeekError, peek
from tollbridge.protocols.sse import Framer, data_of
from tollbridge.protocols.tap import FrameTap
from tollbridge.protocols.usage import Usage


class GeminiTap(FrameTap):
    """Watches one stream. `copies` is the request's candidateCount; `rename` the client's model name.

    `identity` says what a chunk of our own bears where the upstream has not named itself.
    """

    def __init__(
        self, *, copies: int = 1, rename: str | None = None, identity: Identity | None = None
    ) -> None:
        super().__init__(rename)
        self._copies = copies
        self._identity = identity
        self._begun: set[int] = set()
        self._ended: set[int] = set()
        self._figures: dict[str, Any] | None = None
        self._searches = 0
        self._id = ""

    @property
    def usage(self) -> Usage | None:
        """What the last usage said; None when the upstream has given none."""
        usage = usage_from(self._figures)
        if usage is None or not self._searches:
            return usage
        return msgspec.structs.replace(usage, web_search=self._searches)

    @property
    def stream_id(self) -> str:
        """The upstream's responseId."""
        return self._id

    def produced(self, frames: bytes) -> int:
        """Return the UTF-8 bytes of text, thoughts, code and calls in whole frames."""
        return produced_bytes(frames)

    def close(self) -> None:
        """Take note of the upstream's end: where all that began has ended, it is the stream's own."""
        super().close()
        if self._ended and self._begun <= self._ended:
            self.finished = True
        self.done = self.finished and self.error is None

    def unsay(self, frames: bytes) -> None:
        """Take back the finishes in these frames and in the tail, which nobody will see."""
        for frame in Framer().feed(frames + self.finish_text()):
            chunk = decoded(data_of(frame) or b"") or {}
            for candidate in objects(chunk.get("candidates")):
                if finish_of(candidate):
                    self._ended.discard(index_of(candidate))

    def length_ending(self, used: Usage) -> bytes:
        """Return one chunk that ends all unfinished candidates for length, with what was used."""
        identity = self._identity
        model = self.model or (identity.model if identity else "")
        chunk: dict[str, Any] = {
            "candidates": [
                {
                    "content": {"parts": [{"text": ""}], "role": "model"},
                    "finishReason": "MAX_TOKENS",
                    "index": index,
                }
                for index in range(self._copies)
                if index not in self._ended
            ],
            "usageMetadata": usage_fields(used),
        }
        if model:
            chunk["modelVersion"] = model
        if self._id or identity:
            chunk["responseId"] = self._id or (identity.id if identity else "")
        return self._shown(b"data: " + msgspec.json.encode(chunk) + b"\r\n\r\n")

    def _event(self, _name: bytes | None, data: dict[str, Any]) -> None:
        chunk = spelled(data)
        fault = gemini_fault(chunk.get("error"))
        if fault is not None:
            self._fail(fault)
        self.model = self.model or text_or_none(chunk.get("modelVersion"))
        self._id = self._id or text_or_none(chunk.get("responseId")) or ""
        figures = chunk.get("usageMetadata")
        if has_counts(figures):
            self._figures = figures
        self._searches = max(self._searches, searches_in(chunk))
        for candidate in objects(chunk.get("candidates")):
            self._candidate(spelled(candidate))
        if blocked(chunk):
            self.finished = self._held = True

    def _candidate(self, candidate: dict[str, Any]) -> None:
        index = index_of(candidate)
        self._begun.add(index)
        if not self.content:
            self.content = any(has_payload(part) for part in parts_of(candidate))
        if finish_of(candidate):
            self._ended.add(index)
            if len(self._ended) >= self._copies:
                self.finished = self._held = True

    def _dataless(self, frame: bytes) -> None:
        """Take a body without `data:`; Vertex writes its errors so, some as an array of one."""
        value: Any = None
        if frame.lstrip()[:1] == b"[":
            wrapped = decoded(b'{"all":' + frame + b"}") or {}
            errors = objects(wrapped.get("all"))
            value = errors[0] if errors else None
        else:
            value = decoded(frame)
        fault = gemini_fault(value.get("error")) if isinstance(value, dict) else None
        if fault is None:
            super()._dataless(frame)
        else:
            self._fail(fault)

    def _shown(self, frame: bytes) -> bytes:
        """Return a frame with the client's model name; arguments may have such a field of their own."""
        if self._model_value is None or b'"modelVersion"' not in frame:
            return frame
        data = data_of(frame)
        if data is None:
            return frame
        try:
            top = peek(data)
        except PeekError:
            return frame
        if top.span("modelVersion") is None:
            return frame
        renamed = top.replaced({"modelVersion": self._model_value})
        if data in frame:
            return frame.replace(data, renamed, 1)
        return b"data: " + renamed.replace(b"\n", b"\ndata: ") + b"\n\n"
