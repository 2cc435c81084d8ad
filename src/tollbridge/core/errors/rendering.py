"""Owns the wire form of errors: one renderer a surface, and the end of a broken stream.

Must not know why a call failed, nor raise whatever a message holds: this is the last thing a caller
can still get. Bodies and headers are those of errors.md.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tollbridge.core.clock import tid_ms
from tollbridge.core.errors.cleaning import clean_upstream_message
from tollbridge.core.errors.kinds import CODE_TEXTS, Kind, Profile, Surface
from tollbridge.core.errors.paths import right_path
from tollbridge.core.errors.profiles import Effective, effective
from tollbridge.core.errors.raised import ApiError
from tollbridge.core.redaction import clipped, mask_secrets, well_formed

_MESSAGE_LIMIT = 1000
_FACT_LIMIT = 200
_RETRY_AFTER_MAX_S = 120
_KEY_SHOWN = 6
_SERVER_FAULT = 500
_RATE_CODES = frozenset({"rate_limit_exceeded", "provider_rate_limited"})
_FACT = re.compile(r"\{(\w+)\}")
_UNKNOWN = {"method": "GET", "path": "/", "key_last6": "…"}
_NOT_IN_HEADERS = re.compile(r"[^\x21-\x7e]")
_NOT_IN_NAMES = re.compile(r"[^\w.\-]", re.ASCII)
_CONTROLS = dict.fromkeys((*range(9), *range(11, 32), 127), " ")


@dataclass(frozen=True, slots=True)
class Rendered:
    """An error as it leaves: status, header pairs in lower case, JSON body."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Shown:
    """What every surface says of one error, each in its own words."""

    status: int
    type: str
    anthropic: str
    gemini: str
    code: str
    message: str
    param: str | None
    tid: str


def render(error: ApiError, surface: Surface, profile: Profile, tid: str) -> Rendered:
    """Render an error as a whole answer of `surface` in the dialect `profile`. Never raises."""
    seen = effective(error.kind, profile)
    shown = _shown(error, seen, tid)
    body = _json(_BODIES[surface](shown))
    return Rendered(shown.status, _headers(error, seen, tid), body)


def render_in_band(
    error: ApiError,
    surface: Surface,
    profile: Profile,
    tid: str,
    *,
    model: str,
    stream_id: str = "",
    sequence: int = 0,
) -> bytes:
    """Return the SSE bytes that end a broken stream; nothing may follow them, not even [DONE].

    `stream_id` is the id that the stream's own frames carry and `sequence` the next sequence number
    of a Responses stream: accumulators refuse an id that changes. Never raises.
    """
    shown = _shown(error, effective(error.kind, profile), tid)
    if surface is Surface.MESSAGES:
        return _event("error", _anthropic(shown))
    if surface is Surface.RESPONSES:
        return _event("response.failed", _failed_response(shown, model, stream_id, sequence))
    if surface is Surface.CHAT:
        return _event("", _broken_chunk(shown, model, stream_id))
    return _event("", _BODIES[surface](shown))


def message_of(error: ApiError, profile: Profile = Profile.STRICT) -> str:
    """Return the sentence that a customer reads in the dialect `profile`."""
    return _message(error, effective(error.kind, profile))


def _shown(error: ApiError, seen: Effective, tid: str) -> _Shown:
    own_type = error.facts.get("type") if error.kind is Kind.UPSTREAM_BAD_REQUEST else None
    return _Shown(
        status=seen.status,
        type=_name(own_type) or seen.native.openai,
        anthropic=seen.native.anthropic,
        gemini=seen.native.gemini,
        code=_code(error, seen),
        message=_message(error, seen),
        param=None if error.param is None else _visible(error.param, _FACT_LIMIT),
        tid=_visible(tid, _FACT_LIMIT),
    )


def _code(error: ApiError, seen: Effective) -> str:
    """Return the profile's code; where it has none of its own, the raiser's narrower one.

    A vendor chooses its codes itself: one that points at it is left out.
    """
    own = error.code or ""
    if error.kind is Kind.UPSTREAM_BAD_REQUEST and clean_upstream_message(own) != own:
        own = ""
    return seen.code if seen.code != seen.row.code else _name(own) or seen.code


def _name(text: str | None) -> str:
    return _NOT_IN_NAMES.sub("", mask_secrets(text or ""))[:_FACT_LIMIT]


def _message(error: ApiError, seen: Effective) -> str:
    """Choose the words: the profile's, else the raiser's, else the code's, else the row's."""
    words = seen.text
    if seen.fixed_text is not None and error.facts.get("fixed_channel"):
        words = seen.fixed_text
    if words is None and error.message:
        words = error.message
    else:
        words = _filled(words or CODE_TEXTS.get(error.code or "") or seen.row.text, error.facts)
    return _visible(words + _did_you_mean(error), _MESSAGE_LIMIT)


