"""Owns the counts of limits that processes share, in one Redis or Valkey.

All that waits while one script runs goes together in the next: no linger, no queue of scripts. While
the server is away this process answers from its own memory, with the full limits. Money never
depends on any of this.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Sequence
from hashlib import sha1
from typing import NamedTuple

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from tollbridge.core.telemetry import get_logger
from tollbridge.storage.counters import (
    BACK,
    BUCKET_MS,
    CONCURRENCY_WAIT_MS,
    Limit,
    Refusal,
    Scope,
    State,
    Ticket,
    reserved,
)
from tollbridge.storage.counters_memory import MemoryCounters
from tollbridge.storage.counters_script import SCRIPT

_log = get_logger(__name__)
_SHA = sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()
_BATCH_MAX = 256
_HEAD, _FIGURES = 4, 4
# More than can be alive at once.
_OLD_NAMES = 64
_LIMITS = (Limit.REQUESTS, Limit.TOKENS, Limit.CONCURRENCY)
_SCHEMES = {"valkey://": "redis://", "valkeys://": "rediss://"}
# What a server raises that is away, too slow (a TimeoutError is an OSError) or no Redis at all.
_TROUBLE = (RedisError, OSError, msgspec.DecodeError)


class BadRedisUrl(ValueError):
    """The URL cannot be used; the text never holds it, for it may hold a password."""


class Pace(NamedTuple):
    """The waits of the store. A process that says nothing for `alive_ms` has no slots any more."""

    answer_s: float = 0.25
    retry_s: float = 1.0
    beat_s: float = 10.0
    alive_ms: int = 30_000
    bucket_ms: int = BUCKET_MS


class _Waiting(NamedTuple):
    scopes: Sequence[Scope]
    tokens: int
    future: asyncio.Future[Ticket | Refusal]


class RedisCounters:
    """Counts in a server that every process asks; see `Counters` for what the methods do."""

    def __init__(self, url: str, pace: Pace | None = None) -> None:
        """`url` is redis://, rediss://, valkey://, valkeys:// or unix://; raises BadRedisUrl."""
        self._pace = pace = pace or Pace()
        self._redis = open_client(url)
        self._own = MemoryCounters(bucket_ms=pace.bucket_ms)
        self._me = secrets.token_hex(8)
        self._was: deque[str] = deque(maxlen=_OLD_NAMES)
        self._shared = False
        self._told = False
        self._takes: list[_Waiting] = []
        self._gives: list[tuple[str, int, int, int]] = []
        # Scopes whose slots the server does not know yet.
        self._changed: set[str] = set()
        self._beat = False
        self._flight: asyncio.Task[None] | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def shared(self) -> bool:
        """Whether the server answers."""
        return self._shared

    async def start(self) -> None:
        """Ask the server for the first time, and keep in touch from now on."""
        await self._come_back()
        self._keeper = asyncio.get_running_loop().create_task(self._keep())

    async def stop(self) -> None:
        """Say what is unsaid, leave the server without slots, and close."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        if self._flight is not None:
            await self._flight
        if self._shared:
            self._shared = False
            try:
                async with asyncio.timeout(self._pace.answer_s):
                    await self._redis.delete(f"tollbridge:alive:{self._me}")
            except _TROUBLE as error:
                _log.warning("limits: left without a word", fault=type(error).__name__)
        await self._redis.aclose()

    async def take(self, scopes: Sequence[Scope], tokens: int) -> Ticket | Refusal:
        """Count a call in all scopes or in none."""
        if not self._shared:
            return self._own.take_now(scopes, tokens)
        future: asyncio.Future[Ticket | Refusal] = asyncio.get_running_loop().create_future()
        self._takes.append(_Waiting(scopes, tokens, future))
        self._take_off()
        try:
            return await future
        except asyncio.CancelledError:
            # The answer may have come in the same turn of the loop; then nobody else knows of it.
            if future.done() and not future.cancelled():
                self._unwanted(future.result())
            raise

    def give(self, ticket: Ticket, tokens: int, *, sent: bool) -> None:
        """End a call. What was counted at a server that is away now stays counted there."""
        if not ticket.shared:
            was_open = ticket.open
            self._own.give(ticket, tokens, sent=sent)
            if was_open:
                self._slots_changed(ticket.scopes)
            return
        if not ticket.close():
            return
        self._own.free(ticket)
        if self._shared:
            for scope in ticket.scopes:
                requests = 1 if scope.rpm and not sent else 0
                more = tokens - reserved(ticket.tokens, scope) if scope.tpm else 0
                if requests or more:
                    self._gives.append((scope.name, ticket.bucket, requests, more))
            self._slots_changed(ticket.scopes)

    def _unwanted(self, answer: Ticket | Refusal) -> None:
        if isinstance(answer, Ticket):
            self.give(answer, 0, sent=False)

    def _slots_changed(self, scopes: Sequence[Scope]) -> None:
        if self._shared:
            self._changed.update(scope.name for scope in scopes if scope.concurrency)
            self._take_off()

    def _take_off(self) -> None:
        if self._flight is None:
            self._flight = asyncio.get_running_loop().create_task(self._fly())

    async def _fly(self) -> None:
        """Ask until nothing waits."""
        try:
            while self._shared and (self._beat or self._takes or self._gives or self._changed):
                self._beat = False
                takes, self._takes = self._takes[:_BATCH_MAX], self._takes[_BATCH_MAX:]
                gives, self._gives = self._gives[:_BATCH_MAX], self._gives[_BATCH_MAX:]
                changed, self._changed = self._changed, set()
                try:
                    answers = await self._ask(takes, gives, changed, self._pace.answer_s)
                except _TROUBLE as error:
                    self._lose(takes, error)
                else:
                    for waiting, answer in zip(takes, answers, strict=True):
                        self._answer(waiting, self._read(waiting, answer))
        finally:
            self._flight = None

    async def _ask(
        self,
        takes: Sequence[_Waiting],
        gives: Sequence[tuple[str, int, int, int]],
        changed: set[str],
        patience_s: float,
    ) -> list[list[int]]:
        """Run the script once and return its answer to each take."""
        for waiting in takes:
            changed.update(scope.name for scope in waiting.scopes if scope.concurrency)
        slots, pace = self._own.slots, self._pace
        question = msgspec.json.encode(
            {
                "me": self._me,
                "was": list(self._was),
                "alive_ms": pace.alive_ms,
                # Each beat says every slot again; three of them may be missed.
                "keep_ms": 3 * pace.alive_ms,
                "bucket_ms": pace.bucket_ms,
                "back": BACK,
                "slot_wait_ms": CONCURRENCY_WAIT_MS,
                "slots": [(name, slots.get(name, 0)) for name in changed],
                "gives": gives,
                "takes": [
                    [(*scope, reserved(waiting.tokens, scope)) for scope in waiting.scopes]
                    for waiting in takes
                ],
            }
        )
        async with asyncio.timeout(patience_s):
            try:
                reply = await self._redis.evalsha(_SHA, 0, question)
            except NoScriptError:
                reply = await self._redis.eval(SCRIPT, 0, question)
                # The server is new or has forgotten everything: tell it of every slot.
                self._changed.update(slots)
        # In Lua there is no telling an empty list from an empty object.
        return msgspec.json.decode(reply, type=list[list[int]]) if takes else []

    def _read(self, waiting: _Waiting, answer: list[int]) -> Ticket | Refusal:
        bucket, place, limit, wait_ms = answer[:_HEAD]
        scopes = waiting.scopes
        places = range(_HEAD, len(answer), _FIGURES)
        states = [State(*answer[at : at + _FIGURES]) for at in places]
        if place:
            return Refusal(scopes[place - 1], _LIMITS[limit - 1], wait_ms, states)
        self._own.occupy(scopes)
        return Ticket(scopes, waiting.tokens, bucket, states, shared=True)

    def _answer(self, waiting: _Waiting, answer: Ticket | Refusal) -> None:
        if waiting.future.cancelled():
            self._unwanted(answer)
        else:
            waiting.future.set_result(answer)

    def _lose(self, takes: Sequence[_Waiting], error: Exception) -> None:
        """The server is away: from now on this process counts alone."""
        self._shared = False
        self._tell_of(error)
        waiting, self._takes = [*takes, *self._takes], []
        self._gives.clear()
        self._changed.clear()
        for one in waiting:
            if not one.future.cancelled():
                one.future.set_result(self._own.take_now(one.scopes, one.tokens))

    def _tell_of(self, error: Exception) -> None:
        if not self._told:
            self._told = True
            _log.warning("limits are no longer shared", fault=type(error).__name__)

    async def _keep(self) -> None:
        """Beat while the server answers, ask for it again while it does not."""
        loop = asyncio.get_running_loop()
        beaten = loop.time()
        while True:
            await asyncio.sleep(min(self._pace.retry_s, self._pace.beat_s))
            if not self._shared:
                await self._come_back()
                beaten = loop.time()
            elif loop.time() - beaten >= self._pace.beat_s:
                beaten = loop.time()
                self._changed.update(self._own.slots)
                self._beat = True
                self._take_off()

    async def _come_back(self) -> None:
        """Try to share again, under a new name: what the old one had at the server is void.

        It is not known which of the last words got there, so all slots are said anew.
        """
        self._was.append(self._me)
        self._me = secrets.token_hex(8)
        said = set(self._own.slots)
        try:
            await self._ask((), (), said.copy(), self._pace.retry_s)
        except _TROUBLE as error:
            await self._redis.connection_pool.disconnect()
            self._tell_of(error)
            return
        self._shared = True
        self._was.clear()
        # Slots may have come and gone while we asked.
        self._changed.update(said, self._own.slots)
        self._take_off()
        if self._told:
            self._told = False
            _log.warning("limits are shared again")


def open_client(url: str) -> Redis:
    """Return a client without a connection, retries or waits of its own; raises BadRedisUrl."""
    for ours, theirs in _SCHEMES.items():
        if url.startswith(ours):
            url = theirs + url.removeprefix(ours)
    try:
        client = Redis.from_url(
            url,
            # The store decides itself what to do about a failure, and how long to wait.
            retry=Retry(NoBackoff(), 0),
            socket_timeout=None,
            socket_connect_timeout=None,
            driver_info=None,
            protocol=2,
        )
        # Unknown options of the URL show only now.
        client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        return client
    except (TypeError, ValueError):
        raise BadRedisUrl(
            "redis_url cannot be used; its form is redis://user:password@host:port/number"
        ) from None
