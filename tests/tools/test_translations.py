"""Proof that the catalogues are whole, that they are what the sources say, and how they are made."""

import gettext
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tollbridge.core.language import ENGLISH, LANGUAGES
from tools import translations

_PLACEHOLDER = re.compile(r"%\([^)]*\)[a-z]|%%|%")
_PLACEHOLDER_WHOLE = re.compile(r"%\(\w+\)s|%%")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_TAG = re.compile(r"</?[a-z][^>]*>")
# Names and words that are the same in every language.
SAME = frozenset(
    {
        *("QQ: %(number)s", "Telegram"),
        # Nothing but values and the marks between them.
        *("%(fault)s.", "%(name)s %(fault)s", "%(name)s: %(fault)s"),
        "%(what)s: %(before)s → %(after)s",
    }
)
# English texts that say the same in Chinese: number and case are matters of English alone.
ALIKE = (
    {"Channel", "Channels", "channel", "a channel"},
    {"Group", "Groups", "group"},
    {"0 means no limit.", "0: no limit."},
    {"A secret", "Secret"},
    {"Account", "Accounts", "an account"},
    {"Action", "Actions"},
    {"Address", "Addresses"},
    {"Announcement", "Announcements"},
    {"Back to the profile", "To the profile"},
    {"Base URL", "Base URLs"},
    {"Budget for each", "The budget is for each"},
    {"Call", "Calls"},
    {"Charge", "Charges"},
    {"Codes", "Redeem code"},
    {"Create my account", "Sign-up"},
    {"Disable", "Switch off"},
    {"Disabled", "Switched off", "disabled"},
    {"Enable", "Switch it on"},
    {"Ended", "Over"},
    {"Invite", "Invite code", "Invites"},
    {"List price", "List prices"},
    {"Make a token", "Make the token"},
    {"No calls yet", "no calls yet"},
    {"None", "none"},
    {"None.", "There is none."},
    {"Note", "Notes"},
    {"Other", "Others"},
    {"Parked", "parked"},
    {"Peak hours", "peak", "peak hours"},
    {"Please wait a little and try again.", "Retry later."},
    {"Request", "Requests"},
    {"Time", "Times"},
    {"Your account is deleted", "Your account was deleted"},
    {"Key", "Keys"},
    {"Images", "image"},
    {"Model", "Models", "a model"},
    {"State", "Status"},
    {"Tokens a minute", "Tokens per minute"},
    {"User", "Users"},
)


def _catalogue(language: str) -> Path:
    return translations.PACKAGE / "locale" / language / "LC_MESSAGES" / "tollbridge.po"


@pytest.fixture(params=[one for one in LANGUAGES if one != ENGLISH])
def language(request) -> str:
    return request.param


def test_every_language_has_a_catalogue():
    assert translations.PLURALS.keys() == LANGUAGES.keys() - {ENGLISH}


def test_the_files_are_what_the_sources_make_them(language: str):
    for path, content in translations.files_of(language).items():
        assert path.read_bytes() == content, f"{path.name} is stale: run `make texts`"


def test_nothing_is_untranslated(language: str):
    entries = translations.read(_catalogue(language))
    assert entries.keys() == translations.all_texts(translations.PACKAGE)
    assert [text[0] for text, forms in entries.items() if not all(forms)] == []


def test_chinese_is_chinese():
    entries = translations.read(_catalogue("zh_Hans"))
    foreign = {text[0] for text, forms in entries.items() if not all(map(_CHINESE.search, forms))}
    assert foreign - SAME == set()
    assert {text[0] for text in entries} >= SAME


def test_placeholders_and_tags_agree(language: str):
    wrong = [
        text[0]
        for text, forms in translations.read(_catalogue(language)).items()
        for form in forms
        for pattern in (_PLACEHOLDER, _TAG)
        if set(pattern.findall(form)) != {one for word in text for one in pattern.findall(word)}
    ]
    assert wrong == []


def test_every_text_can_be_filled_in(language: str):
    """A lone % is no text: readers of texts always fill in, values or none."""
    wrong = [
        form
        for text, forms in translations.read(_catalogue(language)).items()
        for form in (*text, *forms)
        if "%" in _PLACEHOLDER_WHOLE.sub("", form)
    ]
    assert wrong == []


def test_space_around_a_text_is_kept(language: str):
    for text, forms in translations.read(_catalogue(language)).items():
        for form in forms:
            assert form[:1].isspace() == text[0][:1].isspace()
            assert form[-1:].isspace() == text[0][-1:].isspace()


