"""Owns the letters to people: a name, a language and values in, one mail as text and HTML out.

A letter is one template (`templates/mail/<name>.jinja`) with a subject and a body. The body is read
twice, once with the building blocks of HTML and once with those of plain text, so that the two
halves of a mail cannot say different things. Must not know when a letter is due.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, TemplateNotFound
from markupsafe import Markup

from tollbridge.core.language import ENGLISH, LANGUAGES, html_tag, translations
from tollbridge.core.redaction import clipped, one_line
from tollbridge.notify.mail import Mail

Value = str | int | None

_NAME: Final = re.compile(r"[a-z_]{1,64}")
_SITE_MAX: Final = 64
_SUBJECT_MAX: Final = 200
_GAP: Final = re.compile(r"\n\s*\n")


def letter(name: str, language: str | None, to: str, site_name: str, **values: Value) -> Mail:
    """Return a letter in a language; None: in all of ours, one below the other.

    The names of its values stand in the first lines of its template. LookupError for a letter that
    there is not, ValueError when `to` is no address, jinja2's UndefinedError when a value is missing.
    """
    languages = list(LANGUAGES) if language is None else [_ours(language)]
    site = clipped(one_line(site_name), _SITE_MAX)
    context = values | {"site_name": site}
    subjects = [_block(one, name, "subject", context, html=False).strip() for one in languages]
    subject = clipped(one_line(f"[{site}] " + " · ".join(subjects)), _SUBJECT_MAX)
    texts = [_block(one, name, "body", context, html=False) for one in languages]
    pages = [_block(one, name, "body", context, html=True) for one in languages]
    return Mail(to, subject, _text(texts), _page(languages, subject, pages))


def _ours(language: str) -> str:
    return language if language in LANGUAGES else ENGLISH


def _block(language: str, name: str, block: str, context: dict[str, Any], *, html: bool) -> str:
    if not _NAME.fullmatch(name):
        raise LookupError("no such letter")
    try:
        template = _environment(language, html).get_template(f"mail/{name}.jinja")
    except TemplateNotFound:
        raise LookupError(f"no letter {name}") from None
    return "".join(template.blocks[block](template.new_context(context)))


def _text(parts: Sequence[str]) -> str:
    """Join the parts as plain text: one empty line between paragraphs, a rule between languages."""
    clean = []
    for part in parts:
        paragraphs = (
            "\n".join(line.strip() for line in one.splitlines()).strip() for one in _GAP.split(part)
        )
        clean.append("\n\n".join(filter(None, paragraphs)))
    return "\n\n---\n\n".join(clean) + "\n"


def _page(languages: Sequence[str], subject: str, parts: Sequence[str]) -> str:
    bodies = [
        (html_tag(language), Markup(part.strip()))  # noqa: S704 -- a template has just escaped it
        for language, part in zip(languages, parts, strict=True)
    ]
    frame = _environment(languages[0], html=True).get_template("mail/frame.html")
    return frame.render(subject=subject, bodies=bodies) + "\n"


@cache
def _environment(language: str, html: bool) -> Environment:
    made = Environment(
        loader=PackageLoader("tollbridge", "templates"),
        autoescape=html,  # noqa: S701 -- the plain half of a mail is no HTML
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        auto_reload=False,
    )
    # Typed as if the extension were not there.
    made.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    made.globals["say"] = made.get_template(f"mail/say.{'html' if html else 'txt'}").module
    return made
