"""Owns histograms of durations: bins, their text, adding them up, percentiles. Pure, integers only.

Bins are logarithmic: below 32 ms one a millisecond, then 16 in each doubling. A percentile told from
them is at most 1/32 of itself (3.2 %) away from the exact one, up to 74 hours; longer is one bin.

The text is `bin:count,…`, a lone `bin` counts once: texts joined by commas are the sum of their
histograms, so a database adds them up without knowing what they mean.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

_EXACT_BITS = 5
_SHARE_BITS = 4
_LAST_BITS = 28
SEPARATOR: Final = ","


class Step(NamedTuple):
    """One doubling: values from `low` to below twice that, 16 bins from `first` on."""

    low: int
    first: int
    shift: int


EXACT: Final = 1 << _EXACT_BITS
"""Values below this are their own bin."""

STEPS: Final = tuple(
    Step(1 << bits, EXACT + ((bits - _EXACT_BITS) << _SHARE_BITS), bits - _SHARE_BITS)
    for bits in range(_EXACT_BITS, _LAST_BITS)
)
LAST: Final = EXACT + (len(STEPS) << _SHARE_BITS)
"""The bin of everything longer than the last step."""


def bin_of(ms: int) -> int:
    """Return the bin of a duration in milliseconds; a negative one counts as none."""
    if ms < EXACT:
        return max(ms, 0)
    bits = ms.bit_length() - 1
    if bits >= _LAST_BITS:
        return LAST
    step = STEPS[bits - _EXACT_BITS]
    return step.first + ((ms - step.low) >> step.shift)


def middle_of(number: int) -> int:
    """Return the milliseconds that stand for a bin: its middle, rounded down."""
    if number < EXACT:
        return number
    if number >= LAST:
        return 1 << _LAST_BITS
    step = STEPS[(number - EXACT) >> _SHARE_BITS]
    low = step.low + ((number - step.first) << step.shift)
    return low + ((1 << step.shift) - 1) // 2


def bin_sql(column: str) -> str:
    """Return `bin_of` of a column as SQL that both engines read alike; NULL stays NULL."""
    steps = " ".join(
        f"WHEN {column} < {step.low * 2} THEN {step.first} + (({column} - {step.low}) >> {step.shift})"
        for step in STEPS
    )
    return (
        f"CASE WHEN {column} IS NULL THEN NULL WHEN {column} < 0 THEN 0"
        f" WHEN {column} < {EXACT} THEN {column} {steps} ELSE {LAST} END"
    )


def counts_of(text: str) -> Counter[int]:
    """Return the counts by bin of one text, or of several joined by commas."""
    return Counter(_counts(text))


def _counts(text: str) -> dict[int, int]:
    # A plain one: a Counter takes twice as long for what it has not counted yet.
    counts: dict[int, int] = {}
    so_far = counts.get
    for part in text.split(SEPARATOR):
        if part:
            number, count = _part(part)
            counts[number] = so_far(number, 0) + count
    return counts


@lru_cache(maxsize=65_536)
def _part(text: str) -> tuple[int, int]:
    """Return bin and count of a part; there are few different ones, and each is read very often."""
    number, _, count = text.partition(":")
    return int(number), int(count or 1)


def text_of(counts: Mapping[int, int]) -> str:
    """Return the one text that equal histograms have in common."""
    return SEPARATOR.join(f"{number}:{counts[number]}" for number in sorted(counts))


def percentile(counts: Mapping[int, int], percent: int) -> int | None:
    """Return the milliseconds that `percent` of the values do not exceed; None without values.

    The nearest-rank percentile: of the values in order the one at place ceil(percent x n / 100).
    """
    return _percentiles(counts, (percent,))[0]


def percentiles_of(text: str, percents: Sequence[int]) -> list[int | None]:
    """Return several percentiles of a text; `percents` grow."""
    return _percentiles(_counts(text), percents)


def _percentiles(counts: Mapping[int, int], percents: Sequence[int]) -> list[int | None]:
    if not counts:
        return [None] * len(percents)
    whole = sum(counts.values())
    found: list[int | None] = []
    bins = sorted(counts)
    at, below = 0, counts[bins[0]]
    for percent in percents:
        place = -(-whole * percent // 100)
        while below < place:
            at += 1
            below += counts[bins[at]]
        found.append(middle_of(bins[at]))
    return found
