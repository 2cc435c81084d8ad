"""Proof that letters arrive whole in both languages, and that no value can be more than a value."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from tests.services.smtp import mail_server
from tollbridge.core.language import LANGUAGES
from tollbridge.notify.letters import letter
from tollbridge.notify.mail import Mailer

TO = "ann@example.test"
URL = "https://site.test/verify?token=abc&x=1"
LETTERS = {
    "verify": {"url": URL, "hours": 24},
    "known": {"sign_in_url": URL, "reset_url": URL + "2"},
    "reset": {"url": URL, "minutes": 30},
    "password_changed": {},
    "totp_changed": {"what": "on"},
    "too_many_codes": {},
    "new_email": {"url": URL, "hours": 1},
    "email_changed": {"new": "b…@example.test"},
    "suspended": {"reason": "because\nof <that>"},
    "deleted": {},
    "low_balance": {"balance": "$1.00", "low": "$2.00", "call": None, "days": 3},
    "spending": {
        "what": "key_limit", "percent": 80, "key": "k", "spent": "$8.00", "limit": "$10.00",
        "period": "", "begins": "", "ends": "", "call": None,
    },
}  # fmt: skip
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_FOLDER = Path(__file__).resolve().parents[2] / "src/tollbridge/templates/mail"


class Seen(HTMLParser):
    """What a mail program is given: tags with attributes, and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_every_letter_is_proved():
    assert {file.stem for file in _FOLDER.glob("*.jinja")} == LETTERS.keys()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", LETTERS)
def test_every_letter_in_every_language(name: str, language: str):
    mail = letter(name, language, TO, "Bridge", **LETTERS[name])
    is_chinese = language == "zh_Hans"
    assert mail.subject.startswith("[Bridge] ")
    assert bool(_CHINESE.search(mail.subject)) is is_chinese
    for paragraph in mail.text.split("\n\n"):
        if " " in paragraph and "because" not in paragraph and "Bridge\n" not in paragraph:
            assert is_chinese == bool(_CHINESE.search(paragraph)) or paragraph.startswith("—")
    seen = Seen(mail.html or "")
    assert f'lang="{language.replace("_", "-")}"' in (mail.html or "")
    said = " ".join(seen.text.split())
    for line in filter(None, mail.text.splitlines()):
        assert " ".join(line.removeprefix("— ").split()) in said
    links = {attributes["href"] for tag, attributes in seen.tags if tag == "a"}
    assert links == {value for value in LETTERS[name].values() if str(value).startswith(URL)}


@pytest.mark.parametrize("name", LETTERS)
def test_nothing_is_loaded_and_nothing_is_a_table(name: str):
    seen = Seen(letter(name, None, TO, "Bridge", **LETTERS[name]).html or "")
    assert not {tag for tag, _ in seen.tags} & {"table", "img", "link", "script", "style", "iframe"}
    assert not {key for _, attributes in seen.tags for key in attributes} & {"src", "class"}
    assert not any("url(" in (attributes.get("style") or "") for _, attributes in seen.tags)


def test_a_language_of_nobody_is_english_and_none_is_both():
    values = LETTERS["verify"]
    assert letter("verify", "xx", TO, "B", **values) == letter("verify", "en", TO, "B", **values)
    both = letter("verify", None, TO, "B", **values)
    english, chinese = both.text.split("\n\n---\n\n")
    assert english + "\n" == letter("verify", "en", TO, "B", **values).text
    assert chinese == letter("verify", "zh_Hans", TO, "B", **values).text


@pytest.mark.parametrize(
    "name", ["nothing", "frame", "say", "../base", "", "verify.jinja", "say.txt"]
)
def test_a_letter_that_there_is_not(name: str):
    with pytest.raises(LookupError):
        letter(name, "en", TO, "Bridge")


def test_a_missing_value_is_no_gap():
    with pytest.raises(UndefinedError):
        letter("verify", "en", TO, "Bridge", hours=1)


def test_who_is_no_address_gets_no_letter():
    with pytest.raises(ValueError, match="address"):
        letter("deleted", "en", "Ann <ann@example.test>", "Bridge")


def test_one_and_many():
    one, many = (letter("verify", "en", TO, "B", url=URL, hours=hours).text for hours in (1, 2))
    assert "within 1 hour." in one
    assert "within 2 hours." in many


@given(st.text(min_size=1, max_size=100), st.text(max_size=200))
def test_values_are_text_alone(site: str, reason: str):
    mail = letter("suspended", "en", TO, site, reason=reason)
    plain = letter("suspended", "en", TO, "s", reason="r" if reason else "")
    html, bare = Seen(mail.html or ""), Seen(plain.html or "")
    assert [tag for tag, _ in html.tags] == [tag for tag, _ in bare.tags]
    assert [attributes for _, attributes in html.tags] == [
        attributes for _, attributes in bare.tags
    ]


@pytest.mark.parametrize("language", [*LANGUAGES, None])
async def test_a_letter_arrives_whole_and_the_same_twice(language: str | None):
    mail = letter("verify", language, TO, "桥 Bridge", url=URL, hours=24)
    async with mail_server() as server:
        mailer = Mailer(
            sender="gate@example.test", folder=Path("unused"), host="127.0.0.1",
            port=server.port, security="none",
        )  # fmt: skip
        for _ in range(2):
            await mailer.send(mail, "m-1", 1_767_225_600_123)
    first, second = server.mails
    assert first.content == second.content
    message = first.message
    assert message["subject"] == mail.subject
    assert message.defects == []
    kinds = [part.get_content_type() for part in message.iter_parts()]
    assert kinds == ["text/plain", "text/html"]
    for kind, whole in (("plain", mail.text), ("html", mail.html)):
        body = message.get_body((kind,))
        assert body is not None
        assert body.defects == []
        assert body.get_content().replace("\r\n", "\n") == whole
        assert URL.replace("&", "&amp;" if kind == "html" else "&") in body.get_content()
