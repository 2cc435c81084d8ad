"""What makes an id_token good: nothing but the issuer's own signature over claims for us and now."""

import base64
import hmac
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from tollbridge.identity.external_identity import Fault, ProviderFailed
from tollbridge.identity.id_token import ALGORITHMS, UnknownKey, claims_of, keys_in

NOW = 1_800_000_000
KEY = ECKey.generate_key("P-256", {"use": "sig"}, auto_kid=True)
RSA = RSAKey.generate_key(2048, {"use": "sig"}, auto_kid=True)
KEYS = keys_in({"keys": [KEY.as_dict(private=False), RSA.as_dict(private=False)]})
GOOD: dict[str, Any] = {
    "iss": "https://issuer.example",
    "sub": "person",
    "aud": "client",
    "iat": NOW,
    "exp": NOW + 300,
    "nonce": "nonce",
}


def read(token: Any, keys: KeySet = KEYS) -> Any:
    return claims_of(
        token,
        keys,
        issuer="https://issuer.example",
        client_id="client",
        nonce="nonce",
        access_token="access",
        at_s=NOW,
    )


def signed(claims: dict[str, Any], **header: Any) -> str:
    return jwt.encode({"alg": "ES256", "kid": KEY.kid, **header}, claims, KEY)


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_a_good_token_is_read() -> None:
    assert read(signed(GOOD)) == GOOD
    token = jwt.encode({"alg": "PS256", "kid": RSA.kid}, GOOD, RSA, algorithms=["PS256"])
    assert read(token) == GOOD


def test_a_minute_of_clocks_that_differ_is_forgiven_and_no_more() -> None:
    assert read(signed({**GOOD, "exp": NOW - 59}))
    for late in ({"exp": NOW - 61}, {"iat": NOW + 61}, {"nbf": NOW + 61}):
        with pytest.raises(ProviderFailed):
            read(signed({**GOOD, **late}))


def test_no_algorithm_without_a_key_pair_is_known() -> None:
    assert {name[:2] for name in ALGORITHMS} == {"RS", "PS", "ES"}


@given(st.sampled_from(["none", "None", "NONE", "HS256", "HS384", "HS512", "dir", "", None, 5, []]))
def test_no_word_for_an_algorithm_makes_a_published_key_a_secret(alg: Any) -> None:
    head, body = part({"alg": alg, "kid": KEY.kid}), part(GOOD)
    secrets = (b"", KEY.as_pem(private=False), json.dumps(KEY.as_dict(private=False)).encode())
    for secret in secrets:
        mac = hmac.digest(secret, f"{head}.{body}".encode(), "sha256") if secret else b""
        token = f"{head}.{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
        with pytest.raises(ProviderFailed) as caught:
            read(token)
        assert caught.value.fault is Fault.TOKEN


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_token_with_one_other_byte_is_refused(at: int, by: int) -> None:
    token = bytearray(signed(GOOD).encode())
    # The last character of base64 may hold bits that mean nothing.
    token[at % (len(token) - 1)] ^= by
    try:
        text = token.decode()
    except UnicodeDecodeError:
        return
    with pytest.raises((ProviderFailed, UnknownKey)):
        read(text)


@given(st.text(max_size=60) | st.none() | st.integers() | st.lists(st.text()))
def test_what_is_no_token_is_a_fault(token: Any) -> None:
    with pytest.raises(ProviderFailed):
        read(token)


CLAIM = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.lists(st.text(max_size=3))
)


@given(st.sampled_from(sorted(GOOD)), CLAIM | st.dictionaries(st.text(max_size=3), st.none()))
def test_no_other_value_of_a_claim_is_taken_but_times_and_subjects(name: str, value: Any) -> None:
    claims = GOOD
    with suppress(ProviderFailed):
        claims = read(signed({**GOOD, name: value}))
    if name in ("exp", "iat"):
        assert claims["exp"] > NOW - 60 and claims["iat"] <= NOW + 60
    else:
        assert name == "sub" or claims[name] in (GOOD[name], [GOOD[name]])


def test_a_key_that_is_not_known_is_told_apart() -> None:
    with pytest.raises(UnknownKey):
        read(signed(GOOD, kid="another"))


def test_keys_of_other_kinds_and_damaged_ones_are_passed_over() -> None:
    good = KEY.as_dict(private=False)
    secret = OctKey.generate_key(256).as_dict()
    sealing = {**RSA.as_dict(private=False), "use": "enc"}
    keys = keys_in(
        {"keys": [5, {}, {"kty": "RSA"}, {"kty": "EC", "crv": 5}, secret, sealing, good]}
    )
    assert [key.kid for key in keys] == [KEY.kid]


@pytest.mark.parametrize("document", [{}, {"keys": {}}, {"keys": [{}] * 65}])
def test_what_is_no_set_of_keys_is_a_fault(document: dict[str, Any]) -> None:
    with pytest.raises(ProviderFailed):
        keys_in(document)
