"""Owns the pretend vendor: a small HTTP server on loopback that answers as its callers script it.

It serves the demonstration, the tests and the benchmark, so it is real (sockets, HTTP, streams)
and cheap. It must not know of the gateway. Plain chats are the hot path and are answered here, all
other surfaces by `fake_route`. What it remembers: `fake_books`; how it is steered from outside:
`fake_control`.
"""

import argparse
import asyncio
import contextlib
import signal
import socket
import struct
import sys
from typing import cast

import httptools
import uvloop

from tollbridge.core.clock import now_ms
from tollbridge.demo import fake_chat, fake_openai, fake_reply, fake_route
from tollbridge.demo.fake_books import Books, Call
from tollbridge.demo.fake_control import CONTROL, control
from tollbridge.demo.fake_errors import OPENAI
from tollbridge.demo.fake_fate import fate, refused
from tollbridge.demo.fake_openai import Event, Shape
from tollbridge.demo.fake_reply import Reply
from tollbridge.demo.fake_script import Ask, BadAsk, Script, answer, read_ask, read_script
from tollbridge.demo.fake_speech import Talk, speak

_CHAT = "/v1/chat/completions"
_COMPLETIONS = "/v1/completions"
_PATHS = frozenset({_CHAT, _COMPLETIONS})
_EVENTS_A_TURN = 64
_MS = 1_000
_RESET_AFTER_MS = 20
_LINGER_NONE = struct.pack("ii", 1, 0)


