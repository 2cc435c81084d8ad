"""Owns what the gate and the meter need of Gemini's embedContent and batchEmbedContents.

The vectors are never built. Must not know accounts, prices or other protocols.
"""

from typing import Any, Final

import msgspec

from tollbridge.protocols.facts import ReplyFacts, fault_from
from tollbridge.protocols.gemini_usage import usage_from
from tollbridge.protocols.json_peek import FieldError, TopLevel

_OBJECT: Final = 0x7B
_ARRAY: Final = 0x5B


class VectorAsk(msgspec.Struct, frozen=True, gc=False):
    """What the gate needs to know of a request. Its answer is never streamed."""

    model: str
    batch: bool
    stream: bool = False


class _Named(msgspec.Struct):
    model: Any = None


class _Reply(msgspec.Struct, rename="camel"):
    embedding: msgspec.Raw = msgspec.Raw(b"null")
    embeddings: msgspec.Raw = msgspec.Raw(b"null")
    usage_metadata: Any = None
    error: Any = None


_NAMED = msgspec.json.Decoder(list[_Named])
_REPLY = msgspec.json.Decoder(_Reply)


def read_ask(top: TopLevel, *, model: str, batch: bool) -> VectorAsk:
    """Read a request; FieldError for a missing field or another model than the path's.

    What is priced is the path's model, so it has to be what runs.
    """
    if not batch:
        if top.kind("content") != _OBJECT:
            raise FieldError("content", "an object")
        _check_name(top.text("model"), model, "model")
        return VectorAsk(model, batch)
    if top.kind("requests") != _ARRAY:
        raise FieldError("requests", "an array of requests")
    try:
        requests = _NAMED.decode(top.raw("requests") or b"[]")
    except msgspec.DecodeError:
        raise FieldError("requests", "an array of requests") from None
    if not requests:
        raise FieldError("requests", "at least one request")
    for at, request in enumerate(requests):
        _check_name(request.model, model, f"requests[{at}].model")
    return VectorAsk(model, batch)


def _check_name(given: Any, model: str, where: str) -> None:
    named = given if isinstance(given, str) else "" if given is None else "?"
    if named not in {"", model, f"models/{model}"}:
        raise FieldError(where, "the model of the path")


def read_reply(body: bytes) -> ReplyFacts:
    """Read a whole answer. Never raises: what has no vectors has no facts."""
    try:
        reply = _REPLY.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ReplyFacts()
    made = _begins(reply.embedding, b"{") or _begins(reply.embeddings, b"[")
    return ReplyFacts(
        usage=usage_from(reply.usage_metadata),
        usage_seen=isinstance(reply.usage_metadata, dict),
        finished=made,
        empty=not made,
        error=fault_from(reply.error),
    )


def _begins(raw: msgspec.Raw, with_: bytes) -> bool:
    return bytes(memoryview(raw)[:64]).lstrip().startswith(with_)
