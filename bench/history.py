"""Owns a generated history: usage rows, their index rows, roll-ups and views of these. Pure.

It goes hour after hour. Roll-ups of hours and days are added up here while the calls are made; five
minutes are left out, as they are of a database that has not been used for nine days. It must not
know where rows go.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from bench.crowd import Caller, Crowd
from tollbridge.core.histogram import text_of
from tollbridge.storage.rollup_marks import DAY, HOUR
from tollbridge.storage.rollup_views import views_of

DAYS = 400
_HOUR_MS = HOUR * 1000
_HOURS_A_DAY = 24
_RANDOM_BITS = 76

Row = tuple[Any, ...]


@dataclass(slots=True)
class Part:
    """Some of a history, in the order of time, as rows of the four tables."""

    usage: list[Row] = field(default_factory=list)
    index: list[Row] = field(default_factory=list)
    rollup: list[Row] = field(default_factory=list)
    view: list[Row] = field(default_factory=list)

    def add(self, span: int, start_ms: int, sums: "Sums") -> None:
        """Add a slot's roll-ups and views."""
        rows = list(sums.rows(span, start_ms))
        self.rollup += rows
        self.view += [
            (number, user, span, start_ms, *more)
            for number, user, *more in views_of([row[2:] for row in rows])
        ]


class Sums:
    """What the calls of each group came to in one slot."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.groups: dict[Row, tuple[list[int], dict[int, int], dict[int, int]]] = {}

    def add(self, crowd: Crowd, calls: Iterable[tuple[Caller, int]]) -> None:
        """Add calls."""
        for (caller, number), times in Counter(calls).items():
            shape = crowd.shapes[number]
            group = (
                caller.user_id, caller.key_id, shape.channel_id, shape.model, shape.status // 100,
            )  # fmt: skip
            first = {} if shape.first_bin is None else {shape.first_bin: times}
            self._put(group, [one * times for one in shape.sums], first, {shape.total_bin: times})

    def merge(self, other: "Sums") -> None:
        """Add what another slot came to."""
        for group, (sums, first, total) in other.groups.items():
            self._put(group, sums, first, total)

    def rows(self, span: int, start_ms: int) -> Iterator[Row]:
        """Yield the slot's rows, as `rollup` has its columns."""
        for group in sorted(self.groups):
            sums, first, total = self.groups[group]
            yield (span, start_ms, *group, *sums, text_of(first), text_of(total))

    def _put(
        self, group: Row, sums: list[int], first: dict[int, int], total: dict[int, int]
    ) -> None:
        mine = self.groups.get(group)
        if mine is None:
            self.groups[group] = (list(sums), dict(first), dict(total))
            return
        mine[0][:] = [a + b for a, b in zip(mine[0], sums, strict=True)]
        for counts, more in ((mine[1], first), (mine[2], total)):
            for number, times in more.items():
                counts[number] = counts.get(number, 0) + times


def history(crowd: Crowd, calls: int, until_ms: int, days: int = DAYS) -> Iterator[Part]:
    """Yield `calls` calls of whole days up to the day of `until_ms`, a day in each part."""
    chance = Random(calls)
    day_ms = DAY * 1000
    first_ms = until_ms - until_ms % day_ms - (days - 1) * day_ms
    hours = days * _HOURS_A_DAY
    for day in range(days):
        part, whole = Part(), Sums()
        for hour in range(day * _HOURS_A_DAY, (day + 1) * _HOURS_A_DAY):
            count = calls * (hour + 1) // hours - calls * hour // hours
            made = list(crowd.hour(count))
            start_ms = first_ms + hour * _HOUR_MS
            _rows(part, crowd, made, start_ms, chance)
            sums = Sums()
            sums.add(crowd, made)
            whole.merge(sums)
            part.add(HOUR, start_ms, sums)
        part.add(DAY, first_ms + day * day_ms, whole)
        yield part


def _rows(
    part: Part, crowd: Crowd, made: list[tuple[Caller, int]], start_ms: int, chance: Random
) -> None:
    random, bits, shapes = chance.random, chance.getrandbits, crowd.shapes
    times = sorted(int(random() * _HOUR_MS) for _ in made)
    tids = sorted(f"{start_ms + at:012x}7{bits(_RANDOM_BITS):019x}" for at in times)
    for (caller, number), tid in zip(made, tids, strict=True):
        shape = shapes[number]
        part.usage.append((tid, int(tid[:12], 16), *caller.head, *shape.tail))
        part.index.append(
            (tid, caller.user_id, caller.key_id, shape.channel_id, shape.model, shape.status,
             shape.charge)
        )  # fmt: skip
