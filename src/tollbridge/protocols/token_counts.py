"""Owns the wire shapes of the endpoints that count a request's tokens: asks, requests, answers.

Three protocols have one each; a request for a count is that of an answer, less what only concerns
the answer. Pure; must not know accounts or how bytes travel.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec
from msgspec import structs

from tollbridge.protocols.conversation import Conversation, Wire
from tollbridge.protocols.facts import ReplyFacts, UpstreamFault, decoded, fault_from
from tollbridge.protocols.gemini_names import name_in
from tollbridge.protocols.json_peek import FieldError, PeekError, TopLevel, peek
from tollbridge.protocols.translation import read_request

GEMINI_VERSION: Final = "v1beta"
"""The version of Gemini's endpoint for requests that came in another protocol."""

_ARRAY: Final = 0x5B
_OBJECT: Final = 0x7B
_INNER: Final = "generateContentRequest"
_PATHS: Final = MappingProxyType(
    {
        Wire.RESPONSES: b"/v1/responses/input_tokens",
        Wire.MESSAGES: b"/v1/messages/count_tokens",
    }
)
# What each endpoint takes of the request for an answer; Gemini's takes all of it.
_TAKEN: Final[Mapping[Wire, frozenset[str]]] = MappingProxyType(
    {
        Wire.RESPONSES: frozenset(
            {
                "input",
                "instructions",
                "model",
                "parallel_tool_calls",
                "previous_response_id",
                "reasoning",
                "text",
                "tool_choice",
                "tools",
                "truncation",
            }
        ),
        Wire.MESSAGES: frozenset(
            {
                "cache_control",
                "context_management",
                "mcp_servers",
                "messages",
                "model",
                "output_config",
                "system",
                "thinking",
                "tool_choice",
                "tools",
            }
        ),
    }
)


class CountAsk(msgspec.Struct, frozen=True, gc=False):
    """What the gate needs to know of a request for a count; the answer is never a stream."""

    model: str
    previous_response_id: str | None = None
    stream: bool = False


def read_ask(wire: Wire, top: TopLevel, model: str) -> CountAsk:
    """Read a request; `model` is for Gemini, whose path says it. Raises FieldError."""
    if wire is Wire.GEMINI:
        inner = _inner(top) or top
        _must_be_array(inner, "contents")
        return CountAsk(model)
    name = top.text("model")
    if not name:
        raise FieldError("model", "a model name")
    if wire is Wire.MESSAGES:
        _must_be_array(top, "messages")
        return CountAsk(name)
    return CountAsk(name, top.text("previous_response_id"))


def _must_be_array(top: TopLevel, name: str) -> None:
    if top.kind(name) != _ARRAY:
        raise FieldError(name, "an array")


def _inner(top: TopLevel) -> TopLevel | None:
    """Return the whole request that one of Gemini's may hold instead of its contents."""
    name = name_in(top, _INNER)
    kind = top.kind(name)
    if kind is None:
        return None
    if kind != _OBJECT:
        raise FieldError(_INNER, "an object")
    try:
        return peek(top.raw(name) or b"{}")
    except PeekError:
        raise FieldError(_INNER, "an object that names each field once") from None


def path_of(wire: Wire, model: str, version: str = GEMINI_VERSION) -> bytes:
    """Return where a protocol counts; `version` is Gemini's."""
    if wire is Wire.GEMINI:
        return f"/{version}/models/{model}:countTokens".encode()
    return _PATHS[wire]


def renamed(wire: Wire, top: TopLevel, model: str) -> bytes:
    """Return a request that names another model wherever it names any."""
    if wire is not Wire.GEMINI:
        return top.replaced({"model": msgspec.json.encode(model)})
    inner = _inner(top)
    if inner is None or inner.kind("model") is None:
        return top.body
    name = msgspec.json.encode(f"models/{model}")
    return top.replaced({name_in(top, _INNER): inner.replaced({"model": name})})


def conversation_of(wire: Wire, top: TopLevel, model: str, most: int) -> Conversation:
    """Return the request without what only concerns the answer. Raises FieldError.

    `most` is the model's limit of output, which one protocol wants to be said.
    """
    if wire is Wire.MESSAGES:
        top = peek(top.replaced({"max_tokens": b"%d" % most}))
    elif wire is Wire.GEMINI:
        top = _inner(top) or top
    conversation = read_request(wire, top.body, model=model)
    return structs.replace(
        conversation,
        temperature=None,
        top_p=None,
        top_k=None,
        stop=[],
        seed=None,
        presence_penalty=None,
        frequency_penalty=None,
        logprobs=None,
        copies=1,
        stream=False,
        end_user=None,
        tier=None,
        modalities=[],
        image_options=None,
        audio_options=None,
    )


def reduced(wire: Wire, body: bytes, model: str) -> bytes:
    """Return the request for a count of a request for an answer, as its writer made it."""
    fields: dict[str, Any] = msgspec.json.decode(body)
    if wire is Wire.GEMINI:
        return msgspec.json.encode({_INNER: {"model": f"models/{model}", **fields}})
    taken = _TAKEN[wire]
    return msgspec.json.encode({name: one for name, one in fields.items() if name in taken})


def read_count(wire: Wire, body: bytes) -> int | UpstreamFault | None:
    """Return what an endpoint counted, its error, or None for what is no answer. Never raises."""
    fields = decoded(body)
    if fields is None:
        return None
    fault = fault_from(fields.get("error"))
    if fault is not None:
        return fault
    # Where there is nothing to count, Gemini leaves the field out.
    name, none = ("totalTokens", 0) if wire is Wire.GEMINI else ("input_tokens", None)
    tokens = fields.get(name, none)
    return tokens if type(tokens) is int and tokens >= 0 else None


def facts_of(count: int | UpstreamFault | None) -> ReplyFacts:
    """Return what the relay needs to know of such an answer: an error, nothing, or a count."""
    if isinstance(count, UpstreamFault):
        return ReplyFacts(error=count)
    return ReplyFacts(finished=count is not None)


def write_count(wire: Wire, tokens: int) -> bytes:
    """Return a count in a client's protocol."""
    if wire is Wire.GEMINI:
        return msgspec.json.encode({"totalTokens": tokens})
    if wire is Wire.MESSAGES:
        return msgspec.json.encode({"input_tokens": tokens})
    return msgspec.json.encode({"object": "response.input_tokens", "input_tokens": tokens})
