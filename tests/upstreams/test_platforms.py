"""Proof that every platform of the catalogue is one that can be asked, each in its own way."""

import pytest

from tollbridge.upstreams.platforms import PLATFORMS

AUTH = {
    "openai": b"authorization: Bearer s3cret\r\n",
    "anthropic": b"x-api-key: s3cret\r\n",
    "gemini": b"x-goog-api-key: s3cret\r\n",
}
FOREIGN = dict.fromkeys(
    [b"authorization", b"x-api-key", b"x-goog-api-key", b"cookie", b"host", b"user-agent",
     b"content-length", b"x-forwarded-for", b"openai-organization", b"openai-project",
     b"x-stainless-os", b"x-goog-user-project", b"anthropic-dangerous-direct-browser-access"],
    b"CANARY",
)  # fmt: skip


def test_these_are_all_and_each_says_who_calls_in_its_own_header():
    assert {name: one.auth_lines("s3cret") for name, one in PLATFORMS.items()} == AUTH


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("name", sorted(AUTH))
def test_what_is_not_named_never_passes(name, native):
    plain = PLATFORMS[name].client_lines({}, native=native)
    assert PLATFORMS[name].client_lines(FOREIGN, native=native) == plain
    assert plain == b"" or plain.endswith(b"\r\n")


@pytest.mark.parametrize("name", sorted(AUTH))
def test_who_speaks_another_protocol_passes_nothing_on(name):
    headers = {
        b"openai-beta": b"CANARY",
        b"anthropic-beta": b"context-1m-2025-08-07",
        b"anthropic-version": b"2024-01-01",
    }
    platform = PLATFORMS[name]
    assert platform.client_lines(headers, native=False) == platform.client_lines({}, native=False)


@pytest.mark.parametrize("name", sorted(AUTH))
def test_a_token_is_told_in_one_way_everywhere(name):
    platform = PLATFORMS[name]
    assert platform.token_lines("t0ken") == b"authorization: Bearer t0ken\r\n"
    said = platform.client_lines({}, native=True, signed_in=True)
    plain = platform.client_lines({}, native=True)
    assert said.removeprefix(plain) == (
        b"anthropic-beta: oauth-2025-04-20\r\n" if name == "anthropic" else b""
    )
