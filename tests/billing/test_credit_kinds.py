"""Proof that a grant says by its reference what it is, and that all else says it by itself."""

import pytest

from tollbridge.billing.credit_kinds import kind_of


@pytest.mark.parametrize(
    ("kind", "ref", "found"),
    [
        ("grant", "bonus:ab", "bonus"),
        ("grant", "code:1", "code"),
        ("grant", "code:", "grant"),
        ("grant", "code", "grant"),
        ("grant", "apply:7", "grant"),
        ("reversal", "code:1", "reversal"),
        ("of a later version", "x", "of a later version"),
    ],
)
def test_what_a_credit_is(kind: str, ref: str, found: str):
    assert kind_of(kind, ref) == found
