"""Owns finding the line of a table or key in a TOML text. Pure.

The parser of the standard library gives values without places. This scanner knows just enough of
TOML to place what the parser has already accepted; it must not judge the text itself.
"""

import re

Path = tuple[str | int, ...]

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_ARRAY_HEADER = re.compile(rf"\s*\[\[\s*({_DOTTED})\s*\]\]")
_HEADER = re.compile(rf"\s*\[\s*({_DOTTED})\s*\]")
_KEY = re.compile(rf"\s*({_DOTTED})\s*=")
_PARTS = re.compile(_PART)
# Whatever can open or close something in a value; escapes first, so that \" closes nothing.
_MARKS = re.compile(r"""\\.|\"\"\"|'''|["'\[\]{}#]""")
_LONG_QUOTES = ('"""', "'''")


class Lines:
    """Where each table and key of a text begins; arrays of tables count from 0."""

    def __init__(self, text: str) -> None:
        self._at: dict[Path, int] = {}
        self._counts: dict[Path, int] = {}
        self._table: Path = ()
        value = _Value()
        for number, line in enumerate(text.split("\n"), start=1):
            value.read(line if value.open else line[self._enter(line, number) :])

    def of(self, path: Path) -> int:
        """Return the line of a path, or of the nearest thing around it that has one."""
        while path and path not in self._at:
            path = path[:-1]
        return self._at.get(path, 1)

    def _enter(self, line: str, number: int) -> int:
        """Note the header or key that a line begins with; return where its value starts."""
        if found := _ARRAY_HEADER.match(line):
            self._table = self._next(_parts(found[1]))
            self._at[self._table] = number
        elif found := _HEADER.match(line):
            self._table = self._within((), _parts(found[1]))
            self._at.setdefault(self._table, number)
        elif found := _KEY.match(line):
            self._at.setdefault(self._within(self._table, _parts(found[1])), number)
        return found.end() if found else 0

    def _next(self, parts: list[str]) -> Path:
        array = (*self._within((), parts[:-1]), parts[-1])
        index = self._counts.get(array, 0)
        self._counts[array] = index + 1
        return (*array, index)

    def _within(self, path: Path, parts: list[str]) -> Path:
        for part in parts:
            path = (*path, part)
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
        return path


def _parts(dotted: str) -> list[str]:
    return [part.strip("\"'") for part in _PARTS.findall(dotted)]


class _Value:
    """Follows a value over its lines, to tell when it ends."""

    def __init__(self) -> None:
        self._quote = ""
        self._depth = 0

    @property
    def open(self) -> bool:
        """Whether the next line still belongs to the value."""
        return bool(self._quote) or self._depth > 0

    def read(self, line: str) -> None:
        """Take the rest of a line."""
        for found in _MARKS.finditer(line):
            mark = found[0]
            if self._quote:
                if mark == self._quote:
                    self._quote = ""
            elif mark == "#":
                break
            elif mark[0] in "\"'":
                self._quote = mark
            elif mark in "[{":
                self._depth += 1
            elif mark in "]}":
                self._depth -= 1
        if self._quote not in _LONG_QUOTES:
            self._quote = ""
