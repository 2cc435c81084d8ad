"""The twin of billing/shown_price.py: what is written is what is charged."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tollbridge.billing.shown_price import PLACES, price_text
from tollbridge.core.money import NANO, Multiplier

AMOUNTS = st.integers(0, 10**15)


@given(AMOUNTS, st.sampled_from([1, 1_000_000]), st.integers(1, 10**11))
def test_a_decimal_multiplier_is_written_exactly(nano: int, count: int, num: int) -> None:
    text = price_text(nano, count, Multiplier(num, 10**9))
    assert Fraction(text) == Fraction(nano * num, count * NANO * 10**9)
    assert "." not in text or not text.endswith("0")


@given(AMOUNTS, st.integers(1, 10**4), st.integers(1, 10**4))
def test_any_other_is_never_written_too_low(nano: int, num: int, den: int) -> None:
    exact, shown = (
        Fraction(nano * num, den * NANO),
        Fraction(price_text(nano, 1, Multiplier(num, den))),
    )
    assert exact <= shown < exact + Fraction(1, 10**PLACES)
