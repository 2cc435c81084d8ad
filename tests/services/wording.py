"""Owns what of a page is in no Chinese: its texts and the attributes that are read, without names.

Code, paths, names and figures are the same in every language. They are told by the element that they
stand in, or by their looks; whatever else has letters and nothing Chinese is English.
"""

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Final

from tollbridge.catalog.price_import_source import read_source

_CHINESE = re.compile(r"[\u3400-\u9fff]")
_LETTERS = re.compile(r"[A-Za-z]{2}")
_READ: Final = ("aria-label", "placeholder", "title", "alt", "data-copied")
# A word with anything in it that no word has: an id, an address, a model, a path, a sum.
_CODE = r"(?:\S*[\d_@/:.$]\S*|\S+-\S+)"
_CODES = re.compile(rf"{_CODE}(?: (?:{_CODE}|UTC))*")
NAMES: Final = frozenset(
    {
        *("Anthropic", "Anthropic SDK", "Claude Code", "Codex CLI", "Cursor", "Gemini", "OpenAI"),
        *("Google GenAI SDK", "Google Gemini", "Node.js", "OpenAI SDK", "Python", "curl"),
        *("CSV", "HTML", "PDF", "English", "Telegram", "Tollbridge", "UTC"),
    }
)
CODES: Final = frozenset(
    {
        # What the configuration file calls platforms, surfaces, programs and forms.
        *("anthropic", "gemini", "openai", "chat", "media", "messages", "responses", "codex"),
        *("form", "json", "default"),
        # Dialects of errors.
        *("legacy", "plain", "strict"),
        # What the audit log calls doors and kinds of things: its filters ask for them.
        *("channel", "console", "shell", "user"),
    }
)
_SELLERS: Final = frozenset(one.id for one in read_source())

_VOID: Final = frozenset({"br", "hr", "img", "input", "link", "meta", "path", "rect", "line"})
# What is no text of ours: programs, what is typed or copied letter by letter.
_CODE: Final = frozenset({"code", "pre", "script", "style", "textarea", "kbd", "samp"})


class Reader(HTMLParser):
    """Collects the texts of a page that have letters and nothing Chinese."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take the attributes that are read, and note whether code begins."""
        given = {name: value or "" for name, value in attrs}
        for name in _READ:
            self._take(given.get(name, ""))
        if tag == "input" and given.get("type") == "submit":
            self._take(given.get("value", ""))
        if tag not in _VOID:
            code = tag in _CODE or "mono" in given.get("class", "").split()
            self._open.append((tag, code))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take the attributes of an element without content."""
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Close the element, and those within it that need no end."""
        for at in range(len(self._open) - 1, -1, -1):
            if self._open[at][0] == tag:
                del self._open[at:]
                return

    def handle_data(self, data: str) -> None:
        """Take a text that is no code."""
        if not any(code for _, code in self._open):
            self._take(data)

    def _take(self, text: str) -> None:
        text = " ".join(text.split())
        if _LETTERS.search(text) and not _CHINESE.search(text):
            self.found.append(text)


def english_in(page: str) -> Iterator[str]:
    """Yield each text of a page once that has letters and nothing Chinese."""
    reader = Reader()
    reader.feed(page)
    yield from dict.fromkeys(reader.found)


def faults(text: str, own: Callable[[str], bool]) -> Iterator[str]:
    """Yield the parts of a text that should be Chinese; `own`: what somebody called or wrote here."""
    if own(text):
        return
    for part in re.split(r" · |, |: (?=~)", text.strip("()")):
        known = part in NAMES or part in CODES or part in _SELLERS
        if not (known or not part or _CODES.fullmatch(part) or own(part)):
            yield part
