"""The twin of web/wallet_words.py."""

import pytest

from tollbridge.web.wallet_words import text_of


@pytest.mark.parametrize(
    ("kind", "ref", "text"),
    [
        ("grant", "bonus:ab", "Bonus"),
        ("grant", "code:1", "Redeemed code"),
        ("grant", "code:", "Credit"),
        ("grant", "apply:7", "Credit"),
        ("reversal", "code:1", "Charge given back"),
        ("of a later version", "x", "of a later version"),
    ],
)
def test_what_a_line_is_called(kind: str, ref: str, text: str):
    assert text_of(kind, ref) == text
