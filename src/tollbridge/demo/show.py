"""Owns how the demonstration talks to a person: plain lines, colours only where they are wanted.

It must not know what is being demonstrated.
"""

from collections.abc import Mapping
from typing import TextIO

_RESET = "\x1b[0m"
_CODES = {"bold": "\x1b[1m", "dim": "\x1b[2m", "green": "\x1b[32m", "red": "\x1b[31m"}


def wants_colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether to colour: on a terminal that can, unless NO_COLOR is set to anything."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


class Show:
    """Writes lines to one stream; each is flushed, so that progress is seen when it happens."""

    def __init__(self, stream: TextIO, *, colour: bool) -> None:
        """Write to `stream`, with escape sequences only when `colour`."""
        self._stream = stream
        self._colour = colour

    def step(self, text: str) -> None:
        """Say what is being done now."""
        self._line(self._paint("dim", f"... {text}"))

    def heading(self, text: str) -> None:
        """Begin a part."""
        self._line("")
        self._line(self._paint("bold", text))

    def fact(self, name: str, value: str) -> None:
        """Show a value beside its name."""
        self._line(f"  {name:<10} {value}")

    def plain(self, text: str) -> None:
        """Show text as it is."""
        self._line(text)

    def good(self, text: str) -> None:
        """Say that something was checked and holds."""
        self._line(f"  {self._paint('green', 'ok')}  {text}")

    def bad(self, text: str) -> None:
        """Say that something is off."""
        self._line(f"  {self._paint('red', 'OFF')} {text}")

    def _paint(self, name: str, text: str) -> str:
        return f"{_CODES[name]}{text}{_RESET}" if self._colour else text

    def _line(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()
