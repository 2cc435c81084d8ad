"""Proof of the bins: each value has one, SQL finds the same, sums are sums, percentiles are near."""

import sqlite3
from collections import Counter
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core.histogram import (
    EXACT,
    LAST,
    STEPS,
    bin_of,
    bin_sql,
    counts_of,
    middle_of,
    percentile,
    text_of,
)

MILLISECONDS = st.one_of(st.integers(-5, 5000), st.integers(0, 2**28 - 1))
LONGER = st.integers(-(2**63), 2**63 - 1)


def binned(values: list[int]) -> Counter[int]:
    return Counter(map(bin_of, values))


def test_bins_have_no_gap_and_no_overlap():
    edges = [step.low for step in STEPS] + [2**28]
    for edge in edges:
        assert bin_of(edge) == bin_of(edge - 1) + 1
    assert [bin_of(ms) for ms in range(EXACT + 3)] == [*range(EXACT), 32, 32, 33]
    assert (bin_of(2**28), bin_of(2**62), bin_of(-1)) == (LAST, LAST, 0)


@given(one=LONGER, other=LONGER)
def test_bins_keep_the_order(one: int, other: int):
    assert (bin_of(one) <= bin_of(other)) or one > other


@given(ms=st.integers(0, 2**28 - 1))
def test_what_a_bin_stands_for_is_near(ms: int):
    assert abs(middle_of(bin_of(ms)) - ms) * 32 <= ms
    assert bin_of(middle_of(bin_of(ms))) == bin_of(ms)


def test_sqlite_finds_the_same_bins():
    values = [None, -7, *range(70), *(2**bits + add for bits in range(6, 62) for add in (-1, 0, 9))]
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (ms BIGINT)")
        connection.executemany("INSERT INTO t VALUES (?)", [(one,) for one in values])
        found = connection.execute(f"SELECT ms, {bin_sql('ms')} FROM t").fetchall()
    assert len(found) == len(values)
    for ms, number in found:
        assert number == (None if ms is None else bin_of(ms))


@given(parts=st.lists(st.lists(MILLISECONDS)))
def test_joined_texts_are_the_sum(parts: list[list[int]]):
    everything = binned([ms for part in parts for ms in part])
    joined = ",".join(text_of(binned(part)) for part in parts)
    assert counts_of(joined) == everything
    single = ",".join(str(bin_of(ms)) for part in parts for ms in part)
    assert text_of(counts_of(single)) == text_of(everything)


@given(values=st.lists(st.integers(0, 2**28 - 1), min_size=1), percent=st.integers(1, 100))
def test_a_percentile_is_within_a_thirty_second_of_the_exact_one(values: list[int], percent: int):
    exact = sorted(values)[-(-len(values) * percent // 100) - 1]
    told = percentile(binned(values), percent)
    assert told is not None
    assert abs(told - exact) * 32 <= exact


@pytest.mark.parametrize(
    ("values", "p50", "p95"),
    [([], None, None), ([7], 7, 7), ([1, 2], 1, 2), ([*range(1, 21)], 10, 19)],
)
def test_percentiles_of_few(values: list[int], p50: int | None, p95: int | None):
    assert (percentile(binned(values), 50), percentile(binned(values), 95)) == (p50, p95)
