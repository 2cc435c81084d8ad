"""Owns histograms of durations: bins, their text, adding them up, percentiles. Pure, integers only.

Bins are logarithmic: below 32 ms one a millisecond, then 16 in each doubling. A percentile told from
them is at most 1/32 of itself (3.2 %) away from the exact one, up to 74 hours; longer is one bin.

The text is `bin:count,…`, a lone `bin` counts once: texts joined by commas are the sum of their
histograms, so a database adds them up without knowing what they mean.
"""

from collections import Counter
from collections.abc import Mapping
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
    # A plain one: a Counter takes twice as long for what it has not counted yet.
    counts: dict[int, int] = {}
    # Texts made from single values repeat a lot: each distinct one is read once.
    for part, times in Counter(text.split(SEPARATOR)).items():
        if part:
            number, _, count = part.partition(":")
            bin_number = int(number)
            counts[bin_number] = counts.get(bin_number, 0) + int(count or 1) * times
    return Counter(counts)


def text_of(counts: Mapping[int, int]) -> str:
    """Return the one text that equal histograms have in common."""
    return SEPARATOR.join(f"{number}:{counts[number]}" for number in sorted(counts))


def percentile(counts: Mapping[int, int], percent: int) -> int | None:
    """Return the milliseconds that `percent` of the values do not exceed; None without values.

    The nearest-rank percentile: of the values in order the one at place ceil(percent x n / 100).
    """
    place = -(-sum(counts.values()) * percent // 100)
    for number in sorted(counts):
        place -= counts[number]
        if place <= 0:
            return middle_of(number)
    return None
