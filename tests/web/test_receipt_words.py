"""The twin of web/receipt_words.py: every counted item has words, and every end a tone."""

import pytest

from tollbridge.protocols.usage import TOKEN_BUCKETS
from tollbridge.web.receipt_words import ENDS, ITEMS, RECEIPT_WORDS, parts_usd, tone_of


def test_all_tokens_have_words():
    assert set(TOKEN_BUCKETS) <= set(ITEMS)


@pytest.mark.parametrize(
    ("state", "error", "tone"),
    [
        ("complete", None, "good"),
        ("limited", None, "good"),
        ("client_gone", None, "warn"),
        ("refused", "key_invalid", "warn"),
        ("failed", "upstream_error", "bad"),
    ],
)
def test_how_a_call_ended(state: str, error: str | None, tone: str):
    assert tone_of(state, error) == tone
    assert tone in ENDS


def test_parts_are_exact():
    assert parts_usd(1) == "$0.000000000000001"
    assert RECEIPT_WORDS["parts"](2_500_000_000_000_000) == "$2.50"
