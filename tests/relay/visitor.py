"""Owns the client's side of a call in tests: an exchange that notes what it is told to send.

It keeps the edge's promise to the relay: nothing is sent once the client has gone.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from tollbridge.core.websocket import Socket
from tollbridge.relay.exchange import HeadFacts, Watcher

SECRET = "sk-test-0123456789-0123456789-0123456789"


class Visitor:
    """An exchange whose client sits in the test; it also satisfies the relay's `Exchange`."""

    def __init__(
        self,
        body: Any = b"",
        *,
        path: str = "/v1/chat/completions",
        query: bytes = b"",
        headers: Mapping[bytes, bytes] | None = None,
        secret: str = SECRET,
        peer: str = "192.0.2.7",
    ) -> None:
        self.method = "POST"
        self.path = path
        self.query = query
        self.headers = {b"authorization": b"Bearer " + secret.encode(), **(headers or {})}
        self.facts = HeadFacts()
        self.peer = peer
        self.body = body if isinstance(body, bytes) else msgspec.json.encode(body)
        self.gone = False
        self.watcher: Watcher | None = None
        self.task: asyncio.Task[None] | None = None
        self.events: list[str] = []
        self.status = 0
        self.sent_headers = b""
        self.sent = b""
        self.written: list[bytes] = []
        self.ended = asyncio.Event()
        self.socket: Socket | None = None

    def reply(self, status: int, headers: bytes, body: bytes) -> None:
        """Take a whole answer."""
        self._open("reply", status, headers, body)
        self.ended.set()

    def start(self, status: int, headers: bytes, first: bytes = b"") -> None:
        """Take the head of a stream."""
        self._open("start", status, headers, first)

    def write(self, data: bytes) -> None:
        """Take more of a stream."""
        self.written.append(data)
        self._more("write", data)

    def finish(self, data: bytes = b"") -> None:
        """Take the proper end of a stream."""
        self._more("finish", data)
        self.ended.set()

    def switch(self, head: bytes, socket: Socket) -> None:
        """Take the head of an upgrade; nobody is at the other end of the connection."""
        self._open("switch", 101, head, b"")
        self.socket = socket
        self.ended.set()

    def abort(self) -> None:
        """Take the cut of the connection."""
        self.events.append("abort")
        self.ended.set()

    def leave(self) -> None:
        """Close the connection as a client does."""
        self.gone = True
        if self.watcher is not None:
            self.watcher.client_gone()

    def header(self, name: bytes) -> bytes | None:
        """Return the value of a header of the answer; fails when it was given twice."""
        found = [
            line.partition(b": ")[2]
            for line in self.sent_headers.split(b"\r\n")
            if line.partition(b": ")[0] == name
        ]
        assert len(found) < 2, found
        return found[0] if found else None

    def json(self) -> Any:
        """Return the whole answer as JSON."""
        return msgspec.json.decode(self.sent)

    def error_code(self) -> str:
        """Return the code of the error that was answered."""
        code: str = self.json()["error"]["code"]
        return code

    def frames(self) -> list[bytes]:
        """Return the data of every event that was sent, comments left out."""
        return [
            frame.removeprefix(b"data: ")
            for frame in self.sent.split(b"\n\n")
            if frame.startswith(b"data: ")
        ]

    def _open(self, event: str, status: int, headers: bytes, body: bytes) -> None:
        assert not ({"reply", "start", "switch"} & set(self.events)), f"{event} after {self.events}"
        self.events.append(event)
        if not self.gone:
            self.status, self.sent_headers, self.sent = status, headers, body

    def _more(self, event: str, data: bytes) -> None:
        assert self.events and self.events[0] == "start", f"{event} before a start"
        assert "finish" not in self.events, f"{event} after the finish"
        self.events.append(event)
        if not self.gone:
            self.sent += data
