"""Owns the header lines that Tollbridge adds to an answer. Pure."""

from tollbridge.core.money import format_usd
from tollbridge.relay.call import Call

SSE_HEADERS = (
    b"content-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache, no-transform\r\n"
    b"x-accel-buffering: no\r\n"
)
HEARTBEAT = b": keepalive\n\n"


def tracing(call: Call) -> bytes:
    """Return the lines that every answer of this call carries."""
    lines = b"x-request-id: " + call.tid.encode() + b"\r\n"
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
    """Return header pairs as lines."""
    return b"".join(name + b": " + value + b"\r\n" for name, value in pairs)
