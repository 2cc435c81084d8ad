"""Owns legacy text completions: what the gate needs of a request, what the meter needs of a reply.

Streams are those of chat (`chat_stream`), with `text` in place of a delta. Must not know
accounts, prices, or how bytes travel.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from tollbridge.protocols.answer import Identity
from tollbridge.protocols.chat import COPIES_MAX, asks_usage, limit_edits, ranged, usage_wanted
from tollbridge.protocols.chat_length import ending
from tollbridge.protocols.chat_usage import usage_from
from tollbridge.protocols.facts import ReplyFacts, decoded, fault_from, text_or_none
from tollbridge.protocols.json_peek import FieldError, RangeError, TopLevel
from tollbridge.protocols.service_tier import with_tier
from tollbridge.protocols.usage import Usage

LIMIT_DEFAULT: Final = 16
"""Output tokens per copy when the request names none; the protocol's own default."""

PROMPTS_MAX: Final = 2048
_QUOTE: Final = 0x22
_ARRAY: Final = 0x5B
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])


class CompletionAsk(msgspec.Struct, frozen=True, gc=False):
    """What the gate needs to know of a text completion request."""

    model: str
    stream: bool
    include_usage: bool
    limit: int
    """Output tokens per copy, the protocol's default included."""
    limited: bool
    """The request names the limit itself."""
    copies: int
    """Texts that are generated and billed: prompts x the larger of n and best_of."""
    choices: int
    """Texts that the answer holds: prompts x n."""
    echo: bool


def read_ask(top: TopLevel) -> CompletionAsk:
    """Read a request; raises FieldError for a missing or wrongly typed field, RangeError for a value."""
    model = top.text("model")
    if not model:
        raise FieldError("model", "a model name")
    limit = ranged(top, "max_tokens", 0, None)
    copies = ranged(top, "n", 1, COPIES_MAX) or 1
    best_of = ranged(top, "best_of", 1, COPIES_MAX) or 1
    prompts = _prompts(top)
    return CompletionAsk(
        model=model,
        stream=top.boolean("stream") or False,
        include_usage=asks_usage(top),
        limit=LIMIT_DEFAULT if limit is None else limit,
        limited=limit is not None,
        copies=prompts * max(copies, best_of),
        choices=prompts * copies,
        echo=top.boolean("echo") or False,
    )


def _prompts(top: TopLevel) -> int:
    """Count the prompts: a text and a list of tokens are one, a list of either is as many."""
    kind = top.kind("prompt")
    if kind is None or kind == _QUOTE:
        return 1
    if kind != _ARRAY:
        raise FieldError("prompt", "a string or an array")
    items = _ITEMS.decode(top.raw("prompt") or b"[]")
    many = bool(items) and bytes(memoryview(items[0])[:1]) in (b'"', b"[")
    if many and len(items) > PROMPTS_MAX:
        raise RangeError("prompt", 1, PROMPTS_MAX)
    return len(items) if many else 1


def prepare(
    top: TopLevel,
    ask: CompletionAsk,
    *,
    model: str | None,
    output_limit: int | None,
    force_usage: bool,
) -> bytes:
    """Return the body for the upstream; the same rules as for chat."""
    edits: dict[str, bytes] = {}
    if model is not None and model != ask.model:
        edits["model"] = msgspec.json.encode(model)
    if output_limit is not None and output_limit < ask.limit:
        edits.update(limit_edits(top, ("max_tokens",), output_limit, "max_tokens"))
    if force_usage and ask.stream and not ask.include_usage:
        edits["stream_options"] = usage_wanted(top)
    return top.replaced(edits)


def length_ending(
    first: dict[str, Any] | None,
    identity: Identity,
    choices: Iterable[int],
    usage: Usage | None,
) -> bytes:
    """Return the frames that end a stream before its end; the same rules as for chat."""
    return ending(first, identity, "text_completion", choices, {"text": ""}, usage)


def read_reply(body: bytes) -> ReplyFacts:
    """Read a whole answer. Never raises: what is not a text completion has no facts."""
    reply = decoded(body)
    if reply is None:
        return ReplyFacts()
    choices = reply.get("choices")
    texts = [_text(choice) for choice in choices] if isinstance(choices, list) else []
    ended = isinstance(choices, list) and all(_ended(choice) for choice in choices)
    return ReplyFacts(
        model=text_or_none(reply.get("model")),
        usage=with_tier(usage_from(reply.get("usage")), reply.get("service_tier")),
        usage_seen=isinstance(reply.get("usage"), dict),
        finished=bool(texts) and ended,
        empty=not any(texts),
        text_bytes=sum(len(text.encode()) for text in texts),
        error=fault_from(reply.get("error")),
    )


def _text(choice: Any) -> str:
    return (text_or_none(choice.get("text")) or "") if isinstance(choice, dict) else ""


def _ended(choice: Any) -> bool:
    return isinstance(choice, dict) and bool(choice.get("finish_reason"))
