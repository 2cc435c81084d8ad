"""Owns the languages of everything that people read, and the catalogues of their texts.

English is the language of the source, so it needs no catalogue. Must not know what is said.
"""

import gettext
from functools import cache
from pathlib import Path
from typing import Final

from tollbridge.core.phrase import Phrase

DOMAIN: Final = "tollbridge"
ENGLISH: Final = "en"
LANGUAGES: Final = {ENGLISH: "English", "zh_Hans": "简体中文"}
"""By the name of the catalogue: what the language calls itself."""

LOCALE = Path(__file__).resolve().parent.parent / "locale"
# What a browser may call a language that we have.
_TAGS: Final = {"zh": "zh_Hans", "en": ENGLISH}


def N_(text: str) -> str:  # noqa: N802 -- the name that gettext's tools look for
    """Mark a text for translation where it is written; it is translated where it is shown."""
    return text


@cache
def translations(language: str) -> gettext.NullTranslations:
    """Return the texts of a language; those that it has no entry for stay English."""
    return gettext.translation(DOMAIN, LOCALE, [language], fallback=True)


def said(language: str, text: str) -> str:
    """Return a text in a language; of a phrase all that it was made of, plain text, never a pattern."""
    if not isinstance(text, Phrase):
        return translations(language).gettext(text)
    if language == ENGLISH:
        return str(text)
    values = {
        name: said(language, value) if isinstance(value, Phrase) else value
        for name, value in text.values.items()
    }
    return translations(language).gettext(text.msgid) % values


def html_tag(language: str) -> str:
    """Return how a page says its language, for instance zh-Hans."""
    return language.replace("_", "-")


def chosen(*wishes: str | None, accept: str = "") -> str:
    """Return the first of the wishes that is a language of ours, else the browser's, else English.

    `accept` is an Accept-Language header.
    """
    for wish in wishes:
        if wish in LANGUAGES:
            return wish
    return _accepted(accept)


def _accepted(accept: str) -> str:
    found = []
    for place, part in enumerate(accept[:1000].split(",")):
        tag, _, weight = "".join(part.split()).lower().partition(";q=")
        ours = _TAGS.get(tag.partition("-")[0])
        share = _share(weight)
        if ours is not None and share > 0:
            found.append((-share, place, ours))
    return min(found)[2] if found else ENGLISH


def _share(text: str) -> int:
    """Return a weight in thousandths; what is none counts as the full weight."""
    whole, _, rest = text.partition(".")
    digits = (rest + "000")[:3]
    # Headers may have other digits than these ten, and `int` takes not all of those.
    if whole == "0" and digits.isascii() and digits.isdigit():
        return int(digits)
    return 1000