def test_what_differs_in_english_differs():
    """A reader must be able to tell two texts apart, but for those that mean the same."""
    by_words: dict[str, set[str]] = {}
    for text, forms in translations.read(_catalogue("zh_Hans")).items():
        by_words.setdefault(forms[0], set()).add(text[0])
    collisions = [found for found in by_words.values() if len(found) > 1]
    assert [sorted(found) for found in collisions if not any(found <= same for same in ALIKE)] == []


def test_gettext_reads_what_is_compiled(language: str):
    with _catalogue(language).with_suffix(".mo").open("rb") as file:
        found = gettext.GNUTranslations(file)
    for text, forms in translations.read(_catalogue(language)).items():
        if len(text) == 1:
            assert found.gettext(text[0]) == forms[0]
        else:
            assert found.ngettext(text[0], text[1], 5) == forms[-1]


def test_texts_of_code():
    source = (
        'A = N_("one")\nvisit.text("two" " parts", n=1)\nother.text("no")\ntext("no")\n'
        '_("three")\nt.gettext("four")\nt.ngettext("%(num)s key", "%(num)s keys", n)\n_(name)\n'
        'N_(f"{x}")\n'
    )
    found = set(translations.texts_of_code(source))
    assert found == {
        ("one",), ("two parts",), ("three",), ("four",), ("%(num)s key", "%(num)s keys"),
    }  # fmt: skip


def test_texts_of_phrases_and_of_settings():
    source = (
        'phrase("one %(n)s", n=phrase("two"))\n'
        'class Settings:\n    a: int = Field(1, description="three" " parts")\n'
        'class Other:\n    b: int = Field(1, description="no")\n'
    )
    found = set(translations.texts_of_code(source))
    assert found == {("one %(n)s",), ("two",), ("three parts",)}


def test_texts_of_a_template():
    source = (
        '{{ _("one") }} {{ _(name) }} <a title="{{ _(\'two %(n)s\', n=n) }}">'
        '{{ ngettext("%(num)s key", "%(num)s keys", n) }}{% trans %}three{% endtrans %}'
    )
    assert set(translations.texts_of_template(source)) == {
        ("one",), ("two %(n)s",), ("%(num)s key", "%(num)s keys"), ("three",),
    }  # fmt: skip


def test_an_update_keeps_what_is_said_and_drops_what_is_not():
    known = {("a",): ("甲",), ("gone",): ("乙",), ("c",): ("丙",)}
    made = translations.updated([("c", "cs"), ("b",), ("a",)], known, "zh_Hans")
    assert list(made.items()) == [(("a",), ("甲",)), (("b",), ("",)), (("c", "cs"), ("",))]


def test_a_catalogue_is_read_as_it_was_written(tmp_path: Path):
    entries = {
        ('a "b"\n%(x)s',): ("甲“乙”\n%(x)s",),
        ("empty",): ("",),
        ("%(num)s key", "%(num)s keys"): ("%(num)s 个密钥",),
    }
    po = tmp_path / "t.po"
    po.write_text(translations.po_text(entries, "zh_Hans"), encoding="utf-8")
    assert translations.read(po) == entries
    found = gettext.GNUTranslations(io.BytesIO(translations.mo_bytes(entries, "zh_Hans")))
    assert found.gettext('a "b"\n%(x)s') == "甲“乙”\n%(x)s"
    assert found.gettext("empty") == "empty"
    assert found.ngettext("%(num)s key", "%(num)s keys", 1) == "%(num)s 个密钥"
    po.write_text('#, fuzzy\nmsgid "a"\nmsgstr "b"\n', encoding="utf-8")
    with pytest.raises(translations.Unclear, match="fuzzy"):
        translations.read(po)


def test_a_catalogue_has_neither_dates_nor_places(language: str):
    said = _catalogue(language).read_text(encoding="utf-8")
    assert "-Date" not in said
    assert not re.search(r"^#", said, re.MULTILINE)
    assert translations.po_text(translations.read(_catalogue(language)), language) == said


def test_a_package_with_a_new_text_is_stale(tmp_path: Path):
    (tmp_path / "templates").mkdir()
    page = tmp_path / "templates" / "a.html"
    page.write_text('{{ _("one") }}')
    first = translations.files_of("zh_Hans", tmp_path)
    page.write_text('{{ _("one") }}{{ _("two") }}')
    assert translations.files_of("zh_Hans", tmp_path) != first


def test_the_check_runs_as_make_runs_it():
    done = subprocess.run(
        [sys.executable, "tools/translations.py", "--check"],
        cwd=translations.ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
