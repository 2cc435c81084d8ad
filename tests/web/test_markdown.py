"""The twin of web/markdown.py: of whatever operators write, nothing can run, load or send."""

import re
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.web.markdown import to_html

PIECES = st.sampled_from(
    [*("<script>", "</script>", "<img src=x onerror=alert(1)>", "<a href='javascript:x'>", "[a](", ")"),
    *("javascript:alert(1)", "JaVa\tScript:x", "data:text/html,<script>", "vbscript:x", "![", "](x)"),
    *("<svg/onload=x>", "<https://ok.test>", "<javascript:x>", "[r]", "[r]: javascript:x\n", "\n"),
    *("&#106;avascript:x", "`", "```html\n", "> ", "* ", "|a|b|\n|-|-|\n", '" onclick="x', "<style>"),
    *("<!--", "-->", "<iframe src=//x>", "//evil.test", "mailto:a@b.c", "file:///x", "\x00", "&lt;"),
    *("<a href=x style='y' onmouseover=z>", "<form action=x>", "<base href=x>", "[a](<b c> 'd')")]
)  # fmt: skip
TEXTS = st.lists(PIECES | st.text(max_size=5)).map("".join) | st.text()
TAGS = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "strong", "em", "s", "code", "pre", "blockquote"),
    *("ul", "ol", "li", "a", "table", "thead", "tbody", "tr", "th", "td"),
}


class Elements(HTMLParser):
    """Collects the elements of a text as a browser finds them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@given(TEXTS)
def test_nothing_of_it_runs_loads_or_sends(text: str):
    for tag, attributes in Elements(to_html(text)).found:
        assert tag in TAGS
        assert set(attributes) <= ({"href", "title", "rel"} if tag == "a" else set())
        if "href" in attributes:
            address = re.sub(r"[\x00-\x20]", "", attributes["href"] or "")
            assert not re.match(r"(?i)(javascript|data|vbscript|file|blob):", address)
            assert scheme(address) in ("", "http", "https", "mailto")
            assert attributes["rel"] == "noopener noreferrer"


def scheme(address: str) -> str:
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", address)
    return found[1].lower() if found else ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Terms", "<h1>Terms</h1>\n"),
        ("a *b* **c** ~~d~~ `e`", "<p>a <em>b</em> <strong>c</strong> <s>d</s> <code>e</code></p>\n"),
        ("<b>a</b>", "<p>&lt;b&gt;a&lt;/b&gt;</p>\n"),
        ("![a](https://x.test/i.png)", "<p></p>\n"),
        ("", ""),
    ],
)  # fmt: skip
def test_what_it_becomes(text: str, expected: str):
    assert to_html(text) == expected


@pytest.mark.parametrize("address", ["https://a.test/b?c=d", "/legal/terms", "mailto:a@b.test"])
def test_good_links_stay(address: str):
    ((_, _), (tag, attributes)) = Elements(to_html(f"[there]({address})")).found
    assert tag == "a" and urlsplit(attributes["href"]) == urlsplit(address)


def test_tables_stay():
    found = [tag for tag, _ in Elements(to_html("|a|b|\n|-|-|\n|1|2|\n")).found]
    assert found == ["table", "thead", "tr", "th", "th", "tbody", "tr", "td", "td"]
