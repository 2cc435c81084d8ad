"""Owns the interface between the edge and the relay: one request and the way to answer it.

The relay sees a client only through this; it must not know of sockets, parsers or chunking.
The edge calls the relay once the whole body is there, so `body` is complete.
"""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from tollbridge.core.websocket import Socket


class Watcher(Protocol):
    """What the relay wants to hear of the client while a stream runs. Calls come from the loop."""

    def client_gone(self) -> None:
        """The connection is closed or has stalled for too long: nothing can be sent any more."""

    def client_slow(self) -> None:
        """The client's buffer is full: stop producing until `client_ready`."""

    def client_ready(self) -> None:
        """The client's buffer has drained."""


class HeadFacts:
    """What was worked out of a request's head alone, for the next request with the same head."""

    __slots__ = ("secret_digest",)

    def __init__(self) -> None:
        # SHA-256 of the key that was presented, None while nobody has looked.
        self.secret_digest: bytes | None = None


class Exchange(Protocol):
    """One request of a client and its answer; one of `reply`, `start` and `switch` may be called, once.

    Header blobs are complete lines, each ended by CRLF, lower-case names, without
    content-length, transfer-encoding, connection or date: those are the edge's. `task` is the one
    that runs the relay on this request.
    """

    method: str
    path: str
    query: bytes
    headers: Mapping[bytes, bytes]
    facts: HeadFacts
    peer: str
    body: bytes
    gone: bool
    watcher: Watcher | None
    task: asyncio.Task[None] | None

    def reply(self, status: int, headers: bytes, body: bytes) -> None:
        """Send a whole answer in one write. Does nothing when the client is gone."""

    def start(self, status: int, headers: bytes, first: bytes = b"") -> None:
        """Begin a streamed answer; head and `first` leave in one write."""

    def write(self, data: bytes) -> None:
        """Send more of a streamed answer."""

    def finish(self, data: bytes = b"") -> None:
        """Send the last bytes and end a streamed answer properly."""

    def abort(self) -> None:
        """Cut the connection so that the client cannot take the answer for complete."""

    def switch(self, head: bytes, socket: Socket) -> None:
        """Answer an upgrade with `head`, a whole 101; the connection is `socket`'s from then on."""
