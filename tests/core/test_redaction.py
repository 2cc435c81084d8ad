"""Credentials keep their last 6 characters, queries and control characters go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core.redaction import clipped, last6, mask_secrets, one_line, well_formed

CANARY = "Zq9XyzCANARYabcdef123456"


@pytest.mark.parametrize(
    "text",
    [
        f"sk-{CANARY}",
        f"sk-tb-{CANARY}",
        f"tbp_{CANARY}",
        f"Authorization: Bearer {CANARY}",
        f"bearer {CANARY}",
        f"Basic {CANARY}==",
        f'{{"api_key": "{CANARY}"}}',
        f"x-api-key: {CANARY}",
        f"x-goog-api-key={CANARY}",
        f"password={CANARY}&x=1",
        f"token: {CANARY}",
        f"AIza{CANARY}",
        f"eyJ{CANARY}.{CANARY}.{CANARY}",
        f"postgresql://user:{CANARY}@host/db",
        f"GET /v1beta/models/x:generateContent?key={CANARY} HTTP/1.1",
        f"https://host/p?q={CANARY}",
    ],
)
def test_credentials_are_masked(text):
    masked = mask_secrets(f"before {text} after")
    assert "CANARY" not in masked
    assert masked.startswith("before ") and masked.endswith("after")


@pytest.mark.parametrize(
    "text",
    [
        "max_tokens: 5, key_id=7",
        "Basic authentication failed",
        "Send it as Authorization: Bearer …, x-api-key or x-goog-api-key.",
        "Invalid URL (POST /v1/x) (did you mean /v1/messages?)",
        "why? because",
        "task-force and risk-free",
        "tokens begin with tbp_ or tbp_…",
    ],
)
def test_plain_text_stays(text):
    assert mask_secrets(text) == text


def test_the_last_six_remain():
    assert mask_secrets("sk-tb-0123456789abcdef") == "…abcdef"
    assert mask_secrets("sk-12345678") == "…"
    assert mask_secrets("tbp_0123456789abcdef") == "…abcdef"


@pytest.mark.parametrize(
    ("secret", "shown"),
    [("", ""), ("a", ""), ("abcd", "cd"), ("abcdefgh", "efgh"), ("sk-0123456789abcdef", "abcdef")],
)
def test_last6_shows_at_most_half(secret, shown):
    assert last6(secret) == shown


def test_one_line_defuses_control_characters():
    assert one_line("a\nb\r\x1b[0m\u2028\x85") == "a\\nb\\r\\x1b[0m\\u2028\\x85"


def test_well_formed_replaces_only_lone_surrogates():
    assert well_formed("a\ud800b😀é") == "a\ufffdb😀é"


def test_clipped_marks_the_cut():
    assert clipped("abc", 3) == "abc"
    assert clipped("abcd", 3) == "ab…"


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_becomes_one_line_of_utf8(text):
    line = one_line(mask_secrets(text))
    line.encode()
    assert len(line.splitlines()) <= 1
