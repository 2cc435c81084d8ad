"""The twin of web/forms.py: whatever is sent, a reader answers a usable value or notes a fault."""

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from tests.services.pages import House
from tollbridge.core.money import MAX_AMOUNT, NANO, format_usd
from tollbridge.web import forms
from tollbridge.web.forms import BODY_MAX, Form, parse_form

ANY = st.text() | st.sampled_from(
    [
        *(
            "",
            " ",
            "0",
            "-0",
            "1e9",
            "\u0661",
            "\u00b2",
            "$",
            "$-1",
            "--1",
            "1.",
            ".5",
            "9" * 400,
            "a,b",
        ),
        *("\r\n", "\x00", "\ud7ff", "off", "-9223372036854775808", "one", "1_000", "+1", "\u2028"),
    ]
)
READERS = {
    "text": lambda form: form.text("f", most=20),
    "block": lambda form: form.block("f", most=20, need=True),
    "secret": lambda form: form.secret("f", most=20),
    "integer": lambda form: form.integer("f", least=-5, most=10**17),
    "amount": lambda form: form.amount("f"),
    "signed": lambda form: form.amount("f", need=False, signed=True),
    "choice": lambda form: form.choice("f", ("one", "two")),
    "many": lambda form: form.many("f", ("one", "two")),
    "free": lambda form: form.many("f"),
    "lines": lambda form: form.lines("f", most=3),
    "flag": lambda form: form.flag("f"),
}
TEXTS = {
    *(forms.REQUIRED, forms.TOO_LONG, forms.NOT_A_NUMBER, forms.OUT_OF_RANGE),
    *(forms.NOT_AN_AMOUNT, forms.NOT_OFFERED, forms.UNREADABLE),
}


def form(*values: str) -> Form:
    return Form({"f": list(values)} if values else {})


def usable(reader: str, value) -> bool:
    """Tell whether what a reader returned is of its kind and within its bounds."""
    return {
        "text": lambda: value.isprintable() and len(value) <= 20 and value == value.strip(),
        "block": lambda: len(value) <= 20 and "\r" not in value and "\x00" not in value,
        "secret": lambda: len(value) <= 20,
        "integer": lambda: type(value) is int and -5 <= value <= 10**17,
        "amount": lambda: value is None or 0 <= value <= MAX_AMOUNT,
        "signed": lambda: value is None or abs(value) <= MAX_AMOUNT,
        "choice": lambda: value in ("one", "two"),
        "many": lambda: set(value) <= {"one", "two"} and len(set(value)) == len(value),
        "free": lambda: all(one == one.strip() != "" for one in value),
        "lines": lambda: len(value) <= 3 and all(one == one.strip() != "" for one in value),
        "flag": lambda: type(value) is bool,
    }[reader]()


@pytest.mark.parametrize("reader", READERS)
@given(values=st.lists(ANY, max_size=3))
def test_every_reader_takes_whatever_is_sent(reader: str, values: list[str]):
    sent = form(*values)
    assert usable(reader, READERS[reader](sent))
    assert set(sent.errors) <= {"f"} and set(sent.errors.values()) <= TEXTS
    assert sent.ok is (sent.errors == {})


@given(st.binary() | st.dictionaries(st.text(), st.text()).map(lambda f: urlencode(f).encode()))
def test_a_body_is_a_form_or_refused_as_bad(body: bytes):
    try:
        found = parse_form(body)
    except HTTPException:
        return
    for reader in (Form.text, Form.secret, Form.integer, Form.amount, Form.flag, Form.many):
        for name in (*found.given(), "absent"):
            reader(found, name)
    # What was sent can be shown again: it has no halves of characters.
    assert all(value.encode() is not None for value in found.given().values())


@given(st.dictionaries(st.text(min_size=1), st.lists(st.text(), min_size=1), max_size=9))
def test_what_was_typed_is_what_is_read(fields: dict[str, list[str]]):
    found = parse_form(urlencode(fields, doseq=True).encode())
    assert found.given() == {name: values[0] for name, values in fields.items()}


@pytest.mark.parametrize("body", [b"f=%ff", b"%c3%28=1", b"f=\xc3", b"&".join([b"f=1"] * 501)])
def test_what_no_browser_sends_is_refused(body: bytes):
    with pytest.raises(HTTPException) as refused:
        parse_form(body)
    assert refused.value.status_code == 400


