"""Proof that one field is read exactly or refused with its line, and never shown."""

import tomllib

import pytest

from tollbridge.catalog.fields import Fields, FileError
from tollbridge.catalog.lines import Lines
from tollbridge.core.money import Multiplier

KNOWN = ("text", "flag", "count", "sum", "factor", "names", "rows")


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
