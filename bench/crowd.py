"""Owns who makes the calls of a generated history, and what a call may look like. Pure.

One user makes half of all calls, and with one key three tenths of all; some thousands make the rest,
a few of them busy in each hour. The same seed makes the same crowd. It must not know a database.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from tollbridge.core.clock import first_id
from tollbridge.core.histogram import bin_of
from tollbridge.core.outcomes import answered, client_fault
from tollbridge.protocols.usage import TOKEN_BUCKETS
from tollbridge.storage.ledger_tables import usage
from tollbridge.storage.query_tables import ROLLUP_COUNTS, ROLLUP_ITEMS, ROLLUP_SUMS

RARE_MODEL = "a-rare-model"
"""The heavy user asks for it once in some hundred thousand calls, and never with the great key."""

OTHERS = 3_000
CHANNELS = ("main", "spare", "cheap", "images")
MODELS = tuple(f"model-{letter}-{size}" for letter in "abcdef" for size in ("large", "mid", "mini"))

_BASE = first_id(1_740_000_000_000)
_HEAVY_KEYS = 5
_GREAT_SHARE = 60
_RARE_ONE_IN = 4_000
_VARIANTS = 24
_BUSY_OTHERS = 40
_TAIL = tuple(column.name for column in usage.columns)[6:]
_FAILURES: tuple[tuple[int, str, str], ...] = (
    (429, "refused", "rate_limited"),
    (400, "upstream_error", "upstream_bad_request"),
    (502, "upstream_error", "upstream_unavailable"),
    (499, "client_gone", "client_gone"),
)


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of call: `tail` is its usage row from the channel on, the rest what it adds to sums."""

    tail: tuple[Any, ...]
    channel_id: int
    model: str
    status: int
    charge: int
    sums: tuple[int, ...]
    first_bin: int | None
    total_bin: int


@dataclass(frozen=True, slots=True, eq=False)
class Caller:
    """One key: `head` is its part of a usage row, `shapes` the numbers of what it asks for."""

    user_id: int
    key_id: int
    head: tuple[Any, ...]
    shapes: tuple[int, ...]


class Crowd:
    """Everybody who calls, and every kind of call, made from one seed."""

    def __init__(self, seed: int = 7) -> None:
        """Make the crowd."""
        self._chance = Random(seed)
        self.shapes: list[Shape] = []
        pairs = [self._pair(model, number) for model in MODELS for number in self._channels()]
        rare = self._pair(RARE_MODEL, 0)
        wide = tuple(self._chance.choice(pairs)[0] for _ in range(16))
        self.channel_ids = tuple(_BASE + number for number in range(len(CHANNELS)))
        self.great, *self.small = self._heavy(pairs[:20], rare)
        self.others = [self._other(number, pairs, wide) for number in range(OTHERS)]

    @property
    def heavy_id(self) -> int:
        """The user who makes half of all calls."""
        return self.great.user_id

    def hour(self, calls: int) -> Iterator[tuple[Caller, int]]:
        """Yield who makes each call of an hour, and the number of its shape."""
        chance = self._chance.random
        # Squared: the first of them call far more often than the last.
        busy = [self.others[int(OTHERS * chance() ** 2)] for _ in range(_BUSY_OTHERS)]
        heavy = [self.great] * _GREAT_SHARE + self.small * ((100 - _GREAT_SHARE) // len(self.small))
        for number in range(calls):
            from_ = heavy if number & 1 else busy
            caller = from_[int(chance() * len(from_))]
            yield caller, caller.shapes[int(chance() * len(caller.shapes))]

    def _channels(self) -> list[int]:
        return sorted(self._chance.sample(range(len(CHANNELS)), 2))

    def _heavy(self, pairs: list[tuple[int, ...]], rare: tuple[int, ...]) -> Iterator[Caller]:
        usual = tuple(shape for pair in pairs for shape in pair)
        often = usual * (_RARE_ONE_IN * 2 // len(usual) + 1)
        for number in range(_HEAVY_KEYS):
            shapes = usual if number == 0 else (*often, rare[0])
            yield _caller(0, number, shapes)

    def _other(self, number: int, pairs: list[tuple[int, ...]], wide: tuple[int, ...]) -> Caller:
        mine = self._chance.sample(pairs, self._chance.randint(1, 3))
        return _caller(number + 1, 0, (*(shape for pair in mine for shape in pair), wide[0]))

    def _pair(self, model: str, channel: int) -> tuple[int, ...]:
        """Make the calls of one model through one channel; return their numbers."""
        begin = len(self.shapes)
        for number in range(_VARIANTS):
            self.shapes.append(_shape(self._row(model, channel, number)))
        return tuple(range(begin, len(self.shapes)))

    def _row(self, model: str, channel: int, number: int) -> dict[str, Any]:
        row = {
            **_EMPTY,
            "channel_id": _BASE + channel,
            "channel_name": CHANNELS[channel],
            "account_id": _BASE + 100 + channel,
            "model_asked": model,
            "model_sent": model,
        }
        if number < len(_FAILURES) and number % 2 == len(model) % 2:
            status, state, kind = _FAILURES[number]
            return row | {"status": status, "end_state": state, "error_kind": kind, "total_ms": 40}
        chance = self._chance.randint
        first, price = chance(120, 4_000), chance(1, 400)
        counts = {"input": chance(50, 40_000), "output": chance(1, 4_000)}
        cost = (counts["input"] + 5 * counts["output"]) * price * 10
        return row | counts | {
            "model_answered": f"{model}-2026-01-01",
            "cache_read": chance(0, 9_000),
            "reasoning": counts["output"] // 3,
            "first_token_ms": first if number % 3 else None,
            "total_ms": first + chance(100, 60_000),
            "charge": cost,
            "list_cost": cost * 2,
            "own_cost": cost // 2,
            "held": cost * 3,
        }  # fmt: skip


_EMPTY: Mapping[str, Any] = {
    **dict.fromkeys(_TAIL),
    **dict.fromkeys((*TOKEN_BUCKETS, "reasoning"), 0),
    "surface": "chat",
    "platform": "openai",
    "stream": True,
    "status": 200,
    "end_state": "complete",
    "flags": "",
    "price_id": _BASE,
    "multiplier_num": 1,
    "multiplier_den": 2,
    "charge": 0,
    "list_cost": 0,
    "own_cost": 0,
    "loss": 0,
    "held": 0,
    "client": "openai-python",
    "reversed": 0,
}


def _caller(user: int, key: int, shapes: tuple[int, ...]) -> Caller:
    user_id, key_id = _BASE + 1_000 + user, _BASE + 10_000 + user * 10 + key
    return Caller(user_id, key_id, (user_id, key_id, f"key {key}", user_id), shapes)


def _shape(row: Mapping[str, Any]) -> Shape:
    end, kind, first = row["end_state"], row["error_kind"], row["first_token_ms"]
    sums = {
        **dict.fromkeys(ROLLUP_ITEMS, 0),
        **row,
        "calls": 1,
        "answered": int(answered(end)),
        "client_faults": int(client_fault(end, kind)),
        "first_token_calls": int(first is not None),
        "first_token_sum_ms": first or 0,
        "total_sum_ms": row["total_ms"],
    }
    return Shape(
        tail=tuple(row[name] for name in _TAIL),
        channel_id=row["channel_id"],
        model=row["model_asked"],
        status=row["status"],
        charge=row["charge"],
        sums=tuple(sums[name] for name in (*ROLLUP_COUNTS, *ROLLUP_SUMS, *ROLLUP_ITEMS)),
        first_bin=None if first is None else bin_of(first),
        total_bin=bin_of(row["total_ms"]),
    )
