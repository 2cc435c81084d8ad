"""Owns Anthropic Messages bodies: what the gate needs of a request, the meter of a reply.

Requests are read as spans and changed by splicing, never rebuilt. Must not know accounts, prices,
headers (betas are headers) or how bytes travel.
"""

import re
from typing import Any, Final, Literal

import msgspec

from tollbridge.protocols.conversation import Json
from tollbridge.protocols.facts import (
    ReplyFacts,
    UpstreamFault,
    decoded,
    fault_from,
    text_or_none,
)
from tollbridge.protocols.json_peek import FieldError, PeekError, RangeError, TopLevel, peek
from tollbridge.protocols.messages_usage import usage_from

ThinkingKind = Literal["enabled", "adaptive", "disabled"]

BUDGET_LEAST: Final = 1_024
"""Thinking tokens below which the vendor refuses a budget."""

_ARRAY: Final = 0x5B
_OBJECT: Final = 0x7B
_EMPTY_ARRAY: Final = re.compile(rb"\[[ \t\n\r]*\]")
_KINDS: Final[dict[str, ThinkingKind]] = {
    "enabled": "enabled",
    "adaptive": "adaptive",
    "disabled": "disabled",
}
_NO_THINKING: Final = b'{"type":"disabled"}'
_SEARCH: Final = "web_search_"
# What stands in a signature's place when the thoughts are not this vendor's: nothing, or an
# envelope (carriers.py). A quote within a text is escaped, so this finds fields only.
_UNSIGNED: Final = re.compile(rb'"signature"\s*:\s*"(?:"|tbr1\.)')
_SEALED: Final = re.compile(rb'"data"\s*:\s*"tbr1\.')
_STATUSES: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


class _Tool(msgspec.Struct, gc=False):
    type: str | None = None
    max_uses: int | None = None


_TOOLS: Final = msgspec.json.Decoder(list[_Tool])


class MessagesAsk(msgspec.Struct, frozen=True, gc=False):
    """What the gate needs to know of a request for a message."""

    model: str
    stream: bool
    limit: int
    """Output tokens, thinking included; 0 only fills the prompt cache."""
    has_tools: bool
    web_search: bool
    web_search_uses: int | None
    """How often the model may search; None: as often as it likes."""
    thinking: ThinkingKind | None
    thinking_budget: int | None
    server_tools: tuple[str, ...]
    """The types of the vendor's own tools other than web search; `mcp_servers` for those."""


def read_ask(top: TopLevel) -> MessagesAsk:
    """Read a request; raises FieldError for a missing or wrongly typed field, RangeError for a value."""
    model = top.text("model")
    if not model:
        raise FieldError("model", "a model name")
    if top.kind("messages") != _ARRAY:
        raise FieldError("messages", "an array")
    if _EMPTY_ARRAY.match(top.body, (top.span("messages") or (0, 0))[0]):
        raise FieldError("messages", "at least one message")
    limit = top.integer("max_tokens")
    if limit is None:
        raise FieldError("max_tokens", "an integer")
    if limit < 0:
        raise RangeError("max_tokens", 0, None)
    tools = _tools(top)
    searches = [tool.max_uses for tool in tools if _is_search(tool)]
    others = [tool.type or "" for tool in tools if _is_server_tool(tool)]
    if top.kind("mcp_servers") is not None:
        others.append("mcp_servers")
    thinking, budget = _thinking(top)
    return MessagesAsk(
        model=model,
        stream=top.boolean("stream") or False,
        limit=limit,
        has_tools=bool(tools),
        web_search=bool(searches),
        web_search_uses=_uses(searches),
        thinking=thinking,
        thinking_budget=budget,
        server_tools=tuple(others),
    )


def _uses(searches: list[int | None]) -> int | None:
    """Return how often all searches may be used together; None where one of them has no bound."""
    bounded = [uses for uses in searches if uses is not None]
    return sum(bounded) if bounded and len(bounded) == len(searches) else None


def _tools(top: TopLevel) -> list[_Tool]:
    raw = top.raw("tools")
    if raw is None:
        return []
    try:
        return _TOOLS.decode(raw)
    except msgspec.DecodeError:
        raise FieldError("tools", "an array of tools") from None


def _is_search(tool: _Tool) -> bool:
    return tool.type is not None and tool.type.startswith(_SEARCH)


def _is_server_tool(tool: _Tool) -> bool:
    return tool.type not in {None, "custom"} and not _is_search(tool)


