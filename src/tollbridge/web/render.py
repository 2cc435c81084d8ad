"""Owns turning a template and values into a page: escaping, texts of the language, figures.

A value that a template names and nobody gave is an error, not a gap. Must not know of requests.
"""

from collections.abc import Mapping
from functools import cache, partial
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from tollbridge.core.language import LANGUAGES, html_tag, said, translations
from tollbridge.core.phrase import Phrase
from tollbridge.web import filters
from tollbridge.web.assets import asset_url
from tollbridge.web.markdown import to_html


@cache
def environment(language: str) -> Environment:
    """Return the templates as they are read in a language."""
    made = Environment(
        loader=PackageLoader("tollbridge", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        auto_reload=False,
    )
    # Typed as if the extension were not there.
    made.install_gettext_callables(  # type: ignore[attr-defined]
        partial(_pattern, language), translations(language).ngettext, newstyle=True
    )
    made.filters |= {
        "usd": filters.usd,
        "count": filters.count,
        "duration": lambda ms: said(language, filters.duration(ms)),
        "iso": filters.iso,
        "moment": _moment,
        "day": _day,
        "markdown": lambda text: Markup(to_html(text)),  # noqa: S704 -- it comes cleaned
    }
    made.globals |= {
        "asset": asset_url,
        "share": filters.share,
        "languages": LANGUAGES,
        "language": language,
        "html_tag": html_tag(language),
    }
    return made


def render(language: str, template: str, values: Mapping[str, Any]) -> str:
    """Return a page; `values` must have all that the template names."""
    return environment(language).get_template(template).render(values)


def render_block(language: str, template: str, block: str, values: Mapping[str, Any]) -> str:
    """Return one block of a page, for a browser that has the rest of it already."""
    found = environment(language).get_template(template)
    context = found.new_context(dict(values))
    return "".join(found.blocks[block](context))


def _pattern(language: str, text: str) -> str:
    """Return a text as the templates' gettext wants it: trusted, and with % for values.

    A phrase has its values already, and they may be anything.
    """
    if isinstance(text, Phrase):
        return escape(said(language, text)).replace("%", "%%")
    return translations(language).gettext(text)


@pass_context
def _moment(context: Context, ms: int | None) -> str:
    return filters.moment(ms, context["zone"])


@pass_context
def _day(context: Context, ms: int | None) -> str:
    return filters.day(ms, context["zone"])