@pytest.mark.parametrize("value", ["\0", "a\0b", "\ud800"])
def test_what_no_database_holds_is_a_fault_of_its_field_however_it_is_read(value: str):
    for sent in (Form({"f": [value]}), Form({"f": ["fine", value]})):
        sent.raw("f")
        assert sent.errors == {"f": forms.UNREADABLE}


def test_text_is_one_line_without_blanks_around_it():
    assert form("  a name \u00fc ").text("f") == "a name ü"
    for wrong, message in (
        ("", forms.REQUIRED), ("   ", forms.REQUIRED), ("a\nb", forms.UNREADABLE),
        ("a\x00b", forms.UNREADABLE), ("a\u202eb", forms.UNREADABLE), ("x" * 201, forms.TOO_LONG),
    ):  # fmt: skip
        faulty = form(wrong)
        assert faulty.text("f") == "" and faulty.errors == {"f": message}, wrong
    assert form().text("f", need=False) == ""


def test_a_block_keeps_its_lines():
    assert form("a\r\nb\rc\nd\te").block("f", most=99) == "a\nb\nc\nd\te"


def test_a_password_stays_as_it_was_typed():
    assert form(" p\u00e4ss word ").secret("f") == " päss word "


@given(st.integers(-(10**18) + 1, 10**18 - 1))
def test_numbers_within_their_bounds(number: int):
    sent = form(f" {number} ")
    assert sent.integer("f", least=-(10**18), most=10**18) == number and sent.ok
    bounded = form(str(number))
    bounded.integer("f", least=number + 1, most=number + 2)
    assert bounded.errors == {"f": forms.OUT_OF_RANGE}


def test_a_number_that_was_left_out():
    assert form("").integer("f", least=5, blank=7) == 7
    assert form("4 4").integer("f", blank=7) == 7


@given(st.integers(0, MAX_AMOUNT), st.booleans())
def test_amounts_are_exact(nano: int, minus: bool):
    typed = f"{'-' if minus else ''}{format_usd(nano)}"
    assert form(typed).amount("f", signed=True) == (-nano if minus else nano)
    assert form(f" $ {format_usd(nano)} ").amount("f") == nano


@pytest.mark.parametrize("typed", ["-1", "1,5", "1e3", "0.0000000001", "five", "1 000", "--1", "٣"])
def test_what_is_no_amount(typed: str):
    faulty = form(typed)
    assert faulty.amount("f") is None and faulty.errors == {"f": forms.NOT_AN_AMOUNT}
    assert form(f"-{NANO}").amount("f", signed=True) == -NANO * NANO


def test_a_choice_is_one_of_the_options():
    assert form("two").choice("f", ["one", "two"]) == "two"
    assert form().choice("f", ["one"], blank="") == ""
    faulty = form("three")
    assert faulty.choice("f", ["one", "two"]) == "one" and not faulty.ok
    assert form("x").choice("f", []) == ""


def test_lists_and_boxes():
    assert form("a", " a ", "", "b").many("f") == ["a", "b"]
    assert form("a, b\r\nb,,\n c ").lines("f") == ["a", "b", "c"]
    assert [form(value).flag("f") for value in ("1", "on", "0", "off", "false", "")] == (
        [True] * 2 + [False] * 4
    )
    assert not form().flag("f")


def test_the_first_fault_of_a_field_stays():
    faulty = form()
    faulty.fault("f", "one")
    faulty.fault("f", "two")
    assert faulty.errors == {"f": "one"}


async def test_a_body_that_is_none_of_ours_is_refused(house: House):
    kind = {"content-type": "application/x-www-form-urlencoded"}
    async with house.browser() as browser:
        for headers, body, status in (
            ({"content-type": "application/json"}, b"{}", 415),
            ({}, b"theme=dark", 415),
            (kind, b"theme=dark&x=" + b"y" * BODY_MAX, 413),
            (kind, b"theme=%ff", 400),
            (kind | {"content-type": "Application/X-WWW-Form-URLencoded; x=y"}, b"theme=dark", 303),
            (kind, b"", 303),
        ):
            answer = await browser.post("/console/theme", content=body, headers=headers)
            assert answer.status_code == status, (headers, body[:20])
