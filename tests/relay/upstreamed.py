"""Owns the upstream's side of a stream in tests: frames, and a scene around one pump."""

import asyncio
from dataclasses import dataclass
from typing import Any

import msgspec

from tests.relay.calls import admitted, chat, visitor_of
from tests.relay.paper import no_budgets, paper_ledger
from tollbridge.core.settings import Settings
from tollbridge.protocols.answer import Identity
from tollbridge.relay.chat_dialects import CHAT
from tollbridge.relay.checkpoint import Checkpoints
from tollbridge.relay.outlet import Outlet
from tollbridge.relay.purses import Purses
from tollbridge.relay.reserve import Reserve
from tollbridge.relay.stream import StreamPump

LONG = 1000.0
EVENT_STREAM = [(b"content-type", b"text/event-stream; charset=utf-8")]
JSON = [(b"content-type", b"application/json")]
DONE = b"data: [DONE]\n\n"
COMMENT = b": still thinking\n\n"


def frame(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> bytes:
    """Return a chunk of an answer."""
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    chunk = {"id": "c", "model": "gpt-test", "choices": [choice], **more}
    return b"data: " + msgspec.json.encode(chunk) + b"\n\n"


def said(text: str) -> bytes:
    """Return a chunk with content."""
    return frame({"content": text})


OPENING = frame({"role": "assistant", "content": ""})
FINISH = frame(finish="stop")
USAGE = (
    b'data: {"id":"c","model":"gpt-test","choices":[],'
    b'"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}\n\n'
)
FAULT = b'data: {"error":{"message":"The server had an error","type":"server_error"}}\n\n'
ANSWER = OPENING + said("one ") + said("two") + FINISH + USAGE + DONE


@dataclass
class Pace:
    """The waits of a pump, in seconds."""

    finish_silence_s: float = LONG
    drain_cap_s: float = LONG


class Handle:
    """A running upstream call; notices what its owner forgets."""

    def __init__(self) -> None:
        self.paused = False
        self.aborted = False
        self.turns: list[str] = []

    def pause(self) -> None:
        """Stop reading."""
        self.paused = True
        self.turns.append("pause")

    def resume(self) -> None:
        """Read on."""
        self.paused = False
        self.turns.append("resume")

    def abort(self) -> None:
        """Close."""
        self.aborted = True


class Scene:
    """A call whose hold stands, its client, and the pump of its only attempt."""

    def __init__(self, *, drains: bool = False, step_nano: int = 10**15, **pace: float) -> None:
        self.ledger, self.writer = paper_ledger(w1=10**12)
        # The client asks for the usage itself, so that every byte is to arrive as it was sent.
        options = {"include_usage": True}
        self.call = admitted(chat(stream=True, stream_options=options))
        self.client = visitor_of(self.call)
        self.handle = Handle()
        self._drains, self._step_nano, self._pace = drains, step_nano, Pace(**pace)

    async def __aenter__(self) -> "Scene":
        loop = asyncio.get_running_loop()
        await Reserve(self.ledger, Settings(), Purses(no_budgets())).hold(self.call)
        self.outlet = Outlet(self.call, loop, LONG)
        tap = CHAT.tap(self.call.ask, self.call.channel.accounts[0], Identity("c", 0, "gpt-test"))
        points = Checkpoints(self.call, self.ledger, self._step_nano)
        self.pump = StreamPump(tap, self.outlet, points, self._pace, drains=self._drains)
        self.pump.call = self.handle
        self.client.watcher = self.pump
        return self

    async def __aexit__(self, *_: object) -> None:
        self.pump.stop()
        self.outlet.close()
        self.ledger.stop()

    def begin(self, *pieces: bytes) -> None:
        """Let the upstream begin an event stream with these pieces."""
        self.pump.head(200, EVENT_STREAM)
        self.feed(*pieces)

    def feed(self, *pieces: bytes) -> None:
        """Let more arrive, each piece by itself."""
        for piece in pieces:
            self.pump.data(piece)

    @property
    def whole(self) -> bytes:
        """What the client has, with what is held back for the end."""
        return self.client.sent + self.pump.last_frames()
