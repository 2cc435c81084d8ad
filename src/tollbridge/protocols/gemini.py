"""Owns Gemini bodies: what the gate needs of a request, and what the meter needs of a reply.

Requests are read as spans and changed by splicing, never rebuilt. The model and the way of
streaming are in the path, so they are given. Must not know accounts, prices, or how bytes travel.
"""

from typing import Any, Final

import msgspec

from tollbridge.protocols.facts import ReplyFacts, decoded, text_or_none
from tollbridge.protocols.gemini_names import camel, name_in, snake, spelled
from tollbridge.protocols.gemini_parts import (
    blocked,
    finish_of,
    gemini_fault,
    has_payload,
    objects,
    parts_of,
    searches_in,
    text_size,
)
from tollbridge.protocols.gemini_usage import usage_from
from tollbridge.protocols.json_peek import FieldError, PeekError, RangeError, TopLevel, peek

COPIES_MAX: Final = 128
_ARRAY: Final = 0x5B
_OBJECT: Final = 0x7B
_CONFIG: Final = "generationConfig"
_SEARCHES: Final = frozenset({"googleSearch", "googleSearchRetrieval", "enterpriseWebSearch"})


class RoleMissing(FieldError):
    """A content without a role: Google answers it with "Request contains an invalid argument"."""

    def __init__(self, at: int) -> None:
        super().__init__(f"contents[{at}].role", '"user" or "model"')


class GeminiAsk(msgspec.Struct, frozen=True, gc=False):
    """What the gate needs to know of a Gemini request."""

    model: str
    stream: bool
    limit: int | None
    """Output tokens per copy, thoughts included."""
    copies: int
    modalities: tuple[str, ...]
    """Those of the answer in lower case, as the other protocols write them."""
    has_tools: bool
    web_search: bool
    code_execution: bool
    thinking_budget: int | None
    thinking_level: str | None


class _ContentHead(msgspec.Struct):
    role: Any = None


_CONTENTS: Final = msgspec.json.Decoder(list[_ContentHead])
_TOOLS: Final = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_TEXTS: Final = msgspec.json.Decoder(tuple[str, ...])


def read_ask(top: TopLevel, *, model: str, stream: bool) -> GeminiAsk:
    """Read a request.

    Raises FieldError for a missing or wrongly typed field, RangeError for a value, RoleMissing for
    a content that does not say whose it is.
    """
    _check_contents(top)
    config = _nested(top, _CONFIG)
    thinking = _nested(config, "thinkingConfig", _CONFIG)
    copies = _integer(config, "candidateCount", 1, COPIES_MAX)
    tools = _tool_names(top)
    level = _text(thinking, "thinkingLevel")
    return GeminiAsk(
        model=model,
        stream=stream,
        limit=_integer(config, "maxOutputTokens", 1, None),
        copies=1 if copies is None else copies,
        modalities=_modalities(config),
        has_tools=bool(tools),
        web_search=not _SEARCHES.isdisjoint(tools),
        code_execution="codeExecution" in tools,
        thinking_budget=_integer(thinking, "thinkingBudget", -1, None),
        thinking_level=level.lower() if level else None,
    )


def _check_contents(top: TopLevel) -> None:
    if top.kind("contents") != _ARRAY:
        raise FieldError("contents", "an array")
    try:
        contents = _CONTENTS.decode(top.raw("contents") or b"")
    except msgspec.DecodeError:
        raise FieldError("contents", "an array of objects") from None
    if not contents:
        raise FieldError("contents", "at least one content")
    for at, content in enumerate(contents):
        if not content.role:
            raise RoleMissing(at)
        if not isinstance(content.role, str):
            raise FieldError(f"contents[{at}].role", "a string")


