"""Owns the customers of a fleet: what they are sold, what they ask, and what they saw of each call.

They call over raw sockets, so that a test can cut any of them, and trust nothing that a gateway says.
Every prompt counts more tokens than an estimate of it and fewer than its bound, so that what a
reclaimer posts never exceeds the price and no hold is too small.
"""

import asyncio
import contextlib
import json
import random
from dataclasses import dataclass
from typing import Any

from tests.faults.fleet import Fleet
from tests.faults.load import Ask, Seen, prepared
from tests.faults.member import Member
from tests.faults.wire import Wire

_CALL_S = 60.0
_PROMPT = {"prompt_tokens": 100}
_TEXT = "hello" + " there" * 12
_STREAM = {"stream": True}
_CATALOGUE = """
[site]
allow_private_upstreams = true

[[model]]
name = "gpt-test"
context = 200000
max_output = 32768
input = "2.50"
cache_read = "0.25"
output = "10.00"

[[channel]]
name = "main"
platform = "openai"
models = ["gpt-test"]
multiplier = "1.0"

[[channel.account]]
name = "one"
base_url = "{vendor}"
secret = "vendor-secret"
"""


@dataclass(frozen=True)
class Sold:
    """One user with one key: what the wallet begins with, and further fields of the key."""

    name: str
    credit: str
    fields: str = ""

    @property
    def secret(self) -> str:
        """The key."""
        return f"sk-{self.name}-{'c' * 32}"

    @property
    def email(self) -> str:
        """The user."""
        return f"{self.name}@example.com"

    def text(self) -> str:
        """Return its part of a configuration file."""
        return (
            f'\n[[user]]\nemail = "{self.email}"\ncredit = "{self.credit}"\n'
            f'[[user.key]]\nname = "{self.name}"\nsecret = "{self.secret}"\n'
            f'channel = "main"\n{self.fields}\n'
        )


RICH = (Sold("rich", "5000.00"), Sold("richer", "5000.00"))
GUARDED = (
    Sold("limited", "5000.00", 'limit = "3.00"'),
    Sold("budgeted", "5000.00", 'budget = "2.00"\nbudget_period = "month"'),
    Sold("paced", "5000.00", "rpm = 120"),
    Sold("narrow", "5000.00", "concurrency = 2"),
)
HOT = (Sold("hot", "0.30"), Sold("hotter", "0.10"))
EVERYBODY = (*RICH, *GUARDED, *HOT)


def catalogue(vendor: str, sold: tuple[Sold, ...] = EVERYBODY) -> str:
    """Return a configuration with one channel and these users."""
    return _CATALOGUE.format(vendor=vendor) + "".join(one.text() for one in sold)


def ask(fields: dict[str, Any] | None = None, *, leaves: bool = False, **script: Any) -> Ask:
    """Return one call to make; `script` is the vendor's."""
    return Ask(_TEXT, fields or {}, {**_PROMPT, **script}, leaves=leaves)


def stream(**script: Any) -> Ask:
    """Return a streamed call to make."""
    return ask(_STREAM, **script)


def doomed(one: Ask) -> bool:
    """Say whether the vendor is told to break this call."""
    return not one.script.keys().isdisjoint(
        {"error_event_after", "cut_after", "cut_body", "status"}
    )


