"""Proof of the estimates and of the names that clients are known by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.relay.calls import price
from tollbridge.protocols.blobs import BlobScan
from tollbridge.protocols.usage import Usage
from tollbridge.relay.meter import (
    estimate_input,
    estimate_tokens,
    estimated_usage,
    known_client,
    with_request,
)


@pytest.mark.parametrize(("size", "tokens"), [(0, 0), (1, 1), (4, 1), (5, 2), (400, 100)])
def test_four_bytes_are_a_token_and_a_started_one_counts(size, tokens):
    assert estimate_tokens(size) == tokens


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_an_estimate_has_text_in_and_text_out_and_nothing_else(tokens, size):
    used = estimated_usage(tokens, size)
    assert used == Usage(input=tokens, output=estimate_tokens(size))


def test_media_are_estimated_by_the_piece_and_the_rest_by_its_bytes():
    assert estimate_input(4_000, BlobScan()) == 1_000
    assert estimate_input(4_000, BlobScan(count=2, bytes=3_600)) == 100 + 2_000


def test_a_call_counts_as_a_request_only_where_requests_are_sold():
    used = Usage(input=5, output=7, images=(), clamped=True)
    assert with_request(used, price()) == used
    assert with_request(used, price(request=9)) == Usage(input=5, output=7, request=1, clamped=True)


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (b"", ""),
        (b"claude-cli/2.0.1 (external, cli)", "claude-code"),
        (b"codex_cli_rs/0.40", "codex"),
        (b"OpenAI/Python 1.99", "openai-python"),
        (b"AsyncOpenAI/Python 1.99", "openai-python"),
        (b"OpenAI/JS 5.1", "openai-js"),
        (b"Anthropic/Python 0.40", "anthropic-python"),
        (b"Anthropic/JS 0.40", "anthropic-js"),
        (b"google-genai-sdk/1.2 gl-python/3.12", "google-genai"),
        (b"curl/8.5.0", "curl"),
        (b"python-requests/2.32", "python"),
        (b"node", "node"),
        (b"Go-http-client/2.0", "go"),
        (b"Mozilla/5.0 secret-in-an-agent", "other"),
        (b"\xff\xfe", "other"),
    ],
)
def test_a_client_is_known_by_a_short_name_of_ours(agent, name):
    headers = {b"user-agent": agent} if agent else {}
    assert known_client(headers) == name
    assert known_client(headers) == name


@given(st.binary(max_size=300))
def test_whatever_an_agent_says_only_listed_names_come_out(agent):
    known = {"claude-code", "codex", "openai-python", "openai-js", "anthropic-python",
             "anthropic-js", "google-genai", "curl", "python", "node", "go", "other", ""}  # fmt: skip
    assert known_client({b"user-agent": agent}) in known