def _nested(top: TopLevel | None, name: str, within: str = "") -> TopLevel | None:
    """Return the fields of an object within a body, None when it is absent; FieldError."""
    if top is None:
        return None
    where = f"{within}.{name}" if within else name
    spelling = name_in(top, name)
    kind = top.kind(spelling)
    if kind is None:
        return None
    if kind != _OBJECT:
        raise FieldError(where, "an object")
    try:
        return peek(top.raw(spelling) or b"{}")
    except PeekError:
        raise FieldError(where, "an object that names each option once") from None


def _integer(top: TopLevel | None, name: str, low: int, high: int | None) -> int | None:
    if top is None:
        return None
    try:
        value = top.integer(name_in(top, name))
    except FieldError as error:
        raise FieldError(f"{_CONFIG}.{name}", error.expected) from None
    if value is not None and (value < low or (high is not None and value > high)):
        raise RangeError(f"{_CONFIG}.{name}", low, high)
    return value


def _text(top: TopLevel | None, name: str) -> str | None:
    if top is None:
        return None
    try:
        return top.text(name_in(top, name))
    except FieldError as error:
        raise FieldError(f"{_CONFIG}.{name}", error.expected) from None


def _modalities(config: TopLevel | None) -> tuple[str, ...]:
    if config is None:
        return ()
    raw = config.raw(name_in(config, "responseModalities"))
    if raw is None:
        return ()
    try:
        return tuple(item.lower() for item in _TEXTS.decode(raw))
    except msgspec.DecodeError:
        raise FieldError(f"{_CONFIG}.responseModalities", "an array of strings") from None


def _tool_names(top: TopLevel) -> frozenset[str]:
    """Return which kinds of tools are offered; FieldError."""
    raw = top.raw("tools")
    if raw is None:
        return frozenset()
    try:
        tools = _TOOLS.decode(raw)
    except msgspec.DecodeError:
        raise FieldError("tools", "an array of objects") from None
    return frozenset(
        camel(name) for tool in tools for name, value in tool.items() if bytes(value) != b"null"
    )


def prepare(
    top: TopLevel, ask: GeminiAsk, *, output_limit: int | None, model: str | None = None
) -> bytes:
    """Return the body for the upstream; every byte that need not change stays as it was.

    `output_limit` bounds the output (money.md, "Bound"). A body that repeats the model of its path
    gets the mapped name `model`.
    """
    edits: dict[str, bytes] = {}
    if model is not None and top.kind("model") is not None:
        edits["model"] = msgspec.json.encode(f"models/{model}")
    if output_limit is not None and (ask.limit is None or ask.limit > output_limit):
        field = name_in(top, _CONFIG)
        config = _nested(top, _CONFIG)
        limit = b"%d" % output_limit
        if config is None:
            name = "maxOutputTokens" if field == _CONFIG else snake("maxOutputTokens")
            edits[field] = b'{"%b":%b}' % (name.encode(), limit)
        else:
            edits[field] = config.replaced({name_in(config, "maxOutputTokens"): limit})
    return top.replaced(edits)


def read_reply(body: bytes) -> ReplyFacts:
    """Read a whole answer. Never raises: what is not an answer of Gemini has no facts."""
    reply = decoded(body)
    if reply is None:
        return ReplyFacts()
    reply = spelled(reply)
    candidates = [spelled(candidate) for candidate in objects(reply.get("candidates"))]
    parts = [part for candidate in candidates for part in parts_of(candidate)]
    finished = bool(candidates) and all(finish_of(candidate) for candidate in candidates)
    usage = usage_from(reply.get("usageMetadata"))
    searches = searches_in(reply)
    if usage is not None and searches:
        usage = msgspec.structs.replace(usage, web_search=searches)
    return ReplyFacts(
        model=text_or_none(reply.get("modelVersion")),
        usage=usage,
        usage_seen=usage is not None,
        finished=finished or blocked(reply),
        empty=not any(has_payload(part) for part in parts),
        text_bytes=sum(text_size(part) for part in parts),
        error=gemini_fault(reply.get("error")),
    )
