"""Owns the judgement which nodes are dead, by this process's own monotonic clock. Pure.

A node is dead when its beat has not changed for so long while we were able to look (money.md,
"Death and time"). Time in which nobody could look, because we or the database were away, proves
nothing against the others.
"""

from collections.abc import Iterable
from typing import NamedTuple

Epoch = tuple[int, int]


class _Seen(NamedTuple):
    beat: int
    silent_s: float


class Census:
    """What this process has seen of the others. Times are seconds."""

    def __init__(self, dead_s: float, beat_s: float) -> None:
        self._dead_s = dead_s
        # A longer gap between two looks counts no more than this.
        self._gap_max_s = 2 * beat_s
        self._seen: dict[Epoch, _Seen] = {}
        self._looked_at: float | None = None

    def look(self, beats: Iterable[tuple[int, int, int]], at_s: float) -> list[tuple[Epoch, int]]:
        """Take over what all others beat now (id, epoch, beat); return who is dead, with the beat.

        `at_s` is the monotonic time of the look.
        """
        gap_s = 0.0 if self._looked_at is None else at_s - self._looked_at
        counted_s = gap_s if gap_s <= self._gap_max_s else 0.0
        self._looked_at = at_s
        before, self._seen = self._seen, {}
        dead = []
        for node_id, epoch, beat in beats:
            which = (node_id, epoch)
            seen = before.get(which)
            silent_s = seen.silent_s + counted_s if seen is not None and seen.beat == beat else 0.0
            self._seen[which] = _Seen(beat, silent_s)
            if silent_s >= self._dead_s:
                dead.append((which, beat))
        return dead
