"""Owns Chat Completions bodies: what the gate needs of a request, and what the meter needs of a reply.

Requests are read as spans and changed by splicing, never rebuilt. Must not know accounts,
prices, or how bytes travel.
"""

import re
from typing import Any, Final, Literal

import msgspec

from tollbridge.protocols.chat_quick import quick_facts
from tollbridge.protocols.chat_usage import usage_from
from tollbridge.protocols.facts import ReplyFacts, decoded, fault_from, text_or_none
from tollbridge.protocols.json_peek import FieldError, PeekError, RangeError, TopLevel, peek
from tollbridge.protocols.service_tier import with_tier

LimitField = Literal["max_completion_tokens", "max_tokens"]

COPIES_MAX: Final = 128
_LIMIT_FIELDS: Final[tuple[LimitField, LimitField]] = ("max_completion_tokens", "max_tokens")
_ARRAY: Final = 0x5B
_EMPTY_ARRAY: Final = re.compile(rb"\[[ \t\n\r]*\]")
_OBJECT: Final = 0x7B
_USAGE_WANTED: Final = b'{"include_usage":true}'
# The fields of a message or delta in which something produced can stand.
_PRODUCED: Final = (
    "content",
    "tool_calls",
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "refusal",
    "audio",
    "images",
    "function_call",
)


class ChatAsk(msgspec.Struct, frozen=True, gc=False):
    """What the gate needs to know of a chat request."""

    model: str
    stream: bool
    include_usage: bool
    """The client asked for the usage frame itself."""
    limit: int | None
    """Output tokens per copy: the smaller one when both fields are given."""
    limit_field: LimitField | None
    copies: int
    modalities: tuple[str, ...]
    has_tools: bool
    web_search: bool


def read_ask(top: TopLevel) -> ChatAsk:
    """Read a request; raises FieldError for a missing or wrongly typed field, RangeError for a value."""
    model = top.text("model")
    if not model:
        raise FieldError("model", "a model name")
    if top.kind("messages") != _ARRAY:
        raise FieldError("messages", "an array")
    if _EMPTY_ARRAY.match(top.body, (top.span("messages") or (0, 0))[0]):
        raise FieldError("messages", "at least one message")
    limit: int | None = None
    field: LimitField | None = None
    for name in _LIMIT_FIELDS:
        value = ranged(top, name, 1, None)
        if value is not None and (limit is None or value < limit):
            limit, field = value, name
    copies = ranged(top, "n", 1, COPIES_MAX)
    return ChatAsk(
        model=model,
        stream=top.boolean("stream") or False,
        include_usage=asks_usage(top),
        limit=limit,
        limit_field=field,
        copies=1 if copies is None else copies,
        modalities=_modalities(top),
        has_tools=top.kind("tools") is not None or top.kind("functions") is not None,
        web_search=top.kind("web_search_options") is not None,
    )


def ranged(top: TopLevel, name: str, low: int, high: int | None) -> int | None:
    """Return an integer field within its range, None when absent; FieldError, RangeError."""
    value = top.integer(name)
    if value is not None and (value < low or (high is not None and value > high)):
        raise RangeError(name, low, high)
    return value


def asks_usage(top: TopLevel) -> bool:
    """Say whether the client asked for the usage frame of a stream itself; FieldError."""
    kind = top.kind("stream_options")
    if kind is None:
        return False
    if kind != _OBJECT:
        raise FieldError("stream_options", "an object")
    try:
        return peek(top.raw("stream_options") or b"{}").boolean("include_usage") or False
    except FieldError:
        raise FieldError("stream_options.include_usage", "true or false") from None
    except PeekError:
        raise FieldError("stream_options", "an object that names each option once") from None


def _modalities(top: TopLevel) -> tuple[str, ...]:
    raw = top.raw("modalities")
    if raw is None:
        return ()
    try:
        return msgspec.json.decode(raw, type=tuple[str, ...])
    except msgspec.DecodeError:
        raise FieldError("modalities", "an array of strings") from None


