"""Proof that charts are valid XML, that marks are as high as their figures, and that all have words."""

import re
from decimal import Decimal
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from tollbridge.web.charts import PLOT, TOP, Day, Named, Series, lines, stacked, strip, top_of

# Half a hundredth of a pixel is what rounding takes at each end.
ROUNDED = Decimal("0.01")
NAMED = Named("c", "A <title> & more", "What it shows")

_AMOUNTS = st.one_of(st.just(0), st.integers(1, 1000), st.integers(0, 2**63 - 1))


@st.composite
def figures(draw: st.DrawFn) -> tuple[list[str], list[Series]]:
    count = draw(st.integers(1, 30))
    columns = [f"2026-{at % 12 + 1:02d}-{at % 28 + 1:02d}" for at in range(count)]
    rows = draw(st.lists(st.lists(_AMOUNTS, min_size=count, max_size=count), max_size=9))
    words = st.text(max_size=8)
    return columns, [Series(draw(words), values, at) for at, values in enumerate(rows)]


def parsed(svg: str) -> ET.Element:
    root = ET.fromstring(svg)
    numbers = ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height")
    for mark in root.iter():
        for name in numbers:
            assert re.fullmatch(r"\d+(\.\d+)?%?", mark.attrib.get(name, "0")), mark.attrib
    return root


@given(figures())
def test_bars_are_as_high_as_their_figures_and_add_up(drawn: tuple[list[str], list[Series]]):
    columns, series = drawn
    root = parsed(stacked(NAMED, columns, series, str))
    sums = [sum(one.values[at] or 0 for one in series) for at in range(len(columns))]
    top = top_of(sums)
    bars: dict[str, list[ET.Element]] = {}
    for rect in root.iter("rect"):
        bars.setdefault(rect.attrib["x"], []).append(rect)
    drawn_sums = [value for value in sums if value]
    assert len(bars) == len(drawn_sums)
    for value, rects in zip(drawn_sums, bars.values(), strict=True):
        whole = sum(Decimal(rect.attrib["height"]) for rect in rects)
        assert abs(whole - Decimal(value) * PLOT / top) <= ROUNDED
        # One part begins where the one below it ends, the first on the ground.
        foot = Decimal(TOP + PLOT)
        for rect in rects:
            foot -= Decimal(rect.attrib["height"])
            assert Decimal(rect.attrib["y"]) == foot >= TOP
    shown = [rect.findtext("title", "").rpartition(": ")[2] for rect in root.iter("rect")]
    wanted = [str(one.values[at]) for at in range(len(columns)) for one in series if one.values[at]]
    assert shown == wanted


@given(figures())
def test_each_part_is_as_high_as_its_figure(drawn: tuple[list[str], list[Series]]):
    columns, series = drawn
    root = parsed(stacked(NAMED, columns, series, str))
    top = top_of([sum(one.values[at] or 0 for one in series) for at in range(len(columns))])
    for rect in root.iter("rect"):
        value = int(rect.findtext("title", "").rpartition(": ")[2])
        assert abs(Decimal(rect.attrib["height"]) - Decimal(value) * PLOT / top) <= ROUNDED


@given(figures(), st.data())
def test_lines_are_broken_where_nothing_is_known(
    drawn: tuple[list[str], list[Series]], data: st.DataObject
):
    columns, rows = drawn
    holes = [
        Series(one.label, [data.draw(st.sampled_from([value, None])) for value in one.values], at)
        for at, one in enumerate(rows[:2])
    ]
    root = parsed(lines(NAMED, columns, holes, str))
    for at, one in enumerate(holes):
        known = [value for value in one.values if value is not None]
        circles = [mark for mark in root.iter("circle") if mark.attrib["class"] == f"c{at}"]
        assert len(circles) == len(known)
        pairs = sum(
            None not in pair for pair in zip(one.values, list(one.values)[1:], strict=False)
        )
        assert (
            len([mark for mark in root.iter("line") if mark.attrib["class"] == f"line{at}"])
            == pairs
        )


@given(st.lists(st.tuples(st.text(max_size=9), st.sampled_from(["up", "shaky", "down", "none"]))))
def test_a_strip_has_a_mark_with_words_for_each_day(days: list[tuple[str, str]]):
    root = parsed(strip(NAMED, [Day(label, state) for label, state in days]))  # type: ignore[arg-type]
    rects = list(root.iter("rect"))
    names = {"up": "up", "shaky": "shaky", "down": "down", "none": "quiet-day"}
    assert [rect.attrib["class"] for rect in rects] == [names[state] for _, state in days]
    assert all(rect.find("title") is not None for rect in rects)


@given(st.lists(_AMOUNTS))
def test_the_top_is_round_and_not_exceeded(values: list[int]):
    top = top_of(values)
    assert max([0, *values]) <= top
    assert re.fullmatch(r"[125]0+", str(top))


def test_a_chart_is_named_for_who_does_not_see_it():
    root = parsed(stacked(NAMED, ["2026-01-31"], [Series("m", [5], 0)], lambda value: f"${value}"))
    assert root.attrib["role"] == "img"
    by_id = {one.attrib.get("id"): one.text for one in root}
    assert by_id[root.attrib["aria-labelledby"]] == "A <title> & more"
    assert by_id[root.attrib["aria-describedby"]] == "What it shows"
    assert [text.text for text in root.iter("text")] == ["$5", "$10", "01-31"]


def test_words_below_are_few_and_the_last_day_is_among_them():
    for count in range(1, 120):
        columns = [f"2026-{at // 28 + 1:02d}-{at % 28 + 1:02d}" for at in range(count)]
        root = parsed(stacked(NAMED, columns, [], str))
        words = [
            text.text or "" for text in root.iter("text") if text.attrib.get("class") != "tick"
        ]
        assert 1 <= len(words) <= 7 and words[0] == columns[-1][5:], count
