"""The twin of core/language.py: whatever a browser asks for, it is answered in a language of ours."""

import gettext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core.language import ENGLISH, LANGUAGES, chosen, html_tag, said, translations
from tollbridge.core.phrase import Phrase, phrase

HEADER = st.text(st.characters(max_codepoint=255))
PARTS = st.lists(
    st.tuples(
        st.sampled_from(["en", "EN-gb", "zh", "zh-Hant-TW", "fr", "*", "", "e n", "zh_Hans"]),
        st.sampled_from(["", ";q=0", ";q=0.3", " ; Q=0.30", ";q=1.0", ";q=0.\u00b2", ";q=x", ";"]),
    )
)


@given(HEADER | PARTS.map(lambda parts: ",".join(tag + weight for tag, weight in parts)))
def test_any_header_leads_to_a_language_of_ours(accept: str):
    assert chosen(accept=accept) in LANGUAGES


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "en"),
        ("de,fr;q=0.9", "en"),
        ("*", "en"),
        ("zh", "zh_Hans"),
        ("ZH-cn,en;q=0.9", "zh_Hans"),
        ("en;q=0.8,zh;q=0.9", "zh_Hans"),
        ("en ; q=0.8, zh ; q=0.9", "zh_Hans"),
        ("zh;q=0.5,en", "en"),
        ("zh;q=0,fr", "en"),
        ("zh;q=0.000", "en"),
        ("zh;q=0.001", "zh_Hans"),
        ("zh,en", "zh_Hans"),
        ("en,zh", "en"),
        ("fr,de;q=0.9,zh;q=0.1", "zh_Hans"),
        # What is no weight counts as the full one.
        ("en;q=0.9,zh;q=0.\u00b2", "zh_Hans"),
        ("x" * 1000 + ",zh", "en"),
    ],
)
def test_the_browsers_order_counts(accept: str, expected: str):
    assert chosen(accept=accept) == expected


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_the_heavier_one_wins_and_the_first_of_equals(english: int, chinese: int):
    accept = f"en;q={english / 1000:.3f},zh;q={chinese / 1000:.3f}"
    assert chosen(accept=accept) == ("zh_Hans" if chinese > english else "en")


@given(st.lists(st.none() | st.text() | st.sampled_from(sorted(LANGUAGES))))
def test_the_first_wish_that_is_a_language_of_ours_counts(wishes: list[str | None]):
    ours = [wish for wish in wishes if wish in LANGUAGES]
    assert chosen(*wishes, accept="zh") == (ours[0] if ours else "zh_Hans")


def test_english_needs_no_catalogue():
    assert translations(ENGLISH).gettext("Saved.") == "Saved."
    assert type(translations(ENGLISH)) is gettext.NullTranslations
    unknown = "a text that no catalogue has"
    assert all(translations(language).gettext(unknown) == unknown for language in LANGUAGES)


def test_pages_say_their_language_as_browsers_know_it():
    assert [html_tag(language) for language in LANGUAGES] == ["en", "zh-Hans"]


def test_a_phrase_is_said_with_all_that_it_is_made_of():
    fault = phrase("%(name)s must be %(kind)s", name="rpm", kind=phrase("a whole number"))
    assert said(ENGLISH, fault) == "rpm must be a whole number"
    assert said("zh_Hans", fault) == "rpm 须为整数"
    assert said(ENGLISH, Phrase("input", "Input")) == "input"
    assert said("zh_Hans", Phrase("input", "Input")) == said("zh_Hans", "Input") != "Input"
    # What is no phrase is a text of the catalogue, or stays what it is.
    assert (
        said("zh_Hans", "a whole number") == "整数" and said("zh_Hans", "5 % of it") == "5 % of it"
    )
