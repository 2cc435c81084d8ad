"""Owns a run of ten minutes before ten accounts: who calls, who watches the pool, what is noted.

First the bad accounts fail; then they heal, and a thinner traffic goes on until all that was held
against them is over and they have their calls again; at last a round of calls shows their shares.
"""

import asyncio
from dataclasses import dataclass, field
from random import Random

from tests.faults.ten_fates import FIRST_BYTE_S
from tests.faults.ten_house import USERS, House, secret_of
from tests.faults.ten_vendor import TenVendor
from tests.relay.calls import chat
from tests.relay.visitor import Visitor

MINUTES_S = 600.0
_CALLS_A_S = 17.5
_AFTERWARDS_A_S = 6.0
_LAST_S = 65.0
_WATCH_S = 0.5
_SESSIONS = 60
# Of an account in good standing, at six calls a second: one in a million waits longer for its turn.
TURN_S = 22.0


@dataclass
class Made:
    """A call as its client saw it."""

    at_s: float
    session: str
    stream: bool
    prompt: int
    tokens: int
    client: Visitor
    over_s: float = 0.0

    @property
    def full_charge(self) -> int:
        """What a whole answer costs, in nano-dollars."""
        return 2 * self.prompt + 10 * self.tokens

    @property
    def tid(self) -> str:
        """The id under which it is in the books."""
        return (self.client.header(b"x-request-id") or b"").decode()

    @property
    def answered(self) -> bool:
        """Whether the client has a whole answer."""
        client = self.client
        if client.status != 200:
            return False
        if not self.stream:
            return client.events == ["reply"]
        return client.events[-1] == "finish" and client.frames()[-1:] == [b"[DONE]"]


@dataclass
class Held:
    """Something held against an account for a while, as the watcher saw it."""

    account: int
    trouble: str
    until_s: float
    seen_s: float


@dataclass
class Notes:
    """All that a run leaves."""

    calls: list[Made] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    healed_s: float = 0.0
    last_from_s: float = 0.0


class Run:
    """One run; `notes` is filled as it goes."""

    def __init__(self, house: House, vendor: TenVendor, seed: int) -> None:
        self.notes = Notes()
        self._house, self._vendor = house, vendor
        self._chance = Random(seed)
        self._loop = asyncio.get_running_loop()
        self._tasks: list[asyncio.Task[None]] = []

    async def play(self) -> Notes:
        """Play all three parts."""
        watcher = self._loop.create_task(self._watch())
        await self._traffic(self._loop.time() + MINUTES_S, _CALLS_A_S)
        self._vendor.well = True
        self.notes.healed_s = self._loop.time()
        # The last calls that were to fail may still be under way.
        await self._traffic(self._loop.time() + FIRST_BYTE_S + 5, _AFTERWARDS_A_S)
        while (ends := self._held_until()) + TURN_S > self._loop.time():
            await self._traffic(ends + TURN_S + 1, _AFTERWARDS_A_S)
        self.notes.last_from_s = self._loop.time()
        await self._traffic(self._loop.time() + _LAST_S, _CALLS_A_S)
        await asyncio.gather(*self._tasks)
        watcher.cancel()
        return self.notes

    def _held_until(self) -> float:
        return max([self.notes.healed_s, *(each.until_s for each in self.notes.held)])

    async def _traffic(self, until_s: float, calls_a_s: float) -> None:
        while True:
            await asyncio.sleep(self._chance.expovariate(calls_a_s))
            if self._loop.time() >= until_s:
                return
            self._tasks.append(self._loop.create_task(self._call()))

    async def _call(self) -> None:
        chance = self._chance
        known = chance.random() < 0.5
        session = f"s{chance.randrange(_SESSIONS)}" if known else f"once-{chance.random()}"
        # A session is one user's.
        user = USERS[hash_of(session) % len(USERS)]
        stream, prompt, tokens = chance.random() < 0.5, chance.randint(1, 99), chance.randint(9, 40)
        fake = {
            "prompt_tokens": prompt,
            "tokens": tokens,
            "events": 6,
            "delay_ms": chance.randint(50, 900),
        }
        visitor = Visitor(
            chat(stream=stream, fake=fake),
            secret=secret_of(user),
            headers={b"x-session-id": session.encode()},
        )
        made = Made(self._loop.time(), session if known else "", stream, prompt, tokens, visitor)
        self.notes.calls.append(made)
        visitor.task = asyncio.current_task()
        await self._house.relay.handle(visitor)
        made.over_s = self._loop.time()

    async def _watch(self) -> None:
        health, seen = self._house.pool.health, set()
        while True:
            now = self._loop.time()
            for account in self._house.accounts:
                for standing in health.standings(account):
                    key = (account.id, standing.trouble.value, standing.until_s)
                    # A breaker that waits for its probe has no other end than now.
                    if key not in seen and standing.until_s > now:
                        seen.add(key)
                        self.notes.held.append(Held(*key, now))
            await asyncio.sleep(_WATCH_S)


def hash_of(text: str) -> int:
    """Return a number that is the same in every process."""
    return sum(text.encode())
