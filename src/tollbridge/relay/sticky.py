"""Owns what makes calls belong together, so that they go to one account and its prompt cache.

A number is made of what names the session, else of how the conversation begins; the same number
falls on the same account as long as the pool is the same, in every process and without any memory.
It is a preference only: a session moves on when its account cannot be asked. Keyed by the user,
never stored (product.md, S0-privacy).
"""

import re
from hashlib import blake2b
from typing import Final

from tollbridge.protocols.json_peek import PeekError, TopLevel, peek
from tollbridge.relay.call import Call

# What clients and gateways before us call a session.
_HEADERS: Final = (
    b"session_id",
    b"session-id",
    b"x-session-id",
    b"x-session-affinity",
    b"conversation_id",
)
# How a conversation begins, by surface: instructions, tools, and the messages from the first on.
_BEGINNINGS: Final = (
    "system",
    "instructions",
    "systemInstruction",
    "system_instruction",
    "messages",
    "input",
    "contents",
)
_BEGINNING_BYTES: Final = 2_048
# The last string may be cut off.
_STRUCTURE = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[][{}]', re.DOTALL)
_BY_USER = re.compile(rb'"role"\s*:\s*"user"')
_QUOTE: Final = 0x22
_OBJECT: Final = 0x7B


def session_of(call: Call) -> int | None:
    """Return a 64-bit number that all calls of one session share; None where nothing tells."""
    named = _named(call)
    if named is None:
        named = _beginning(call.source) if isinstance(call.source, TopLevel) else b""
    if not named:
        return None
    whose = b"%d\0%b\0" % (call.key.user_id, call.upstream_model.encode())
    return int.from_bytes(blake2b(whose + named, digest_size=8).digest(), "big")


def _named(call: Call) -> bytes | None:
    """Return the name that the client gave the session, if it did."""
    headers = call.exchange.headers
    for header in _HEADERS:
        if headers.get(header):
            return b"header\0" + headers[header]
    source = call.source
    if not isinstance(source, TopLevel):
        return None
    if (key := _text(source, "prompt_cache_key")) is not None:
        return b"cache\0" + key
    if source.kind("metadata") == _OBJECT:
        try:
            user = _text(peek(source.raw("metadata") or b"{}"), "user_id")
        except PeekError:
            user = None
        if user is not None:
            return b"metadata\0" + user
    # Its turn alone is in the body, so that there is no beginning to go by.
    previous = _text(source, "previous_response_id")
    return None if previous is None else b"previous\0" + previous


def _text(source: TopLevel, name: str) -> bytes | None:
    """Return a string field as it is written; None for an empty one, which names nothing."""
    if source.kind(name) != _QUOTE:
        return None
    written = source.raw(name)
    return None if written == b'""' else written


def _beginning(source: TopLevel) -> bytes:
    """Return how a conversation begins; later turns are added at its end, so it stays the same."""
    parts = []
    for name in _BEGINNINGS:
        span = source.span(name)
        if span is not None:
            text = source.body[span[0] : min(span[1], span[0] + _BEGINNING_BYTES)]
            parts.append(text[: _first_turns(text)] if text.startswith(b"[") else text)
    return b"\0".join(parts)


def _first_turns(items: bytes) -> int:
    """Return where the user's first turn ends in the beginning of an array; its length if later."""
    depth, start = 0, 1
    for token in _STRUCTURE.finditer(items):
        mark = token[0]
        if mark in b"[{":
            depth += 1
        elif mark in b"]}":
            depth -= 1
            if depth == 1 and _BY_USER.search(items, start, token.end()):
                return token.end()
            start = token.end() if depth == 1 else start
    return len(items)
