"""Codes of an authenticator app: the RFC's own numbers, the drift, what is no code, the picture."""

import base64
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.identity.totp import (
    STEP_MS,
    looks_typed,
    new_secret,
    picture_of,
    step_of,
    uri_of,
)

# RFC 6238, appendix B, SHA-1: the secret, and the last six digits at these seconds.
RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()
RFC = ((59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130"))


@pytest.mark.parametrize(("at_s", "code"), RFC)
def test_the_codes_are_those_of_the_rfc(at_s: int, code: str):
    assert step_of(RFC_SECRET, code, at_s * 1000) == at_s * 1000 // STEP_MS


@given(
    at_ms=st.integers(10**12, 2 * 10**12),
    drift=st.integers(-4, 4),
)
def test_a_code_is_good_one_step_either_way_and_names_its_own_step(at_ms: int, drift: int):
    secret = RFC_SECRET
    step = at_ms // STEP_MS + drift
    code = pyotp.TOTP(secret).generate_otp(step)
    found = step_of(secret, code, at_ms)
    near = {pyotp.TOTP(secret).generate_otp(at_ms // STEP_MS + by) for by in (-1, 0, 1)}
    if abs(drift) <= 1:
        assert found is not None and pyotp.TOTP(secret).generate_otp(found) == code
    else:
        assert (found is not None) == (code in near)


@pytest.mark.parametrize(
    "typed", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "12345\x00", "-" * 6]
)
def test_what_is_no_code_is_nobodys(typed: str):
    assert not looks_typed(typed)
    assert step_of(RFC_SECRET, typed, 59_000) is None


def test_blanks_and_hyphens_do_not_count():
    assert step_of(RFC_SECRET, " 287 082 ", 59_000) == step_of(RFC_SECRET, "287-082", 59_000) == 1


def test_secrets_are_new_each_time_and_160_bits():
    assert new_secret() != new_secret()
    assert len(base64.b32decode(new_secret())) == 20


def test_the_address_names_site_and_user_whatever_they_are_called():
    uri = urlsplit(uri_of(RFC_SECRET, "ann+x@example.com", "Gate: north & south"))
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    asked = parse_qs(uri.query)
    assert asked["secret"] == [RFC_SECRET]
    assert asked["issuer"] == ["Gate  north & south"]


def test_the_picture_needs_no_styles_and_says_what_it_is():
    picture = picture_of(uri_of(RFC_SECRET, "ann@example.com", "Tollbridge"), "a <code>")
    assert picture.startswith('<svg role="img"') and "<title>a &lt;code&gt;</title>" in picture
    assert "style" not in picture and "script" not in picture
