"""Owns what choosing an account costs: a pool of ten beside one of a thousand, in this process.

It runs the gateway's own pool without a gateway: one choice takes about a microsecond, which no
measurement of whole calls would show. `python -m bench.pool` measures it alone. It must not know of
processes or sockets.
"""

import time
from dataclasses import dataclass
from random import Random
from typing import Final

from tollbridge.catalog.snapshot import Account, Channel
from tollbridge.core.errors import Surface
from tollbridge.core.money import Multiplier
from tollbridge.relay.effects import rate_limited
from tollbridge.relay.pool import Pool

FEW, MANY = 10, 1_000
TARGET_US: Final = 5.0
"""The most that a choice among the many may cost beyond one among the few."""

_MODEL = "a-model"
_LONG_S = 3_600.0
_ONE = Multiplier(1, 1)
_SESSIONS = 512
_ROUNDS = 7
_CHOICES, _QUICK_CHOICES = 20_000, 4_000
_SEED = 7


@dataclass(frozen=True, slots=True)
class Choice:
    """What one choice costs in one case, in µs: the best of several rounds."""

    case: str
    few: float
    many: float

    @property
    def more(self) -> float:
        """What the many cost beyond the few."""
        return self.many - self.few

    @property
    def ok(self) -> bool:
        """Whether that is within the target."""
        return self.more <= TARGET_US


def measure(*, quick: bool) -> list[Choice]:
    """Measure every case: all accounts well or a third of them parked, calls in sessions or not."""
    count = _QUICK_CHOICES if quick else _CHOICES
    found = []
    for parked, state in ((False, "all well"), (True, "a third parked")):
        for sticky, kind in ((False, "calls alone"), (True, "sticky sessions")):
            few, many = (
                _cost_us(size, count, parked=parked, sticky=sticky) for size in (FEW, MANY)
            )
            found.append(Choice(f"{state}, {kind}", few, many))
    return found


def _cost_us(size: int, count: int, *, parked: bool, sticky: bool) -> float:
    channel = _channel(size)
    pool = Pool(time.monotonic, lambda *_: None)
    if parked:
        for account in channel.accounts[::3]:
            pool.health.failed(account, _MODEL, rate_limited(_LONG_S), "status_429", last=False)
    chance = Random(_SEED)
    sessions = [chance.getrandbits(64) if sticky else None for _ in range(_SESSIONS)]
    return min(_round_us(pool, channel, sessions, count) for _ in range(_ROUNDS))


def _round_us(pool: Pool, channel: Channel, sessions: list[int | None], count: int) -> float:
    choose, serves = pool.next, _anyone
    turns = [sessions[number % _SESSIONS] for number in range(count)]
    started = time.process_time_ns()
    for session in turns:
        choose(channel, _MODEL, (), serves, session)
    return (time.process_time_ns() - started) / count / 1_000


def _anyone(_account: Account) -> bool:
    return True


def _channel(size: int) -> Channel:
    accounts = tuple(
        Account(
            id=number,
            channel_id=1,
            name=f"account {number}",
            platform="openai",
            base_url="http://127.0.0.1:9",
            secret="",
            weight=1 + number % 5,
            priority=0,
            compatible=False,
            proxy="",
            cost=_ONE,
            stops_on_abort=True,
        )
        for number in range(1, size + 1)
    )
    return Channel(
        id=1,
        name="main",
        platform="openai",
        surfaces=frozenset(Surface),
        models=frozenset({_MODEL}),
        multiplier=_ONE,
        capabilities=frozenset(),
        client_policy="any",
        groups=frozenset({"*"}),
        enabled=True,
        accounts=accounts,
    )


def lines(found: list[Choice]) -> list[str]:
    """Return the figures as text."""
    head = (
        f"choosing an account, CPU µs a choice: {FEW} accounts, {MANY}, more (<= {TARGET_US:.0f})"
    )
    rows = (
        f"  {one.case}: {one.few:.2f}, {one.many:.2f}, {one.more:+.2f} {'ok' if one.ok else 'OVER'}"
        for one in found
    )
    return [head, *rows] if found else []


if __name__ == "__main__":
    print("\n".join(lines(measure(quick=False))))
