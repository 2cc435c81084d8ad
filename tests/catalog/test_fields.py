"""Proof that one field is read exactly or refused with its line, and never shown."""

import tomllib
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.catalog.fields import Fields, FileError
from tollbridge.catalog.lines import Lines
from tollbridge.core.money import Multiplier

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KNOWN = ("text", "flag", "count", "sum", "factor", "names", "rows", "at")


def fields(text: str) -> Fields:
    return Fields(tomllib.loads(text), (), Lines(text), KNOWN, what="it")


def test_each_kind_is_read():
    row = fields(
        'text = "t"\nflag = true\ncount = 3\nsum = "1.5"\nfactor = "0.15"\nnames = ["a"]\n'
        "[[rows]]\ncount = 1\n"
    )
    assert (row.text("text"), row.boolean("flag", default=False)) == ("t", True)
    assert (row.integer("count", None, 0, 9), row.money("sum")) == (3, 1_500_000_000)
    assert row.multiplier("factor", "1", lowest=1, highest=9) == Multiplier(3, 20)
    assert row.texts("names") == ("a",)
    assert row.tables("rows", ("count",), what="a row")[0].line == 7
    assert ("text" in row, "other" in row, row.raw("count"), row.raw("other")) == (
        *(True, False, 3, None),
    )


def test_defaults_stand_in():
    row = fields("")
    assert (row.text("text", "d"), row.boolean("flag", default=True)) == ("d", True)
    assert (row.integer("count", 7, 0, 9), row.money("sum")) == (7, None)
    assert row.texts("names", ("x",)) == ("x",)
    assert row.tables("rows", (), what="a row") == []


@pytest.mark.parametrize("value", ["1", "true", "1.5", "{}", "[]", '""', '" a"', '"a\\u0000"'])
def test_text_is_text(value: str):
    with pytest.raises(FileError, match=r"^line 2: text must"):
        fields(f"\ntext = {value}").text("text")


def test_values_are_not_shown():
    with pytest.raises(FileError) as caught:
        fields('sum = "hush"').money("sum")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("given", ["1", '"0"', "false", "0.0"])
def test_a_later_field_may_only_ask_for_nothing(given: str):
    fields("count = 0").later({"count": 0}, "later")
    fields("").later({"count": 0}, "later")
    with pytest.raises(FileError, match="line 1: count: later"):
        fields(f"count = {given}").later({"count": 0}, "later")


@given(st.integers(-62_135_596_800_000 + 86_400_000, 253_402_300_799_999 - 86_400_000),
       st.integers(-14 * 60, 14 * 60))  # fmt: skip
def test_a_moment_is_read_to_the_millisecond(at_ms: int, offset: int):
    zone = timezone(timedelta(minutes=offset))
    moment = (EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone)
    assert fields(f"at = {moment.isoformat()}").moment("at") == at_ms
    assert fields(f'at = "{moment.isoformat()}"').moment("at") == at_ms


@pytest.mark.parametrize(
    "value",
    ["1", "true", '""', '"soon"', "2030-01-31", "00:00:00", "2030-01-31T00:00:00", '"2030-01-31"',
     "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", '["2030-01-31T00:00:00Z"]'],
)  # fmt: skip
def test_a_moment_has_an_offset(value: str):
    with pytest.raises(FileError, match=r"^line 2: at must be a date-time with an offset"):
        fields(f"\nat = {value}").moment("at")
    with pytest.raises(FileError, match=r"^line 1: it needs at$"):
        fields("").moment("at")


@given(st.integers(1, 5_000))
def test_a_factor_has_three_decimals_at_most(thousandths: int):
    text = f"{thousandths // 1000}.{thousandths % 1000:03d}"
    found = fields(f'factor = "{text}"').factor("factor", "1.0", highest=5)
    assert Fraction(found.num, found.den) == Fraction(thousandths, 1000)
    with pytest.raises(FileError, match="three decimals"):
        fields(f'factor = "{text[:-1]}{int(text[-1]):d}1"').factor("factor", "1.0", highest=6)


def test_a_factor_not_given_is_the_default():
    assert fields("").factor("factor", "1.0", highest=5) == Multiplier(1, 1)


@pytest.mark.parametrize("text", ["0", "0.000", "5.001", "6"])
def test_a_factor_is_above_zero_and_bounded(text: str):
    with pytest.raises(FileError, match="factor must be above 0 and at most 5"):
        fields(f'factor = "{text}"').factor("factor", "1.0", highest=5)
