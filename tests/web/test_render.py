"""The twin of web/render.py: what a template shows is escaped, translated, and never a gap."""

from html import unescape

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from tollbridge.core.language import LANGUAGES
from tollbridge.core.zones import zone_of
from tollbridge.web.assets import asset_url
from tollbridge.web.render import environment, render_block

VALUES = {"zone": zone_of("Asia/Shanghai")}


def shown(source: str, **values) -> str:
    return environment("en").from_string(source).render(VALUES | values)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_value_is_escaped(value: str):
    text = shown('<b title="{{ v }}">{{ v }}</b>', v=value)
    assert text.count("<") == 2 and text.count('"') == 2
    inner = text.removesuffix("</b>").partition('">')[2]
    assert unescape(inner).replace("\r", "") == unescape(value_of(value)).replace("\r", "")
    assert shown("{{ _('%(v)s here', v=v) }}", v="<i>") == "&lt;i&gt; here"


def value_of(value: str) -> str:
    """Return a value as plain escaping writes it, so that `unescape` reads both alike."""
    for plain, escaped in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ("'", "&#39;"),
        ('"', "&#34;"),
    ):
        value = value.replace(plain, escaped)
    return value


def test_a_value_that_nobody_gave_is_an_error():
    with pytest.raises(UndefinedError):
        shown("{{ nobody_gave_this }}")
    with pytest.raises(UndefinedError):
        shown("{% if nobody_gave_this %}{% endif %}")


def test_figures():
    assert shown("{{ 1500000000 | usd }} {{ 12345 | count }} {{ 2400 | duration }}") == (
        "$1.50 12,345 2.4 s"
    )
    assert shown("{{ share(1, 3) }}") == "33.3 %"
    at_ms = 1_769_868_309_999
    assert shown("{{ at | moment }} {{ at | day }} {{ at | iso }}", at=at_ms) == (
        "2026-01-31 22:05:09 2026-01-31 2026-01-31T14:05:09Z"
    )


def test_markdown_comes_as_harmless_html():
    assert shown("{{ t | markdown }}", t="*a* <script>") == "<p><em>a</em> &lt;script&gt;</p>\n"


def test_addresses_and_languages():
    assert shown("{{ asset('app.css') }}") == asset_url("app.css")
    with pytest.raises(LookupError):
        shown("{{ asset('none.css') }}")
    assert shown("{{ languages['zh_Hans'] }} {{ language }} {{ html_tag }}") == "简体中文 en en"
    assert environment("zh_Hans").from_string("{{ html_tag }}").render() == "zh-Hans"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_template_can_be_read(language: str):
    made = environment(language)
    names = made.list_templates(filter_func=lambda name: name.endswith((".html", ".txt", ".jinja")))
    assert "error.html" in names
    for name in names:
        assert isinstance(made.get_template(name), jinja2.Template)


def test_one_block_alone():
    block = render_block("en", "error.html", "title", {**VALUES, "status": 404, "visit": None})
    assert block == "There is no such page"
    with pytest.raises(KeyError):
        render_block("en", "error.html", "no such block", VALUES)
