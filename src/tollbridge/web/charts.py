"""Owns charts: figures in, SVG out. Pure, integers only.

Widths are shares of whatever room there is and heights are pixels, so that words stay readable on
any screen. Colours are classes of app.css. Nothing is told by colour alone: every mark has a title,
every chart a name and a sentence. Must not know what is shown; words come translated.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from markupsafe import Markup, escape

COLOURS: Final = 9
"""How many colours there are: 0 to 7, and 8 for all the rest."""

OTHER: Final = COLOURS - 1
"""The colour of all that have none of their own."""

HEIGHT: Final = 200
TOP: Final = 16
PLOT: Final = 162
"""How high the room of the marks is, in pixels; `TOP` of them are above it."""

_STRIP_HEIGHT = 28
_CENT = 100
_PERCENT = 100_000
_LABELS_MAX = 7
# Labels so near an edge, in thousandths of a percent, would be cut off in their middle.
_EDGE = 8_000
_STEPS = (10, 20, 50)
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Show = Callable[[int], str]
State = Literal["up", "shaky", "down", "none"]
_STATES: Final = {"up": "up", "shaky": "shaky", "down": "down", "none": "quiet-day"}


@dataclass(frozen=True, slots=True)
class Named:
    """What a chart is called: an id of its own on the page, a title, and what it shows in a sentence."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Series:
    """One row of figures, a value for each column; None is nothing to show (lines only)."""

    label: str
    values: Sequence[int | None]
    colour: int


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a strip: what to say of it, and how it was."""

    label: str
    state: State


def stacked(named: Named, columns: Sequence[str], series: Sequence[Series], show: Show) -> Markup:
    """Return stacked bars, a bar for each of `columns`, which are dates; no value is below zero.

    `show` says a value in words. The heights of a bar's parts add up to that of their sum.
    """
    sums = [sum(one.values[at] or 0 for one in series) for at in range(len(columns))]
    top = top_of(sums)
    marks = [
        mark
        for at, day in enumerate(columns)
        for mark in _bar(at, len(columns), top, _parts(at, day, series, show))
    ]
    return _chart(named, [*_grid(top, show), *marks, *_days(columns)])


def lines(named: Named, columns: Sequence[str], series: Sequence[Series], show: Show) -> Markup:
    """Return a line for each of `series` (colours 0 and 1), broken where there is no value."""
    top = top_of([value for one in series for value in one.values if value is not None])
    marks = [mark for one in series for mark in _line(columns, one, top, show)]
    return _chart(named, [*_grid(top, show), *marks, *_days(columns)])


def strip(named: Named, days: Sequence[Day]) -> Markup:
    """Return a row of days, the oldest first, each coloured by how it was."""
    marks = []
    for at, day in enumerate(days):
        left, width = _slot(at, len(days), 10)
        marks.append(
            f'<rect class="{_STATES[day.state]}" x="{_share(left)}" y="0" width="{_share(width)}"'
            f' height="{_STRIP_HEIGHT}" rx="1"><title>{_text(day.label)}</title></rect>'
        )
    return _chart(named, marks, _STRIP_HEIGHT)


def top_of(values: Sequence[int]) -> int:
    """Return a round number that no value exceeds: 1, 2 or 5 with zeros, at least 10."""
    most = max([0, *values])
    power = 1
    while True:
        for step in _STEPS:
            if step * power >= most:
                return step * power
        power *= 10


def _parts(
    at: int, day: str, series: Sequence[Series], show: Show
) -> Iterator[tuple[int, int, str]]:
    for one in series:
        value = one.values[at]
        if value:
            yield value, one.colour, f"{day} · {one.label}: {show(value)}"


def _bar(at: int, count: int, top: int, parts: Iterator[tuple[int, int, str]]) -> Iterator[str]:
    left, width = _slot(at, count, 8)
    below = 0
    for value, colour, words in parts:
        foot, head = _height(below, top), _height(below + value, top)
        below += value
        yield (
            f'<rect class="c{colour}" x="{_share(left)}" y="{_pixels(_foot() - head)}"'
            f' width="{_share(width)}" height="{_pixels(head - foot)}">'
            f"<title>{_text(words)}</title></rect>"
        )


def _line(columns: Sequence[str], one: Series, top: int, show: Show) -> Iterator[str]:
    before: tuple[str, str] | None = None
    for at, value in enumerate(one.values):
        if value is None:
            before = None
            continue
        x, y = _share(_middle(at, len(columns))), _pixels(_foot() - _height(value, top))
        if before is not None:
            yield f'<line class="line{one.colour}" x1="{before[0]}" y1="{before[1]}" x2="{x}" y2="{y}"/>'
        words = f"{columns[at]} · {one.label}: {show(value)}"
        yield f'<circle class="c{one.colour}" cx="{x}" cy="{y}" r="2.5"><title>{_text(words)}</title></circle>'
        before = x, y


def _grid(top: int, show: Show) -> Iterator[str]:
    for value in (0, top // 2, top):
        y = _foot() - _height(value, top)
        yield f'<line class="axis" x1="0" y1="{_pixels(y)}" x2="100%" y2="{_pixels(y)}"/>'
        if value:
            yield f'<text class="tick" x="0" y="{_pixels(y - 4 * _CENT)}">{_text(show(value))}</text>'


def _days(columns: Sequence[str]) -> Iterator[str]:
    """Yield the words below: month and day of some columns, the last one always."""
    every = -(-len(columns) // _LABELS_MAX)
    for at in range(len(columns) - 1, -1, -every or -1):
        x = _middle(at, len(columns))
        near, far = x < _EDGE, x > _PERCENT - _EDGE
        anchor = "start" if near and not far else "end" if far and not near else "middle"
        x = 0 if anchor == "start" else _PERCENT if anchor == "end" else x
        yield (
            f'<text x="{_share(x)}" y="{HEIGHT - 6}" text-anchor="{anchor}">'
            f"{_text(columns[at][5:])}</text>"
        )


def _chart(named: Named, marks: Sequence[str], height: int = HEIGHT) -> Markup:
    name = _text(named.id)
    whole = (
        f'<svg class="chart" role="img" width="100%" height="{height}"'
        f' aria-labelledby="{name}-title" aria-describedby="{name}-text">'
        f'<title id="{name}-title">{_text(named.title)}</title>'
        f'<desc id="{name}-text">{_text(named.text)}</desc>{"".join(marks)}</svg>'
    )
    return Markup(whole)  # noqa: S704 -- all words in it went through _text


def _text(words: str) -> str:
    return str(escape(_NOT_XML.sub("\ufffd", words)))


def _height(value: int, top: int) -> int:
    """Return how high a value stands, in hundredths of a pixel, rounded to nearest."""
    return (2 * value * PLOT * _CENT + top) // (2 * top)


def _foot() -> int:
    return (TOP + PLOT) * _CENT


def _slot(at: int, count: int, gap: int) -> tuple[int, int]:
    """Return where a column begins and how wide it is, with `gap` percent of it left at each side."""
    room = _PERCENT // count
    return _PERCENT * at // count + room * gap // 100, room - 2 * (room * gap // 100)


def _middle(at: int, count: int) -> int:
    return _PERCENT * (2 * at + 1) // (2 * count)


def _share(thousandths: int) -> str:
    return f"{thousandths // 1000}.{thousandths % 1000:03d}%"


def _pixels(hundredths: int) -> str:
    return f"{hundredths // _CENT}.{hundredths % _CENT:02d}"
