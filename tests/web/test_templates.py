"""What every template keeps to: nothing inline that the policy forbids, no way around escaping."""

import re
from pathlib import Path

import pytest

import tollbridge

FOLDER = Path(tollbridge.__file__).parent / "templates"
PAGES = sorted(
    path.relative_to(FOLDER).as_posix()
    for path in FOLDER.rglob("*.html")
    if path.relative_to(FOLDER).parts[0] != "mail"
)
_RULES = {
    "a style attribute": re.compile(r"\sstyle\s*=", re.IGNORECASE),
    "a <style> element": re.compile(r"<style\b", re.IGNORECASE),
    "an inline script": re.compile(
        r"<script\b(?![^>]*\ssrc=)|<script\b[^>]*>\s*[^<\s]", re.IGNORECASE
    ),
    "a handler": re.compile(r"""[\s"'](?:on[a-z]+|hx-on\S*)\s*=""", re.IGNORECASE),
    "a javascript: address": re.compile(r"javascript\s*:", re.IGNORECASE),
    "another site's script or style": re.compile(
        r"""<(?:script|link|img|iframe)\b[^>]*(?:src|href)\s*=\s*["'](?:https?:)?//""",
        re.IGNORECASE,
    ),
}
_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
_CODE = re.compile(r"\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_UNESCAPED = re.compile(r"\|\s*safe\b|autoescape|Markup\(")
_ELEMENT = re.compile(r"<(/?)(div|section|table)\b([^>]*)>", re.IGNORECASE)


def breaches(text: str) -> list[str]:
    """Return what is wrong with a template."""
    plain = _COMMENT.sub("", text)
    found = {what for what, rule in _RULES.items() if rule.search(_CODE.sub("x", plain))}
    if _UNESCAPED.search(plain):
        found.add("a way around escaping")
    if _bare_table(plain):
        found.add("a table outside of a sheet")
    return sorted(found)


def _bare_table(text: str) -> bool:
    """Tell whether a table stands in no element of the class `sheet`."""
    above: list[str] = []
    for closing, tag, attributes in _ELEMENT.findall(text):
        if closing:
            above = above[:-1]
            continue
        if tag.lower() == "table" and not any(re.search(r"\bsheet\b", one) for one in above):
            return True
        above.append(attributes)
    return False


@pytest.mark.parametrize("name", PAGES)
def test_a_template_keeps_to_the_policy(name: str):
    assert breaches((FOLDER / name).read_text()) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('<p style="color: red">', "a style attribute"),
        ("<style>p {}</style>", "a <style> element"),
        ("<script>go()</script>", "an inline script"),
        ('<script src="{{ asset("app.js") }}">go()</script>', "an inline script"),
        ('<button onclick="go()">', "a handler"),
        ('<div hx-on::after-request="go()">', "a handler"),
        ('<a href="javascript:go()">', "a javascript: address"),
        ("{{ text | safe }}", "a way around escaping"),
        ("{{ text|safe }}", "a way around escaping"),
        ("{% autoescape false %}", "a way around escaping"),
        ('<script src="https://cdn.test/a.js"></script>', "another site's script or style"),
        ('<link rel="stylesheet" href="//cdn.test/a.css">', "another site's script or style"),
        ("<table></table>", "a table outside of a sheet"),
        ('<div class="sheet"></div><table></table>', "a table outside of a sheet"),
    ],
)
def test_every_rule_bites(text: str, expected: str):
    assert breaches(text) == [expected]


def test_good_templates_are_left_alone():
    for text in (
        '<div class="card sheet" tabindex="0"><div><table></table></div></div>',
        '<script src="{{ asset("app.js") }}" defer></script>',
        '{# style="x" is not for here #}<p class="hint">{{ _("once = twice") }}</p>',
        '<svg><rect fill="red" width="1"/></svg>',
        '{% set on = 1 %}<a href="https://site.test">{{ button(one=1) }}</a>',
    ):
        assert breaches(text) == []