class FakeUpstream:
    """A pretend vendor on 127.0.0.1; `books` is what it remembers, also for in-process tests."""

    def __init__(self) -> None:
        """Make a server that does not listen yet."""
        self.books = Books()
        self.connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> str:
        """Listen on a port, 0 for any free one, and return the base URL; OSError when taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self, loop), "127.0.0.1", port, backlog=1024
        )
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Stop listening and cut all connections."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self.connections):
            connection.cut()
        await self._server.wait_closed()
        self._server = None

    def reply(self, call: Call, body: bytes) -> Reply:
        """Return the answer to a call and note in the books what the call asked for."""
        if call.path not in _PATHS:
            return fake_route.answered(self.books, call, body)
        if call.place != "authorization":
            return refused(OPENAI, 401, "You didn't provide an API key.")
        try:
            ask = read_ask(body)
            script = read_script(ask, self.books.defaults(call.secret))
        except BadAsk as error:
            return refused(OPENAI, 400, str(error))
        self.books.describe(call, ask, script)
        return self._scripted(call, ask, script)

    def _scripted(self, call: Call, ask: Ask, script: Script) -> Reply:
        end = fate(self.books, script, (ask.messages, ask.prompt))
        if end is not None:
            return end
        chat = call.path == _CHAT
        missing = _missing(ask, chat=chat)
        if missing:
            return refused(OPENAI, 400, f"Missing required parameter: '{missing}'.")
        if chat and (script.rich or (ask.wishes and not script.decides)):
            return self._rich(ask, script)
        said = answer(ask, script)
        now = now_ms() // _MS
        shape = Shape(chat, ask.model, self.books.count, now, ask.include_usage, script, said)
        if ask.stream:
            return fake_reply.streamed(script, fake_openai.stream(shape))
        return fake_reply.unary(script, fake_openai.unary(shape), said.completion_tokens)

    def _rich(self, ask: Ask, script: Script) -> Reply:
        """Answer a chat that wants more than text, or whose script does."""
        wish, serial = fake_chat.wish_of(ask), self.books.count
        said = speak(wish, script, serial)
        talk = Talk(ask.model, script, said, serial, now_ms() // _MS)
        if ask.stream:
            events = fake_chat.stream(talk, wish.choices, include_usage=ask.include_usage)
            return fake_reply.streamed(script, events)
        return fake_reply.unary(script, fake_chat.unary(talk, wish.choices), said.counts.output)


def _missing(ask: Ask, *, chat: bool) -> str:
    if not ask.model:
        return "model"
    if chat:
        return "" if bytes(ask.messages) else "messages"
    return "" if bytes(ask.prompt) else "prompt"


class _Connection(asyncio.Protocol):
    """One caller's connection: reads calls one after the other and plays the replies."""

    def __init__(self, upstream: FakeUpstream, loop: asyncio.AbstractEventLoop) -> None:
        self._upstream = upstream
        self._loop = loop
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.Handle | None = None
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._call: Call | None = None
        self._reply: Reply | None = None
        self._waiting: Event | None = None
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._upstream.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's signature
        self._transport = None
        self._upstream.connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._call is not None:
            self._end(aborted=True)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.cut()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._reply is not None and self._timer is None:
            self._play_on()

    def on_message_begin(self) -> None:
        self._url, self._headers, self._body = b"", [], []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        self._headers.append((name, value))
        if name == b"expect" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._call is not None or self._transport is None:
            self.cut()
            return
        books = self._upstream.books
        path, _, query = self._url.decode("latin-1").partition("?")
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        if path.startswith(CONTROL):
            self._transport.write(control(books, path, query, body).first)
            return
        method = self._parser.get_method().decode("latin-1")
        self._call = books.receive(path, self._headers, body, method, query)
        reply = self._reply = self._upstream.reply(self._call, body)
        self._call.status = reply.status
        if reply.events is not None:
            books.open_streams += 1
        if reply.delay_ms:
            self._timer = self._loop.call_later(reply.delay_ms / _MS, self._begin)
        elif not reply.hang:
            self._begin()

    def cut(self) -> None:
        """Reset the connection, so that the caller sees an error and not an end."""
        if self._transport is None:
            return
        sock = self._transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
        self._transport.abort()

    def _begin(self) -> None:
        self._timer = None
        reply, call = self._reply, self._call
        if reply is None or call is None or self._transport is None or self._left():
            return
        self._transport.write(reply.first)
        self._upstream.books.deliver(call, reply.tokens)
        if reply.events is not None:
            self._play()
        elif reply.reset:
            self._reset_soon()
        else:
            self._end(aborted=False)
            if reply.close:
                self._transport.close()

    def _play(self) -> None:
        """Write events until one must wait: for its time, for a slow reader or for its turn."""
        if self._reply is None or self._reply.events is None or self._left():
            return
        events = self._reply.events
        for _ in range(_EVENTS_A_TURN):
            try:
                event = next(events, None)
            except fake_reply.Cut:
                self._reset_soon()
                return
            if event is None:
                self._end(aborted=False)
                return
            if event.pause_ms or self._paused:
                self._wait(event)
                return
            self._write(event)
        self._timer = self._loop.call_soon(self._resume)

    def _wait(self, event: Event) -> None:
        self._waiting = event
        if event.pause_ms:
            self._timer = self._loop.call_later(event.pause_ms / _MS, self._resume)

    def _resume(self) -> None:
        self._timer = None
        if not self._paused and not self._left():
            self._play_on()

    def _left(self) -> bool:
        """Whether the caller is known to have left, be it that `connection_lost` is yet to come."""
        return self._transport is None or self._transport.is_closing()

    def _play_on(self) -> None:
        event, self._waiting = self._waiting, None
        if event is not None:
            self._write(event)
        self._play()

    def _write(self, event: Event) -> None:
        if self._transport is not None and self._call is not None:
            self._transport.write(event.data)
            self._upstream.books.deliver(self._call, event.tokens)

    def _reset_soon(self) -> None:
        """Reset once what was written has had time to leave; the call then counts as answered."""
        self._end(aborted=False)
        self._timer = self._loop.call_later(_RESET_AFTER_MS / _MS, self.cut)

    def _end(self, *, aborted: bool) -> None:
        call, reply = self._call, self._reply
        self._call = self._reply = self._waiting = None
        if call is not None:
            self._upstream.books.end(call, aborted=aborted)
        if reply is not None and reply.events is not None:
            self._upstream.books.open_streams -= 1


async def serve(port: int) -> None:
    """Serve until SIGINT or SIGTERM; prints the base URL as one line when ready."""
    upstream = FakeUpstream()
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    url = await upstream.start(port)
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()
    await stopped.wait()
    await upstream.stop()


def main() -> None:
    """Run the pretend vendor as a process of its own."""
    parser = argparse.ArgumentParser(
        prog="python -m tollbridge.demo.fake_upstream", description="A pretend vendor."
    )
    parser.add_argument(
        "--port", type=int, default=0, help="port on 127.0.0.1; 0 takes any free one"
    )
    uvloop.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