KINDS = (
    ask(tokens=30),
    ask(tokens=200, reasoning=800, delay_ms=30),
    ask(tokens=30, delay_ms=400),
    ask({"n": 4}, tokens=50, delay_ms=10),
    stream(tokens=40, events=10),
    stream(tokens=60, events=20, event_delay_ms=20),
    stream(tokens=5_000, events=40, event_delay_ms=40),
    stream(tokens=4_000, events=30, event_delay_ms=100),
    stream(tokens=20, delay_ms=80, event_delay_ms=60),
    stream(tokens=30, silent_after_finish_ms=150),
    ask({**_STREAM, "n": 4}, tokens=12, event_delay_ms=2),
    stream(tokens=60, error_event_after=6, event_delay_ms=5),
    stream(tokens=60, cut_after=9, event_delay_ms=5),
    ask(_STREAM, leaves=True, tokens=60, event_delay_ms=10),
    ask(tokens=60, cut_body=90),
    ask(status=500, tokens=0),
)
# Nothing hidden here: what a hot wallet pays is bounded by what it holds.
HOT_KINDS = (
    ask(tokens=900, delay_ms=20),
    ask(tokens=100),
    stream(tokens=600, events=20, event_delay_ms=10),
    stream(tokens=3_000, events=60, event_delay_ms=5),
    ask({"max_tokens": 64}, tokens=5_000),
    ask({**_STREAM, "max_completion_tokens": 700}, tokens=5_000, events=7),
)


@dataclass
class Visit:
    """One call that was made: by whom, where, and what was seen of it."""

    sold: Sold
    member: str
    seen: Seen
    cut: bool = False
    """Whether the customer ended it."""


async def visit(
    member: Member, sold: Sold, one: Ask, running: dict[Wire, Visit] | None = None
) -> Visit:
    """Make a call and return what was seen of it, however it ended."""
    made = Visit(sold, member.name, prepared(one))
    seen = made.seen
    body = json.loads(one.body(seen.tag))
    wire: Wire | None = None
    with contextlib.suppress(OSError, EOFError, TimeoutError, ValueError):
        try:
            async with asyncio.timeout(_CALL_S):
                wire = await Wire.send(member.port, sold.secret, body)
                if running is not None:
                    running[wire] = made
                await wire.head()
                seen.status, seen.headers = wire.status, wire.headers  # type: ignore[assignment]
                while not wire.ended:
                    await wire.more()
                    if one.leaves and b'"content":" abc' in wire.data:
                        made.cut = True
                        break
                seen.whole = wire.ended
        finally:
            if wire is not None:
                seen.data = bytes(wire.data)
                wire.leave()
                if running is not None:
                    running.pop(wire, None)
    return made


class Crowd:
    """Customers who call one after the other, at any gateway, until they are told to stop."""

    def __init__(self, fleet: Fleet, chance: random.Random, size: int) -> None:
        self._fleet = fleet
        self._chance = chance
        self._size = size
        self._over = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.running: dict[Wire, Visit] = {}
        self.visits: list[Visit] = []
        self.retried = 0

    def start(self) -> None:
        """Let them in; a quarter of them has hardly any money."""
        self._over.clear()
        self.visits, self.retried = [], 0
        for number in range(self._size):
            whose, kinds = ((HOT, HOT_KINDS), (RICH, KINDS), (GUARDED, KINDS), (RICH, KINDS))[
                number % 4
            ]
            customer = self._customer(whose[number // 4 % len(whose)], kinds)
            self._tasks.append(asyncio.create_task(customer))

    async def stop(self) -> None:
        """Tell them to make no further call, and wait for the last ones."""
        self._over.set()
        await asyncio.gather(*self._tasks)
        self._tasks.clear()

    def cut(self, share: float) -> int:
        """Cut this share of the calls that run, as clients do that are killed; return how many."""
        chosen = [wire for wire in self.running if self._chance.random() < share]
        for wire in chosen:
            self.running[wire].cut = True
            wire.leave()
        return len(chosen)

    async def _customer(self, sold: Sold, kinds: tuple[Ask, ...]) -> None:
        again: Ask | None = None
        while not self._over.is_set():
            one = again or self._chance.choice(kinds)
            self.retried += again is not None
            made = await visit(self._chance.choice(self._fleet.members), sold, one, self.running)
            self.visits.append(made)
            status = made.seen.status
            failed = status in {0, 429} or status >= 500
            again = one if failed and not made.cut and again is None else None
            await asyncio.sleep(0.1 if status != 200 else 0.01)