def _filled(template: str, facts: Mapping[str, str]) -> str:
    return _FACT.sub(lambda match: _fact(match[1], facts), template)


def _fact(name: str, facts: Mapping[str, str]) -> str:
    value = facts.get(name) or _UNKNOWN.get(name, "unknown")
    if name == "key_last6":
        return value[-_KEY_SHOWN:]
    if name == "path":
        # A key may travel in the query.
        value = value.partition("?")[0]
    return clipped(value, _FACT_LIMIT)


def _did_you_mean(error: ApiError) -> str:
    nearest = error.facts.get("nearest", "")
    if not nearest and error.kind is Kind.NOT_FOUND:
        nearest = right_path(error.facts.get("path", "")) or ""
    names = [clipped(name.strip(), _FACT_LIMIT) for name in nearest.split(",") if name.strip()]
    if not names:
        return ""
    return f" (did you mean {' or '.join(names[:5])}?)"


def _visible(text: str, limit: int) -> str:
    """Return text fit for a customer: well-formed, no control characters, no credential, short."""
    return clipped(mask_secrets(well_formed(text).translate(_CONTROLS)), limit)


def _headers(error: ApiError, seen: Effective, tid: str) -> tuple[tuple[bytes, bytes], ...]:
    headers = [
        (b"content-type", b"application/json"),
        (b"x-request-id", _header(tid)),
        (b"x-should-retry", b"true" if seen.row.retryable else b"false"),
    ]
    if seen.row.retryable:
        wait_s = seen.row.retry_after_s if error.retry_after_s is None else error.retry_after_s
        wait_s = min(max(wait_s, 1), _RETRY_AFTER_MAX_S)
        headers.append((b"retry-after", str(wait_s).encode()))
    if error.kind is Kind.METHOD_NOT_ALLOWED and error.facts.get("allow"):
        headers.append((b"allow", _header(error.facts["allow"].replace(" ", ""))))
    return tuple(headers)


def _header(value: str) -> bytes:
    return _NOT_IN_HEADERS.sub("", value)[:_FACT_LIMIT].encode("ascii")


def _openai_error(shown: _Shown) -> dict[str, object]:
    return {
        "message": shown.message,
        "type": shown.type,
        "param": shown.param,
        "code": shown.code,
        "status": shown.status,
        "tid": shown.tid,
    }


def _openai(shown: _Shown) -> dict[str, object]:
    return {"error": _openai_error(shown), "request_id": shown.tid}


def _anthropic(shown: _Shown) -> dict[str, object]:
    return {
        "type": "error",
        "error": {"type": shown.anthropic, "message": shown.message},
        "request_id": shown.tid,
        "tid": shown.tid,
    }


def _gemini(shown: _Shown) -> dict[str, object]:
    return {
        "error": {
            "code": shown.status,
            "message": shown.message,
            "status": shown.gemini,
            "details": [{"tid": shown.tid}],
        }
    }


def _broken_chunk(shown: _Shown, model: str, stream_id: str) -> dict[str, object]:
    return {
        "id": _visible(stream_id, _FACT_LIMIT) or f"chatcmpl-{shown.tid}",
        "object": "chat.completion.chunk",
        "created": _seconds(shown.tid),
        "model": _visible(model, _FACT_LIMIT),
        "choices": [{"index": 0, "delta": {}, "finish_reason": "error"}],
        "error": _openai_error(shown),
        "request_id": shown.tid,
    }


def _failed_response(shown: _Shown, model: str, stream_id: str, sequence: int) -> dict[str, object]:
    return {
        "type": "response.failed",
        "sequence_number": sequence,
        "response": {
            # What the vendor's own client requires of a response is there, whatever was asked.
            "id": _visible(stream_id, _FACT_LIMIT) or f"resp_{shown.tid}",
            "object": "response",
            "created_at": _seconds(shown.tid),
            "status": "failed",
            "model": _visible(model, _FACT_LIMIT),
            "error": {
                "code": _response_code(shown),
                "message": shown.message,
                "tid": shown.tid,
            },
            "output": [],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
        },
    }


def _response_code(shown: _Shown) -> str:
    """Return the code that the Responses API knows for a failure; the SDK's type is a closed list."""
    if shown.code in _RATE_CODES:
        return "rate_limit_exceeded"
    return "server_error" if shown.status >= _SERVER_FAULT else shown.code


def _seconds(tid: str) -> int:
    try:
        return tid_ms(tid) // 1000
    except ValueError:
        return 0


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _event(name: str, value: Mapping[str, object]) -> bytes:
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + _json(value) + b"\n\n"


_BODIES: Mapping[Surface, Callable[[_Shown], dict[str, object]]] = {
    Surface.CHAT: _openai,
    Surface.RESPONSES: _openai,
    Surface.MEDIA: _openai,
    Surface.MESSAGES: _anthropic,
    Surface.GEMINI: _gemini,
}
