"""Proof that the page is well formed whatever names are in it, and loads nothing."""

from html.parser import HTMLParser

import pytest

from tests.billing.months import STRANGE, statement, strange
from tollbridge.billing.statement_html import POLICY, statement_html
from tollbridge.billing.statement_lines import lines

_VOID = {"meta"}


class Page(HTMLParser):
    """Keeps the cells, and sees that whatever begins ends."""

    def __init__(self, raw: bytes) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.rows: list[list[str]] = []
        self._open: list[str] = []
        self.feed(raw.decode())
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag == "td":
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "td":
            self.rows[-1][-1] += data


def cells(raw: bytes) -> list[tuple[str, ...]]:
    return [tuple(row) for row in Page(raw).rows if row]


def test_it_reads_back():
    assert cells(statement_html(statement())) == [line[1:] for line in lines(statement())]


@pytest.mark.parametrize("name", STRANGE)
def test_names_are_text(name: str):
    page = Page(statement_html(strange(name)))
    assert page.tags == Page(statement_html(statement())).tags
    assert not page.tags & {"script", "img", "link", "a", "iframe"}
    shown = name.encode("utf-8", "backslashreplace").decode().replace("\r\n", "\n")
    if name and "\x00" not in name:
        assert any(shown in cell.replace("\r\n", "\n") for row in page.rows for cell in row)


def test_nothing_is_loaded():
    assert POLICY.startswith("default-src 'none'")
