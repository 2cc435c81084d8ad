"""Owns the quick way through the usual whole chat answer: typed decoding of what the meter needs.

It answers only where it can be sure to agree with the general reader (`chat.read_reply`); for
everything unusual it says None and the general reader decides. Pure.
"""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from tollbridge.protocols.service_tier import with_tier
from tollbridge.protocols.usage import Usage

TOKENS_MAX = 10**9


class _Message(msgspec.Struct, gc=False):
    content: str | None = None
    refusal: str | None = None
    tool_calls: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: Any = None
    audio: Any = None
    images: Any = None
    function_call: Any = None


class _Choice(msgspec.Struct, gc=False):
    message: _Message
    finish_reason: str | None = None


class _InputDetails(msgspec.Struct, gc=False):
    cached_tokens: int = 0
    audio_tokens: int = 0
    image_tokens: int = 0
    cache_write_tokens: int = 0


class _OutputDetails(msgspec.Struct, gc=False):
    reasoning_tokens: int = 0
    audio_tokens: int = 0
    image_tokens: int = 0


class _Figures(msgspec.Struct, gc=False):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    # Other vendors' names for cached tokens: the general reader knows what they mean.
    prompt_cache_hit_tokens: UnsetType | Any = UNSET
    num_cached_tokens: UnsetType | Any = UNSET
    cached_tokens: UnsetType | Any = UNSET


class _Reply(msgspec.Struct, gc=False):
    model: str
    choices: list[_Choice]
    usage: _Figures
    error: Any = None
    service_tier: Any = None


_NO_INPUT = _InputDetails()
_NO_OUTPUT = _OutputDetails()
_decoder = msgspec.json.Decoder(_Reply)


def quick_facts(body: bytes) -> tuple[str, Usage, int] | None:
    """Return (model, usage, text bytes) of a finished plain-text answer whose figures add up.

    None for every other answer, however wrong it is; never raises.
    """
    try:
        reply = _decoder.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    if reply.error or not reply.choices or not reply.model:
        return None
    text_bytes = 0
    for choice in reply.choices:
        message = choice.message
        text = message.content
        if not text or not choice.finish_reason or _is_more_than_text(message):
            return None
        text_bytes += len(text) if text.isascii() else len(text.encode())
    usage = with_tier(_plain_usage(reply.usage), reply.service_tier)
    return None if usage is None else (reply.model, usage, text_bytes)


def _is_more_than_text(message: _Message) -> bool:
    return bool(
        message.refusal
        or message.tool_calls
        or message.reasoning_content
        or message.reasoning
        or message.reasoning_details
        or message.audio
        or message.images
        or message.function_call
    )


def _plain_usage(figures: _Figures) -> Usage | None:
    """Return the buckets of figures that obey the protocol's own arithmetic, else None."""
    prompt, made = figures.prompt_tokens, figures.completion_tokens
    given = figures.prompt_tokens_details or _NO_INPUT
    spent = figures.completion_tokens_details or _NO_OUTPUT
    cached, reasoning = given.cached_tokens, spent.reasoning_tokens
    if (
        figures.total_tokens != prompt + made
        or not 0 <= cached <= prompt <= TOKENS_MAX
        or not 0 <= reasoning <= made <= TOKENS_MAX
        or given.audio_tokens
        or given.image_tokens
        or given.cache_write_tokens
        or spent.audio_tokens
        or spent.image_tokens
        or figures.prompt_cache_hit_tokens is not UNSET
        or figures.num_cached_tokens is not UNSET
        or figures.cached_tokens is not UNSET
    ):
        return None
    return Usage(input=prompt - cached, cache_read=cached, output=made, reasoning=reasoning)
