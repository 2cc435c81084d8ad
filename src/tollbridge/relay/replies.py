"""Owns the header lines that Tollbridge adds to an answer. Pure."""

from collections.abc import Sequence

from tollbridge.core.cross_origin import ANSWER_LINES
from tollbridge.core.money import format_usd
from tollbridge.relay.call import Call
from tollbridge.storage.counters import Scope, State


def stream_lines(content_type: bytes) -> bytes:
    """Return the lines of a streamed answer that nobody on the way may keep back."""
    return (
        b"content-type: " + content_type + b"\r\n"
        b"cache-control: no-cache, no-transform\r\n"
        b"x-accel-buffering: no\r\n"
    )  # fmt: skip


SSE_HEADERS = stream_lines(b"text/event-stream; charset=utf-8")
_TID = ANSWER_LINES + b"x-request-id: "


def traced(tid: str) -> bytes:
    """Return the lines that every good answer carries."""
    return _TID + tid.encode() + b"\r\n"


def tracing(call: Call) -> bytes:
    """Return the lines that every answer of this call carries."""
    lines = traced(call.tid) + call.rate_lines
    if call.output_limit is not None:
        lines += b"x-tollbridge-max-output: %d\r\n" % call.output_limit
    return lines


def settled(charge: int, balance: int) -> bytes:
    """Return the lines that tell a call's cost and the balance after it."""
    return (
        b"x-tollbridge-cost: " + format_usd(charge).encode()
        + b"\r\nx-tollbridge-balance: " + format_usd(balance).encode() + b"\r\n"
    )  # fmt: skip


def header_lines(pairs: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Return an error's header pairs as lines, after those of every answer."""
    return ANSWER_LINES + b"".join(name + b": " + value + b"\r\n" for name, value in pairs)


def rate_lines(scopes: Sequence[Scope], states: Sequence[State]) -> bytes:
    """Return the lines that tell a client how much of its limits is left, the tightest of each."""
    both = list(zip(scopes, states, strict=True))
    requests = [
        (one.rpm - now.requests, one.rpm, now.requests_reset_ms) for one, now in both if one.rpm
    ]
    tokens = [(one.tpm - now.tokens, one.tpm, now.tokens_reset_ms) for one, now in both if one.tpm]
    return _allowance(b"requests", requests) + _allowance(b"tokens", tokens)


def _allowance(what: bytes, left: list[tuple[int, int, int]]) -> bytes:
    if not left:
        return b""
    remaining, limit, reset_ms = min(left)
    tenths = -(-reset_ms // 100)
    return (
        b"x-ratelimit-limit-%b: %d\r\nx-ratelimit-remaining-%b: %d\r\nx-ratelimit-reset-%b: %d.%ds\r\n"
        % (what, limit, what, max(remaining, 0), what, tenths // 10, tenths % 10)
    )
