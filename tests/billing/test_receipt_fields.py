"""Proof that figures of a receipt are written exactly; tests of receipts are in test_receipts.py."""

from tollbridge.billing.receipt_fields import parts_text, time_text


def test_amounts_below_a_nano_dollar_are_exact():
    assert parts_text(0) == "0.00"
    assert parts_text(1) == "0.000000000000001"
    assert parts_text(10**15 * 12 + 5 * 10**14) == "12.50"


def test_times_have_milliseconds_and_a_zone():
    assert time_text(0) == "1970-01-01T00:00:00.000Z"
    assert time_text(1_767_225_600_007) == "2026-01-01T00:00:00.007Z"
