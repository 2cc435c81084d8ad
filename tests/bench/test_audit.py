"""What counts as wrong books, and that both engines are counted alike."""

import asyncio
import dataclasses

from bench.audit import Books, faults, read
from bench.books import fill

_GOOD = Books(usage_rows=5, charged=100, spent=100, held=0, verified=True, verdict="")
_AVAILABLE = 3 * 10**12


def test_good_books_have_no_fault() -> None:
    assert faults(_GOOD, 5) == []


def test_each_fault_is_found() -> None:
    changes: list[dict[str, int | bool]] = [
        {"usage_rows": 4},
        {"spent": 99},
        {"held": 1},
        {"verified": False},
    ]
    for change in changes:
        assert len(faults(dataclasses.replace(_GOOD, **change), 5)) == 1  # type: ignore[arg-type]
    nothing = dataclasses.replace(_GOOD, charged=0, spent=0)
    assert "dropped by 0" in faults(nothing, 5)[0]


def test_a_gateway_that_nobody_called_spent_nothing() -> None:
    assert faults(Books(0, 0, 0, 0, verified=True, verdict=""), 0) == []


def test_both_engines_are_counted_alike(tmp_path, postgres_url) -> None:
    found = []
    for url in (f"sqlite:///{tmp_path}/books.db", postgres_url):
        asyncio.run(fill(url, 200, 3, 10**12))
        found.append(read(url, _AVAILABLE + 7, verified=False, verdict="said"))
    assert found[0] == found[1]
    assert (found[0].usage_rows, found[0].spent, found[0].held) == (200, 7, 0)
    assert found[0].charged > 0
    assert (found[0].verified, found[0].verdict) == (False, "said")
