"""Owns what a call costs and the estimates for calls whose upstream said nothing. Pure.

Exact usage always wins over an estimate; an estimate never exceeds the hold (money.md, end table).
What a running stream may cost is counted on the side of the bound instead.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from tollbridge.billing.bounds import TEXT_BYTES_PER_TOKEN
from tollbridge.catalog.prices import Price
from tollbridge.core.money import ceil_div
from tollbridge.protocols.blobs import BlobScan
from tollbridge.protocols.usage import Usage

# Four bytes of text are about one token in every current tokenizer.
BYTES_PER_TOKEN = 4
_BLOB_TOKENS = 1_000


def estimate_tokens(text_bytes: int) -> int:
    """Return the tokens that so many bytes of text probably are."""
    return ceil_div(text_bytes, BYTES_PER_TOKEN)


def estimate_input(body_bytes: int, blobs: BlobScan) -> int:
    """Return the tokens that a request of this size, with these media in it, probably is."""
    return estimate_tokens(body_bytes - blobs.bytes) + blobs.count * _BLOB_TOKENS


def most_tokens(text_bytes: int) -> int:
    """Return the most tokens that so many bytes of text can be."""
    return ceil_div(text_bytes, TEXT_BYTES_PER_TOKEN)


def estimated_usage(input_tokens: int, text_bytes: int) -> Usage:
    """Return the usage of a call of which only the text is known."""
    return Usage(input=input_tokens, output=estimate_tokens(text_bytes))


def with_request(usage: Usage, price: Price) -> Usage:
    """Count the call itself where the price has a fee for each request."""
    return replace(usage, request=1) if price.request else usage


def known_client(headers: Mapping[bytes, bytes]) -> str:
    """Return a short name of the caller's program; only names of a fixed list ever get stored."""
    agent = headers.get(b"user-agent", b"")
    name = _seen_agents.get(agent)
    if name is None:
        lowered = agent.lower()
        name = next(
            (known for mark, known in _CLIENTS if mark in lowered), "other" if agent else ""
        )
        if len(_seen_agents) < _SEEN_AGENTS_MAX and len(agent) <= _SEEN_AGENT_BYTES:
            _seen_agents[agent] = name
    return name


_CLIENTS = (
    (b"claude-cli", "claude-code"),
    (b"codex", "codex"),
    (b"openai/python", "openai-python"),
    (b"asyncopenai/python", "openai-python"),
    (b"openai/js", "openai-js"),
    (b"anthropic/python", "anthropic-python"),
    (b"anthropic/js", "anthropic-js"),
    (b"google-genai", "google-genai"),
    (b"curl/", "curl"),
    (b"python", "python"),
    (b"node", "node"),
    (b"go-http", "go"),
)
# Few programs make most calls. Bounded, because the header is whatever a client writes.
_SEEN_AGENTS_MAX = 1_000
_SEEN_AGENT_BYTES = 200
_seen_agents: dict[bytes, str] = {}
