"""Proof of when a limit is over: every vendor's way to say it, and nothing that cannot be meant."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.upstreams.resets import RESET_MAX_S, moment, reset_s

NOW = 1_780_000_000.0


def date(seconds):
    return datetime.fromtimestamp(NOW + seconds, UTC)


@pytest.mark.parametrize(
    ("headers", "body_s", "expected"),
    [
        ({}, None, None),
        ({b"retry-after": b"20"}, None, 20),
        ({b"retry-after": b"0"}, None, 0),
        ({b"retry-after-ms": b"1500"}, None, 1.5),
        ({b"retry-after": format_datetime(date(60), usegmt=True).encode()}, None, 60),
        ({b"retry-after": b"soon"}, 7, 7),
        ({b"retry-after": b"9999999999999999"}, None, None),
        ({}, 34.4, 34.4),
        (
            {b"x-ratelimit-reset-requests": b"6m0s", b"x-ratelimit-remaining-requests": b"0"},
            None,
            360,
        ),
        (
            {b"x-ratelimit-reset-requests": b"12h30m", b"x-ratelimit-remaining-requests": b"5"},
            None,
            None,
        ),
        (
            {
                b"x-ratelimit-reset-requests": b"6ms",
                b"x-ratelimit-remaining-requests": b"0",
                b"x-ratelimit-reset-tokens": b"1m2.5s",
                b"x-ratelimit-remaining-tokens": b"0",
            },
            None,
            62.5,
        ),
        (
            {
                b"anthropic-ratelimit-tokens-reset": date(90).isoformat().encode(),
                b"anthropic-ratelimit-tokens-remaining": b"0",
                b"anthropic-ratelimit-requests-reset": date(9_000).isoformat().encode(),
                b"anthropic-ratelimit-requests-remaining": b"40",
            },
            None,
            90,
        ),
        (
            {
                b"anthropic-ratelimit-unified-5h-status": b"rejected",
                b"anthropic-ratelimit-unified-5h-reset": b"%d" % (NOW + 3_600),
                b"anthropic-ratelimit-unified-7d-status": b"allowed",
                b"anthropic-ratelimit-unified-7d-reset": b"%d" % (NOW + 400_000),
            },
            None,
            3_600,
        ),
        (
            {
                b"anthropic-ratelimit-unified-5h-status": b"rejected",
                b"anthropic-ratelimit-unified-5h-reset": b"%d" % (NOW + 3_600),
                b"anthropic-ratelimit-unified-7d-status": b"rejected",
                b"anthropic-ratelimit-unified-7d-reset": b"%d" % (NOW + 400_000),
            },
            None,
            400_000,
        ),
        (
            {
                b"anthropic-ratelimit-unified-5h-reset": b"%d" % (NOW + 3_600),
                b"anthropic-ratelimit-unified-7d-reset": b"%d" % (NOW + 400_000),
            },
            None,
            3_600,
        ),
        ({b"anthropic-ratelimit-unified-reset": b"%d" % ((NOW + 60) * 1_000)}, None, 60),
        ({b"anthropic-ratelimit-unified-reset": b"%d" % (NOW - 60)}, None, 0),
        (
            {
                b"x-codex-primary-used-percent": b"100",
                b"x-codex-primary-reset-after-seconds": b"900",
                b"x-codex-secondary-used-percent": b"40",
                b"x-codex-secondary-reset-after-seconds": b"300000",
            },
            None,
            900,
        ),
    ],
)
def test_every_vendors_way(headers, body_s, expected):
    found = reset_s(headers, body_s, NOW)
    assert found == (None if expected is None else pytest.approx(expected, abs=1.1))


NAMES = [
    b"retry-after", b"retry-after-ms", b"x-ratelimit-reset-requests", b"x-ratelimit-reset",
    b"anthropic-ratelimit-unified-5h-reset", b"anthropic-ratelimit-unified-reset",
    b"x-codex-primary-used-percent", b"x-codex-primary-reset-after-seconds",
    b"anthropic-ratelimit-tokens-reset",
]  # fmt: skip


@given(
    st.dictionaries(
        st.sampled_from(NAMES),
        st.one_of(st.binary(max_size=40), st.integers().map(lambda n: b"%d" % n)),
    ),
    st.one_of(st.none(), st.floats(0, 10**9)),
)
def test_whatever_stands_there_it_is_a_sane_wait_or_none(headers, body_s):
    found = reset_s(headers, body_s, NOW)
    assert found is None or 0 <= found <= RESET_MAX_S


@given(st.text(max_size=30))
def test_no_text_raises(text):
    moment(text.encode("utf-8", "replace"), NOW)
