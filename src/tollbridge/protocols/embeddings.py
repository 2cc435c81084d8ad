"""Owns bodies of the embeddings endpoint: what the gate and the meter need of them.

The vectors are never built: a reply may hold millions of numbers. Must not know accounts or prices.
"""

from typing import Any, Final

import msgspec

from tollbridge.protocols.chat_usage import usage_from
from tollbridge.protocols.facts import ReplyFacts, fault_from, text_or_none
from tollbridge.protocols.json_peek import FieldError, RangeError, TopLevel
from tollbridge.protocols.media_request import model_of
from tollbridge.protocols.media_usage import text_tokens
from tollbridge.protocols.usage import Usage

INPUTS_MAX: Final = 2048

_ARRAY: Final = 0x5B
_QUOTE: Final = 0x22
_EXPECTED: Final = "a string, or an array of strings, of tokens or of arrays of tokens"
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_TOKENS = msgspec.json.Decoder(list[int])
_TOKEN_LISTS = msgspec.json.Decoder(list[list[int]])


class EmbeddingAsk(msgspec.Struct, frozen=True, gc=False):
    """What the gate needs to know of an embeddings request."""

    model: str
    inputs: int
    """Vectors that come back."""
    tokens: int | None
    """Tokens that go in, known when the client sends tokens."""
    text_bytes: int
    """Bytes of the input as JSON."""


class _Reply(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw(b"null")
    model: Any = None
    usage: Any = None
    error: Any = None


_REPLY = msgspec.json.Decoder(_Reply)


def read_ask(top: TopLevel) -> EmbeddingAsk:
    """Read a request; raises FieldError for a missing or wrongly typed field, RangeError for a value."""
    model = model_of(top)
    top.text("encoding_format")
    top.integer("dimensions")
    inputs, tokens = _inputs(top)
    return EmbeddingAsk(model, inputs, tokens, len(top.raw("input") or b""))


def read_reply(body: bytes, _content_type: bytes, _ask: EmbeddingAsk) -> ReplyFacts:
    """Read a whole answer. Never raises: what is no list of embeddings has no facts."""
    try:
        reply = _REPLY.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ReplyFacts()
    data = bytes(memoryview(reply.data)[:256]).lstrip()
    listed = data.startswith(b"[")
    return ReplyFacts(
        model=text_or_none(reply.model),
        usage=usage_from(reply.usage),
        usage_seen=isinstance(reply.usage, dict),
        finished=listed,
        empty=not listed or data[1:].lstrip().startswith(b"]"),
        error=fault_from(reply.error),
    )


def estimate(ask: EmbeddingAsk) -> Usage:
    """Return what a call probably used of which the upstream said nothing."""
    return Usage(input=text_tokens(ask.text_bytes) if ask.tokens is None else ask.tokens)


def _inputs(top: TopLevel) -> tuple[int, int | None]:
    """Count what is to be embedded: (inputs, tokens where they are sent as such)."""
    kind = top.kind("input")
    if kind == _QUOTE:
        if not top.text("input"):
            raise FieldError("input", "not empty")
        return 1, None
    if kind != _ARRAY:
        raise FieldError("input", _EXPECTED)
    raw = top.raw("input") or b"[]"
    try:
        items = _ITEMS.decode(raw)
        if not items:
            raise FieldError("input", "not empty")
        first = bytes(memoryview(items[0])[:1])
        if first not in (b'"', b"[", b"{"):
            return 1, len(_TOKENS.decode(raw))
        if len(items) > INPUTS_MAX:
            raise RangeError("input", 1, INPUTS_MAX)
        if first == b"[":
            return len(items), sum(len(tokens) for tokens in _TOKEN_LISTS.decode(raw))
    except msgspec.DecodeError:
        raise FieldError("input", _EXPECTED) from None
    return len(items), None
