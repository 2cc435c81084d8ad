"""Owns how each surface is asked: its path, its headers, a body of a given size, its stream's end.

Pure. It must not know of processes or sockets.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

MODEL = "bench-model"
_SENTENCE = "The quick brown fox jumps over the lazy dog and goes home for tea. "

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Surface:
    """One way to ask. `blank` is what ends an event, `end` what a whole stream ends with.

    `secret` is the header line for a key. A Gemini stream has no end mark: its events are counted.
    """

    path: str
    secret: str
    asking: Callable[[str], dict[str, Any]]
    blank: bytes
    end: bytes
    lines: tuple[str, ...] = ()

    def body(self, size: int, fields: Fields) -> bytes:
        """Return a request of exactly that many bytes; ValueError when it cannot be that small."""
        room = size - len(self._body("", fields))
        if room < 0:
            raise ValueError(f"a body of {size} bytes is too small for its fields")
        repeated = _SENTENCE * (room // len(_SENTENCE) + 1)
        return self._body(repeated[:room], fields)

    def request(self, body: bytes, secret: str) -> bytes:
        """Return a whole HTTP request, ready to be written again and again."""
        lines = (
            f"POST {self.path} HTTP/1.1",
            "host: 127.0.0.1",
            self.secret.format(secret),
            *self.lines,
            "content-type: application/json",
            "user-agent: bench/1",
            f"content-length: {len(body)}",
            "\r\n",
        )
        return "\r\n".join(lines).encode() + body

    def _body(self, text: str, fields: Fields) -> bytes:
        return msgspec.json.encode({**self.asking(text), **fields})


def _chat(text: str) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": text}]}


def _gemini(text: str) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}]}


CHAT = Surface(
    "/v1/chat/completions",
    "authorization: Bearer {}",
    _chat,
    b"\n\n",
    b"data: [DONE]\n\n",
)
MESSAGES = Surface(
    "/v1/messages",
    "x-api-key: {}",
    _chat,
    b"\n\n",
    b'data: {"type":"message_stop"}\n\n',
    ("anthropic-version: 2023-06-01",),
)
GEMINI_STREAM = Surface(
    f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse",
    "x-goog-api-key: {}",
    _gemini,
    b"\r\n\r\n",
    b"\r\n\r\n",
)
