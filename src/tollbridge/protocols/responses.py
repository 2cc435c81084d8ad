"""Owns bodies of the Responses protocol: what the gate needs of a request, what the meter of a reply.

Requests are read as spans and changed by splicing, never rebuilt. Must not know accounts,
prices, or how bytes travel.
"""

import re
from typing import Any, Final

import msgspec

from tollbridge.protocols.chat import limit_edits, ranged
from tollbridge.protocols.facts import (
    ReplyFacts,
    UpstreamFault,
    decoded,
    fault_from,
    text_or_none,
)
from tollbridge.protocols.json_peek import FieldError, TopLevel
from tollbridge.protocols.responses_usage import usage_of

LIMIT_FIELD: Final = "max_output_tokens"
ENDED: Final = ("completed", "incomplete")
"""The states of a response whose model has ended by itself."""
BROKEN: Final = ("failed", "cancelled")
"""The states of a response that the upstream gave up."""

_ARRAY: Final = 0x5B
_TEXT: Final = 0x22
_EMPTY_ARRAY: Final = re.compile(rb"\[[ \t\n\r]*\]")
# What may stand for the input.
_INSTEAD: Final = ("prompt", "previous_response_id", "conversation")
_OWN_TOOLS: Final = frozenset({"function", "custom", "namespace"})
_SEARCHES: Final = "web_search"
_ENVELOPE: Final = b'"tbr1.'


class ResponsesAsk(msgspec.Struct, frozen=True, gc=False):
    """What the gate needs to know of a request."""

    model: str
    stream: bool
    limit: int | None
    """Output tokens, reasoning included."""
    has_tools: bool
    web_search: bool
    image_tool: bool
    """The model may make images by a tool."""
    background: bool
    """The answer is to be fetched later."""
    previous_response_id: str | None
    hosted: tuple[str, ...]
    """The kinds of tools that the vendor runs itself, in the client's order."""


class _Tool(msgspec.Struct):
    type: str = ""


class _Item(msgspec.Struct):
    type: str | None = None
    tools: list[_Tool] | None = None


_TOOLS: Final = msgspec.json.Decoder(list[_Tool])
_ITEMS: Final = msgspec.json.Decoder(list[_Item])


def read_ask(top: TopLevel) -> ResponsesAsk:
    """Read a request; raises FieldError for a missing or wrongly typed field, RangeError for a value."""
    model = top.text("model")
    if not model:
        raise FieldError("model", "a model name")
    _check_input(top)
    kinds = _kinds(top)
    hosted = tuple(kind for kind in kinds if kind not in _OWN_TOOLS)
    return ResponsesAsk(
        model=model,
        stream=top.boolean("stream") or False,
        limit=ranged(top, LIMIT_FIELD, 1, None),
        has_tools=bool(kinds),
        web_search=any(kind.startswith(_SEARCHES) for kind in hosted),
        image_tool="image_generation" in hosted,
        background=top.boolean("background") or False,
        previous_response_id=top.text("previous_response_id"),
        hosted=hosted,
    )


def _check_input(top: TopLevel) -> None:
    kind = top.kind("input")
    if kind is None:
        if not any(top.kind(name) is not None for name in _INSTEAD):
            raise FieldError("input", "a string or an array")
    elif kind not in {_ARRAY, _TEXT}:
        raise FieldError("input", "a string or an array")
    elif kind == _ARRAY and _EMPTY_ARRAY.match(top.body, (top.span("input") or (0, 0))[0]):
        raise FieldError("input", "at least one item")


def _kinds(top: TopLevel) -> list[str]:
    """Return the kinds of all tools, those too that stand in the input (`additional_tools`)."""
    kinds: list[str] = []
    raw = top.raw("tools")
    if raw is not None:
        try:
            kinds += [tool.type for tool in _TOOLS.decode(raw)]
        except msgspec.DecodeError:
            raise FieldError("tools", "an array of objects with a type") from None
    raw = top.raw("input") if top.kind("input") == _ARRAY else None
    if raw is not None and b'"tools"' in raw:
        try:
            items = _ITEMS.decode(raw)
        except msgspec.DecodeError:
            raise FieldError("input", "an array of items") from None
        kinds += [tool.type for item in items for tool in item.tools or ()]
    return kinds


def prepare(
    top: TopLevel, ask: ResponsesAsk, *, model: str | None, output_limit: int | None
) -> bytes:
    """Return the body for the upstream; every byte that need not change stays as it was.

    `model` is the mapped name. `output_limit` bounds the output (money.md, "Bound"): the limit
    that is there is lowered to it, or it is written.
    """
    edits: dict[str, bytes] = {}
    if model is not None and model != ask.model:
        edits["model"] = msgspec.json.encode(model)
    if output_limit is not None:
        edits.update(limit_edits(top, (LIMIT_FIELD,), output_limit, LIMIT_FIELD))
    return top.replaced(edits)


def has_envelopes(body: bytes) -> bool:
    """Say whether a request bears what another vendor signed, in an envelope of ours.

    OpenAI would refuse it; the protocol's reader and writer drop it (protocols.md 5.7). May say yes
    without need.
    """
    return _ENVELOPE in body


def read_reply(body: bytes) -> ReplyFacts:
    """Read a whole answer. Never raises: what is not a response has no facts."""
    reply = decoded(body)
    if reply is None:
        return ReplyFacts()
    output = reply.get("output")
    items = [item for item in output if isinstance(item, dict)] if isinstance(output, list) else []
    return ReplyFacts(
        model=text_or_none(reply.get("model")),
        usage=usage_of(reply),
        usage_seen=isinstance(reply.get("usage"), dict),
        finished=_ended(reply, items),
        empty=not any(_has_content(item) for item in items),
        text_bytes=sum(_text_size(item) for item in items),
        error=fault_of(reply),
    )


def _ended(reply: dict[str, Any], items: list[dict[str, Any]]) -> bool:
    """Say whether the model has ended; some upstreams name a state of their own, or none."""
    status = reply.get("status")
    if status in ("queued", "in_progress", *BROKEN):
        return False
    return status in ENDED or bool(items)


def fault_of(response: dict[str, Any]) -> UpstreamFault | None:
    """Return why a response failed, None where it did not."""
    fault = fault_from(response.get("error"))
    if fault is None and response.get("status") in BROKEN:
        return UpstreamFault(type="", code=str(response["status"]), message="")
    return fault


def _has_content(item: dict[str, Any]) -> bool:
    return item.get("type") != "message" or bool(_text_size(item))


def _text_size(item: dict[str, Any]) -> int:
    """Return the UTF-8 bytes of everything readable that an item carries."""
    size = sum(_size(item.get(name)) for name in ("name", "arguments", "input", "code"))
    for name in ("content", "summary"):
        parts = item.get(name)
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict):
                size += _size(part.get("text")) + _size(part.get("refusal"))
    return size


def _size(value: object) -> int:
    return len(value.encode(errors="replace")) if isinstance(value, str) else 0
