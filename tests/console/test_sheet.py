"""Proof that a file reads back as it was written, and that no cell of it is computed."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from tollbridge.console.sheet import lines, long_sheet, sheet
from tollbridge.core.spreadsheet import plain

_CELLS = st.one_of(st.none(), st.integers(), st.text(st.characters(codec="utf-8"), max_size=9))


@given(st.lists(st.lists(_CELLS, min_size=2, max_size=4), max_size=5))
def test_it_reads_back(rows: list[list[str | int | None]]):
    read = list(csv.reader(io.StringIO(lines(rows), newline=""), strict=True))
    wanted = [
        [
            plain(cell) if isinstance(cell, str) else "" if cell is None else str(cell)
            for cell in row
        ]
        for row in rows
    ]
    assert read == wanted
    for row in read:
        for cell in row:
            number = cell.removeprefix("-").isdecimal()
            assert number or cell.lstrip(" \xa0")[:1] not in set("=+-@\t\r\n")


async def test_both_files_begin_with_the_mark_and_are_handed_out():
    async def chunks():
        yield [("ü", 1)]
        yield []
        yield [("=1", -2)]

    long = long_sheet("a.csv", ("x", "y"), chunks())
    sent = b"".join([part async for part in long.body_iterator])  # type: ignore[attr-defined]
    whole = sheet("a.csv", ("x", "y"), [("ü", 1), ("=1", -2)])
    assert sent == whole.body == "\ufeffx,y\r\nü,1\r\n'=1,-2\r\n".encode()
    for one in (long, whole):
        assert one.headers["content-disposition"] == 'attachment; filename="a.csv"'
        assert one.headers["content-type"].startswith("text/csv; charset=utf-8")
