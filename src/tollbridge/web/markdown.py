"""Owns text that operators write (announcements, legal pages): Markdown in, harmless HTML out.

HTML inside the text stays text; links go to https, http, mailto or our own pages and open no window
that could reach back. Pure.
"""

from typing import Final

import nh3
from markdown_it import MarkdownIt

_TAGS: Final = frozenset(
    "p br hr h1 h2 h3 h4 strong em s code pre blockquote ul ol li a table thead tbody tr th td".split()  # noqa: SIM905 -- a list of names reads better
)
_reader = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(
    ["table", "strikethrough"]
)


def to_html(text: str) -> str:
    """Return the HTML of a Markdown text; nothing in it can run, load or send anything."""
    return nh3.clean(
        _reader.render(text),
        tags=set(_TAGS),
        attributes={"a": {"href", "title"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer",
    )