def _thinking(top: TopLevel) -> tuple[ThinkingKind | None, int | None]:
    """Return how the model is to think and its budget; a kind that is new to us counts as adaptive."""
    if top.kind("thinking") is None:
        return None, None
    if top.kind("thinking") != _OBJECT:
        raise FieldError("thinking", "an object")
    fields = _object(top, "thinking")
    try:
        kind, budget = fields.text("type"), fields.integer("budget_tokens")
    except FieldError as error:
        raise FieldError(f"thinking.{error.name}", error.expected) from None
    return _KINDS.get(kind or "", "adaptive"), budget


def _object(top: TopLevel, name: str) -> TopLevel:
    try:
        return peek(top.raw(name) or b"{}")
    except PeekError:
        raise FieldError(name, "an object that names each field once") from None


def prepare(
    top: TopLevel, ask: MessagesAsk, *, model: str | None, output_limit: int | None
) -> bytes:
    """Return the body for the upstream; every byte that need not change stays as it was.

    `model` is the mapped name. `output_limit` bounds the output (money.md, "Bound"): `max_tokens`
    is lowered to it. A thinking budget that was below `max_tokens` has to stay so: it is lowered in
    proportion, and where less than BUDGET_LEAST could be left the model is not to think.
    """
    edits: dict[str, bytes] = {}
    if model is not None and model != ask.model:
        edits["model"] = msgspec.json.encode(model)
    if output_limit is not None and output_limit < ask.limit:
        edits["max_tokens"] = b"%d" % output_limit
        thinking = _lowered(top, ask, output_limit)
        if thinking is not None:
            edits["thinking"] = thinking
    return top.replaced(edits)


def _lowered(top: TopLevel, ask: MessagesAsk, output_limit: int) -> bytes | None:
    """Return the thinking field that fits the limit; None where it fits as it is.

    A budget above the client's own `max_tokens` (a beta allows it) is the client's business.
    """
    budget = ask.thinking_budget
    if ask.thinking != "enabled" or budget is None or not output_limit <= budget < ask.limit:
        return None
    if output_limit <= BUDGET_LEAST:
        return _NO_THINKING
    share = max(budget * output_limit // ask.limit, BUDGET_LEAST)
    return _object(top, "thinking").replaced({"budget_tokens": b"%d" % share})


def has_foreign_thoughts(body: bytes) -> bool:
    """Say whether a request bears thoughts that the vendor would refuse: unsigned or another's.

    Such a body must not be passed on as it is, also not to its own protocol: its reader and writer
    drop those thoughts (protocols.md 5.7). May say yes without need.
    """
    return _UNSIGNED.search(body) is not None or _SEALED.search(body) is not None


def read_reply(body: bytes) -> ReplyFacts:
    """Read a whole answer. Never raises: what is not a message has no facts."""
    reply = decoded(body)
    if reply is None:
        return ReplyFacts()
    blocks = reply.get("content")
    text_bytes, content = 0, False
    for block in blocks if isinstance(blocks, list) else ():
        if isinstance(block, dict):
            content = content or carries(block)
            text_bytes += _size(block)
    return ReplyFacts(
        model=text_or_none(reply.get("model")),
        usage=usage_from(reply.get("usage")),
        usage_seen=isinstance(reply.get("usage"), dict),
        finished=bool(reply.get("stop_reason")),
        empty=not content,
        text_bytes=text_bytes,
        error=fault_of(reply),
    )


def carries(block: Json) -> bool:
    """Say whether a content block carries anything produced (money.md, "empty answer")."""
    kind = block.get("type")
    if kind == "text":
        return bool(block.get("text"))
    if kind == "thinking":
        return bool(block.get("thinking") or block.get("signature"))
    return isinstance(kind, str)


def fault_of(body: Json) -> UpstreamFault | None:
    """Return the error that a body or an event reports, with the status that its type stands for."""
    fault = fault_from(body.get("error"))
    if fault is None or fault.status is not None:
        return fault
    return msgspec.structs.replace(fault, status=_STATUSES.get(fault.type))


def _size(block: dict[str, Any]) -> int:
    """Return the UTF-8 bytes of what the model wrote into a block; what tools found is not its own."""
    size = sum(len(text.encode()) for name in _WRITTEN if isinstance(text := block.get(name), str))
    given = block.get("input")
    return size + (len(msgspec.json.encode(given)) if given else 0)


_WRITTEN: Final = ("text", "thinking", "name")
