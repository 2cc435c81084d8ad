"""Tests of money notation: exact both ways, and clear about what it refuses."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core.money import MAX_AMOUNT, NANO, Multiplier, ceil_div, format_usd, parse_usd


@pytest.mark.parametrize(
    ("text", "nano"),
    [
        ("0", 0),
        ("5", 5 * NANO),
        ("2.50", 2_500_000_000),
        ("0.000000123", 123),
        ("0.075", 75_000_000),
        ("007.1", 7_100_000_000),
        ("9223372036.854775807", MAX_AMOUNT),
    ],
)
def test_parses_dollars_exactly(text: str, nano: int) -> None:
    assert parse_usd(text) == nano


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("-1", "sign"),
        ("+1", "sign"),
        ("0.0000000001", "nine decimals"),
        ("9223372036.854775808", "too large"),
        ("9" * 5000, "too large"),
        ("", "decimal number"),
        (".5", "decimal number"),
        ("5.", "decimal number"),
        ("1e3", "decimal number"),
        ("1,5", "decimal number"),
        (" 1", "decimal number"),
        ("1\n", "decimal number"),
        ("1_000", "decimal number"),
        ("NaN", "decimal number"),
        ("\u0661", "decimal number"),
    ],
)
def test_refuses_what_is_not_plain_dollars(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_usd(text)


def test_leading_zeros_of_any_length_are_harmless() -> None:
    assert parse_usd("0" * 5000 + "1.5") == 1_500_000_000


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (0, "0.00"),
        (123, "0.000000123"),
        (5 * NANO, "5.00"),
        (-5 * NANO, "-5.00"),
        (-1, "-0.000000001"),
        (1_234_500_000, "1.2345"),
    ],
)
def test_formats_dollars_with_at_least_two_decimals(nano: int, text: str) -> None:
    assert format_usd(nano) == text


@given(st.integers(min_value=0, max_value=MAX_AMOUNT))
def test_format_and_parse_are_inverse(nano: int) -> None:
    assert parse_usd(format_usd(nano)) == nano
    if nano:
        assert format_usd(-nano) == "-" + format_usd(nano)


@given(
    st.integers(min_value=-(10**30), max_value=10**30), st.integers(min_value=1, max_value=10**20)
)
def test_ceil_div_rounds_up(a: int, b: int) -> None:
    quotient = ceil_div(a, b)
    assert (quotient - 1) * b < a <= quotient * b


def test_multiplier_is_parsed_in_lowest_terms() -> None:
    assert Multiplier.parse("0.15") == Multiplier(3, 20)
    assert Multiplier.parse("1.0") == Multiplier(1, 1)
    assert Multiplier.parse("0") == Multiplier(0, 1)


@pytest.mark.parametrize("text", ["-1", "", "1/3", "1.0000000001"])
def test_multiplier_refuses_what_is_no_plain_decimal(text: str) -> None:
    with pytest.raises(ValueError, match=r"must"):
        Multiplier.parse(text)


@pytest.mark.parametrize(("num", "den"), [(-1, 1), (1, 0), (1, -1)])
def test_multiplier_refuses_negative_factors(num: int, den: int) -> None:
    with pytest.raises(ValueError, match="multiplier"):
        Multiplier(num, den)


@pytest.mark.parametrize(
    ("multiplier", "text"),
    [
        (Multiplier(3, 20), "0.15"),
        (Multiplier(1, 1), "1.0"),
        (Multiplier(0, 1), "0.0"),
        (Multiplier(6, 4), "1.5"),
        (Multiplier(3, 6), "0.5"),
        (Multiplier(1, 3), "1/3"),
        (Multiplier(5, 4), "1.25"),
    ],
)
def test_multiplier_writes_its_exact_decimal(multiplier: Multiplier, text: str) -> None:
    assert multiplier.text() == text


@given(st.integers(min_value=0, max_value=10**15))
def test_multiplier_text_and_parse_are_inverse(scaled: int) -> None:
    multiplier = Multiplier.parse(format_usd(scaled))
    assert Fraction(multiplier.num, multiplier.den) == Fraction(scaled, NANO)
    assert Multiplier.parse(multiplier.text()) == multiplier
