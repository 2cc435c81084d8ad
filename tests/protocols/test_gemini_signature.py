"""Carriers in Gemini's signature field: its own as they are, others' as base64 that comes back."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.conversation import Carrier, Vendor
from tollbridge.protocols.gemini_signature import NO_SIGNATURE, carrier_of, signature_of


@given(st.binary(max_size=40))
def test_geminis_own_are_untouched(raw):
    signature = base64.b64encode(raw).decode()
    carrier = Carrier(Vendor.GEMINI, signature)
    assert carrier_of(signature) == (carrier, False)
    assert signature_of(carrier) == signature


@given(
    st.sampled_from([Vendor.OPENAI, Vendor.ANTHROPIC]),
    st.text(max_size=40),
    st.none() | st.text(max_size=8).filter(lambda id_: id_ != "redacted"),
    st.booleans(),
)
def test_others_are_base64_in_either_alphabet_and_come_back(vendor, payload, item_id, safe):
    carrier = Carrier(vendor, payload, item_id)
    signature = signature_of(carrier)
    raw = base64.b64decode(signature, validate=True)
    if safe:
        signature = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    assert carrier_of(signature) == (carrier, False)


def test_redacted_reasoning_stays_redacted():
    carrier = Carrier(Vendor.ANTHROPIC, "data")
    assert carrier_of(signature_of(carrier, redacted=True)) == (carrier, True)


@pytest.mark.parametrize("text", ["dGJy", "dGJyMS4=", "dGJyé", "tbr1.x"])
def test_what_only_looks_like_ours_is_geminis(text):
    assert carrier_of(text) == (Carrier(Vendor.GEMINI, text), False)


def test_the_signature_that_stands_for_none():
    assert base64.b64decode(NO_SIGNATURE) == b"skip_thought_signature_validator"