def prepare(
    top: TopLevel,
    ask: ChatAsk,
    *,
    model: str | None,
    output_limit: int | None,
    force_usage: bool,
    limit_field_default: LimitField = "max_completion_tokens",
) -> bytes:
    """Return the body for the upstream; every byte that need not change stays as it was.

    `model` is the mapped name. `output_limit` bounds the output (money.md, "Bound"): every limit
    field that is there is lowered to it, or the default one is written. `force_usage` makes a
    stream report its usage.
    """
    edits: dict[str, bytes] = {}
    if model is not None and model != ask.model:
        edits["model"] = msgspec.json.encode(model)
    if output_limit is not None:
        edits.update(limit_edits(top, _LIMIT_FIELDS, output_limit, limit_field_default))
    if force_usage and ask.stream and not ask.include_usage:
        edits["stream_options"] = usage_wanted(top)
    return top.replaced(edits)


def limit_edits(
    top: TopLevel, fields: tuple[str, ...], output_limit: int, default: str
) -> dict[str, bytes]:
    """Return the edits that bound the output; empty when the client's own limits already do."""
    edits: dict[str, bytes] = {}
    bounded = False
    for name in fields:
        value = top.integer(name)
        if value is not None:
            bounded = True
            if value > output_limit:
                edits[name] = b"%d" % output_limit
    if not bounded:
        edits[default] = b"%d" % output_limit
    return edits


def usage_wanted(top: TopLevel) -> bytes:
    """Return the stream options with the usage frame asked for and all else as the client wrote it."""
    options = top.raw("stream_options")
    return _USAGE_WANTED if options is None else peek(options).replaced({"include_usage": b"true"})


def read_reply(body: bytes) -> ReplyFacts:
    """Read a whole answer. Never raises: what is not a chat completion has no facts."""
    quick = quick_facts(body)
    if quick is not None:
        model, usage, text_bytes = quick
        return ReplyFacts(model, usage, True, True, False, text_bytes)
    reply = decoded(body)
    if reply is None:
        return ReplyFacts()
    choices = reply.get("choices")
    text_bytes, content, finished = 0, False, False
    if isinstance(choices, list) and choices:
        finished = True
        for choice in choices:
            message = choice.get("message") if isinstance(choice, dict) else None
            finished = finished and isinstance(choice, dict) and bool(choice.get("finish_reason"))
            if isinstance(message, dict):
                content = has_content(message) or content
                text_bytes += text_size(message)
    return ReplyFacts(
        model=text_or_none(reply.get("model")),
        usage=with_tier(usage_from(reply.get("usage")), reply.get("service_tier")),
        usage_seen=isinstance(reply.get("usage"), dict),
        finished=finished,
        empty=not content,
        text_bytes=text_bytes,
        error=fault_from(reply.get("error")),
    )


def has_content(message: dict[str, Any]) -> bool:
    """Say whether a message or delta carries anything produced (money.md, "empty answer")."""
    for name in _PRODUCED:  # noqa: SIM110 (a generator would cost as much as reading the reply)
        if message.get(name):
            return True
    return False


def text_size(message: dict[str, Any]) -> int:
    """Return the UTF-8 bytes of everything readable that a message carries."""
    size = _size(message.get("content")) + _size(message.get("refusal"))
    # The two names are two spellings of the same text; the details repeat it once more.
    size += _size(
        message.get("reasoning_content")
        or message.get("reasoning")
        or message.get("reasoning_details")
    )
    calls = message.get("tool_calls")
    if calls:
        size += _size(calls)
    for name in ("function_call", "audio"):
        if message.get(name):
            size += _size(message[name])
    return size


def _size(value: object) -> int:
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode())
    if isinstance(value, list):
        return sum(_size(item) for item in value)
    if isinstance(value, dict):
        return sum(_size(value.get(name)) for name in _READABLE)
    return 0


_READABLE: Final = (
    "text",
    "thinking",
    "transcript",
    "function",
    "custom",
    "name",
    "arguments",
    "input",
    "summary",
)
