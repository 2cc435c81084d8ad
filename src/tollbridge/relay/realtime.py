"""Owns one realtime session: messages pass both ways untouched, and what is used is counted.

It sees two ends and a tab. Money comes first: a response's end is passed on once it is in the books,
and at the end of a session what still runs is stopped and its usage awaited. Must not know of
sockets, accounts, prices or how an error looks.
"""

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from tollbridge.core.telemetry import get_logger
from tollbridge.core.websocket import Message
from tollbridge.protocols.realtime import Answered, Begun, Used, cancel, read_event
from tollbridge.relay.checkpoint import Answer

_log = get_logger(__name__)
_PING_S: Final = 20.0
_RUNNING_MAX: Final = 1_000


class End(Protocol):
    """One end of a session: a client or an upstream."""

    @property
    def heard_at(self) -> float:
        """The loop's time at which it last gave a sign of life."""

    @property
    def over(self) -> bool:
        """Whether nothing can be sent to it any more."""

    @property
    def slow(self) -> bool:
        """Whether `send` would have to wait."""

    async def receive(self) -> Message | None:
        """Return its next message, None when there will be none."""

    async def send(self, message: Message) -> None:
        """Send a message, waiting while it is slow; nothing when it is gone."""

    def ping(self) -> None:
        """Ask for a sign of life."""


class Counter(Protocol):
    """What counts the usage of a session."""

    async def add(self, told: Used) -> Answer:
        """Count it and have it in the books."""


class Cause(StrEnum):
    """Why a session is over."""

    CLIENT = "client"
    UPSTREAM = "upstream"
    SHORT = "short"
    """The money for more is not there."""
    LOST = "lost"
    """The books did not answer, or know the session no more."""
    CAPPED = "capped"
    DRAINED = "drained"
    """The process is ending."""
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """Times in seconds: of a whole session, of an end's silence, of the wait for usage at the end.

    `settling_s` is waited for responses that run, `silence_s` where none is known to.
    """

    total_s: float
    client_silence_s: float
    upstream_silence_s: float
    settling_s: float
    silence_s: float


class Session:
    """One session; `run` it once."""

    def __init__(
        self, client: End, upstream: End, tab: Counter, limits: SessionLimits, name: str
    ) -> None:
        """`name` is an id that no event of the client bears."""
        self._client = client
        self._upstream = upstream
        self._tab = tab
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._fence_id = f"end_{name}"
        self._fence = b""
        self._quiet = False
        self._draining = False
        self._running: set[str] = set()
        self._changed = asyncio.Event()
        self._cause: asyncio.Future[Cause] = self._loop.create_future()

    @property
    def unfinished(self) -> bool:
        """Whether a response was begun whose usage is not known."""
        return bool(self._running)

    def drain(self) -> None:
        """End as soon as no response runs: the process is ending."""
        self._draining = True
        if not self._running:
            self._end(Cause.DRAINED)

    async def run(self) -> Cause:
        """Pass messages until there is a cause to end; everything known to be used is counted then.

        When cancelled, what was counted until then stands.
        """
        up, down, watch = (
            self._loop.create_task(part) for part in (self._up(), self._down(), self._watch())
        )
        tasks = (up, down, watch)
        for task in tasks:
            task.add_done_callback(self._stopped)
        try:
            cause = await self._cause
            up.cancel()
            watch.cancel()
            if not down.done():
                await self._wind_down(down)
            return cause
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _up(self) -> None:
        while (message := await self._client.receive()) is not None:
            await self._upstream.send(message)
        self._end(Cause.CLIENT)

    async def _down(self) -> None:
        while (message := await self._upstream.receive()) is not None:
            shown = not self._cause.done()
            told = read_event(message.data, self._fence) if message.text else None
            answer = Answer.MORE if told is None else await self._note(told)
            # What the books do not know of must not look as if it were done.
            if shown and answer in {Answer.MORE, Answer.SHORT}:
                await self._show(message)
            if answer is Answer.SHORT:
                self._end(Cause.SHORT)
            elif answer is not Answer.MORE:
                self._end(Cause.LOST)
            elif self._draining and told is not None and not self._running:
                self._end(Cause.DRAINED)
        self._end(Cause.UPSTREAM)

    async def _show(self, message: Message) -> None:
        """Send to the client; one that is slow does not keep the session from ending."""
        if not self._client.slow:
            await self._client.send(message)
            return
        sending = self._loop.create_task(self._client.send(message))
        try:
            await asyncio.wait((sending, self._cause), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sending.cancel()

    async def _note(self, told: Begun | Used | Answered) -> Answer:
        answer = Answer.MORE
        if isinstance(told, Begun):
            if len(self._running) < _RUNNING_MAX:
                self._running.add(told.id)
        elif isinstance(told, Used):
            answer = await self._tab.add(told)
            if told.response:
                self._running.discard(told.id)
                self._quiet = bool(self._fence)
        else:
            self._quiet = True
        self._changed.set()
        return answer

    async def _watch(self) -> None:
        """Ask both ends for signs of life; end with the one that gives none, or with the time."""
        limits, loop = self._limits, self._loop
        ends_at = loop.time() + limits.total_s
        pause_s = min(_PING_S, limits.client_silence_s / 3, limits.upstream_silence_s / 3)
        while (now := loop.time()) < ends_at:
            if now - self._client.heard_at > limits.client_silence_s:
                self._end(Cause.CLIENT)
            elif now - self._upstream.heard_at > limits.upstream_silence_s:
                self._end(Cause.UPSTREAM)
            self._client.ping()
            self._upstream.ping()
            await asyncio.sleep(min(pause_s, ends_at - now))
        self._end(Cause.CAPPED)

    async def _wind_down(self, down: asyncio.Task[None]) -> None:
        """Stop what runs upstream and take in what it used.

        The last event that is sent is refused unless it stops something; either answer says that
        nothing the client had asked for before is still to come.
        """
        limits, loop = self._limits, self._loop
        ends_at = loop.time() + limits.settling_s
        self._fence = self._fence_id.encode()
        try:
            async with asyncio.timeout(limits.silence_s):
                for response_id in tuple(self._running):
                    if response_id:
                        await self._upstream.send(Message(cancel(self._fence_id, response_id)))
                await self._upstream.send(Message(cancel(self._fence_id)))
        except TimeoutError:
            pass
        while not down.done() and (self._running or not self._quiet):
            left_s = ends_at - loop.time()
            patience_s = left_s if self._running else min(left_s, limits.silence_s)
            self._changed.clear()
            changed = loop.create_task(self._changed.wait())
            done, _ = await asyncio.wait(
                (down, changed), timeout=max(patience_s, 0), return_when=asyncio.FIRST_COMPLETED
            )
            changed.cancel()
            if not done:
                return

    def _end(self, cause: Cause) -> None:
        if not self._cause.done():
            self._cause.set_result(cause)

    def _stopped(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (fault := task.exception()) is not None:
            _log.error("session failed", fault=type(fault).__name__, exc_info=fault)
            self._end(Cause.FAULT)
