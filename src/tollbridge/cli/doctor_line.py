"""Owns one line of `tollbridge doctor`. Texts name what to do, and never hold a secret."""

from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    """How well something is: "bad" keeps the gateway from doing its work, or will soon."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


class Line(NamedTuple):
    """What was looked at, how it is, and what to do about it."""

    level: Level
    what: str
    text: str


def ok(what: str, text: str) -> Line:
    """Return a line of something that is well."""
    return Line(Level.OK, what, text)


def warn(what: str, text: str) -> Line:
    """Return a line of something that should be seen to."""
    return Line(Level.WARN, what, text)


def bad(what: str, text: str) -> Line:
    """Return a line of something that does not work."""
    return Line(Level.BAD, what, text)
