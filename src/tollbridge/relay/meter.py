"""Owns what a call costs and the estimates for calls whose upstream said nothing. Pure.

Exact usage always wins over an estimate; an estimate never exceeds the hold (money.md, end table).
"""

from collections.abc import Mapping

from msgspec.structs import replace

from tollbridge.billing.pricing import charge, list_cost
from tollbridge.catalog.prices import Price
from tollbridge.core.money import Multiplier, ceil_div
from tollbridge.protocols.usage import Usage

# Four bytes of text are about one token in every current tokenizer.
BYTES_PER_TOKEN = 4


def estimate_tokens(text_bytes: int) -> int:
    """Return the tokens that so many bytes of text probably are."""
    return ceil_div(text_bytes, BYTES_PER_TOKEN)


def estimated_usage(input_tokens: int, text_bytes: int) -> Usage:
    """Return the usage of a call of which only the text is known."""
    return Usage(input=input_tokens, output=estimate_tokens(text_bytes))


def with_request(usage: Usage, price: Price) -> Usage:
    """Count the call itself where the price has a fee for each request."""
    return replace(usage, request=1) if price.request else usage


def costs(usage: Usage, price: Price, multiplier: Multiplier) -> tuple[int, int]:
    """Return (charge, list cost) of a usage in nano-dollars."""
    return charge(usage, price, multiplier), list_cost(usage, price)


def own_cost(list_nano: int, account_cost: Multiplier) -> int:
    """Return what the operator pays for a call of this list cost."""
    return ceil_div(list_nano * account_cost.num, account_cost.den)


def known_client(headers: Mapping[bytes, bytes]) -> str:
    """Return a short name of the caller's program; only names of a fixed list ever get stored."""
    agent = headers.get(b"user-agent", b"").lower()
    for mark, name in _CLIENTS:
        if mark in agent:
            return name
    return "other" if agent else ""


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
