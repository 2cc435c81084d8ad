"""Proof that an envelope brings back exactly what was put in, and that nothing else opens."""

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.carriers import native, opened, sealed
from tollbridge.protocols.conversation import Carrier, Vendor

carriers = st.builds(
    Carrier, st.sampled_from(list(Vendor)), st.text(max_size=60), st.none() | st.text(max_size=20)
)


@given(carriers)
def test_what_is_sealed_opens_as_it_was_and_is_one_plain_word(carrier):
    text = sealed(carrier)
    assert opened(text) == carrier
    assert re.fullmatch(r"tbr1\.[A-Za-z0-9_-]+", text)
    assert native(text, Vendor.OPENAI) == carrier


def test_a_long_payload_survives():
    carrier = Carrier(Vendor.ANTHROPIC, "s/+=" * 50_000)
    assert opened(sealed(carrier)) == carrier


@pytest.mark.parametrize(
    "text",
    ["", "tbr1.", "tbr1.!", "tbr1.a", "tbr1.e30", "tbr1.bnVsbA", "tbr2.abc", "EqQB", "tbr1.ü",
     "tbr1." + base64.urlsafe_b64encode(b'["nobody","a",null]').decode(),
     "tbr1." + base64.urlsafe_b64encode(b'["openai","a"]').decode(),
     "tbr1." + base64.urlsafe_b64encode(b'["openai",7,null]').decode(),
     " tbr1." + base64.urlsafe_b64encode(b'["openai","a",null]').decode()],
)  # fmt: skip
def test_nothing_else_opens(text):
    assert opened(text) is None
    # So it is the vendor's own value, to the character.
    assert native(text, Vendor.GEMINI, "item") == Carrier(Vendor.GEMINI, text, "item")


@given(st.text(max_size=40))
def test_no_text_raises(text):
    assert opened(text) is None
    assert opened("tbr1." + text) is None or opened("tbr1." + text).vendor in Vendor


def test_padding_of_others_is_borne():
    text = sealed(Carrier(Vendor.OPENAI, "abc"))
    assert opened(text + "=" * (-(len(text) - 5) % 4)) == Carrier(Vendor.OPENAI, "abc")
