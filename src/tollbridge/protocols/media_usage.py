"""Owns the arithmetic of usage at media endpoints: vendor figures in, Usage out; and its estimates.

It takes any JSON and never raises: what does not add up is corrected and flagged as clamped
(money.md, "Buckets"; protocols.md 9, "Side endpoints"). A Usage says everything that is known, tokens
and counted items alike: which of them are sold is the price's matter. Must not know prices.
"""

import math
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from tollbridge.protocols.chat_usage import usage_from
from tollbridge.protocols.usage import ImageCount, Usage

SECONDS_MAX: Final = 10**7
"""More seconds than any recording has (four months)."""

_BYTES_PER_TOKEN: Final = 4


class Counted(msgspec.Struct, frozen=True, gc=False):
    """What a call may use at most of the things that are sold each.

    `size` and `quality` are those of the images, None where the model chooses.
    """

    images: int = 0
    size: str | None = None
    quality: str | None = None
    characters: int = 0
    seconds: int = 0


def image_usage(fields: Any) -> Usage | None:
    """Return the tokens of an image model's `usage` object; None when it holds no count of them.

    Output is image output but for the text that the details name.
    """
    if not isinstance(fields, dict):
        return None
    made = _object(fields.get("output_tokens_details"))
    text = _count(made.get("text_tokens"))
    known = usage_from(
        {
            "prompt_tokens": fields.get("input_tokens"),
            "completion_tokens": fields.get("output_tokens"),
            "total_tokens": fields.get("total_tokens"),
            "prompt_tokens_details": _object(fields.get("input_tokens_details")),
        }
    )
    if known is None:
        return None
    output = min(text, known.output)
    return replace(
        known,
        output=output,
        image_output=known.output - output,
        clamped=known.clamped or output < text,
    )


def with_drawing(usage: Usage, fields: Any) -> Usage:
    """Return the usage with the tokens of the model that wrote an SVG, which are billed beside it."""
    drawn = _token_usage(fields)
    if drawn is None:
        return usage
    return replace(
        usage,
        input=usage.input + drawn.input,
        output=usage.output + drawn.output,
        reasoning=usage.reasoning + drawn.reasoning,
        clamped=usage.clamped or drawn.clamped,
    )


def sum_of_images(earlier: Usage | None, later: Usage) -> Usage:
    """Return the usage of two images of one streamed call.

    Each event says the output tokens of its own image; the input is that of the request.
    """
    if earlier is None:
        return later
    return replace(
        earlier,
        input=max(earlier.input, later.input),
        cache_read=max(earlier.cache_read, later.cache_read),
        image_input=max(earlier.image_input, later.image_input),
        output=earlier.output + later.output,
        image_output=earlier.image_output + later.image_output,
        clamped=earlier.clamped or later.clamped,
    )


def images_made(count: int, most: int, size: str, quality: str, known: Usage | None) -> Usage:
    """Return the usage with the images that were made, at most those that were asked for."""
    made = min(count, most)
    return replace(
        known or Usage(),
        images=(ImageCount(size, quality, made),) if made else (),
        clamped=made < count or (known is not None and known.clamped),
    )


def speech_usage(fields: Any) -> Usage | None:
    """Return the tokens of a speech model's `usage` object: its output is sound."""
    known = _token_usage(fields)
    if known is None:
        return None
    return replace(known, output=0, reasoning=0, audio_output=known.output)


def transcription_usage(fields: Any) -> Usage | None:
    """Return the tokens of a transcription's `usage` object, in either vendor's spelling."""
    if not isinstance(fields, dict) or "prompt_tokens" not in fields:
        return _token_usage(fields)
    sent, made = _count(fields["prompt_tokens"]), _count(fields.get("completion_tokens"))
    heard = _count(_object(fields.get("prompt_tokens_details")).get("audio_tokens"))
    if heard and _count(fields.get("total_tokens")) == sent + made + heard:
        # Mistral counts the sound beside the prompt, and only the total says so.
        fields = {**fields, "prompt_tokens": sent + heard}
    return usage_from(fields)


def seconds_of(value: object) -> int | None:
    """Return a duration in whole seconds, rounded up; None when it is no number above zero."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        return None
    return math.ceil(min(value, SECONDS_MAX))


def text_tokens(text_bytes: int) -> int:
    """Return the tokens that so many bytes of text probably are."""
    return -(-text_bytes // _BYTES_PER_TOKEN)


def _token_usage(fields: Any) -> Usage | None:
    if not isinstance(fields, dict):
        return None
    details = fields.get("input_token_details") or fields.get("input_tokens_details")
    made = fields.get("output_tokens_details")
    if made is None and fields.get("reasoning_tokens") is not None:
        made = {"reasoning_tokens": fields["reasoning_tokens"]}
    return usage_from(
        {
            "prompt_tokens": fields.get("input_tokens"),
            "completion_tokens": fields.get("output_tokens"),
            "total_tokens": fields.get("total_tokens"),
            "prompt_tokens_details": _object(details),
            "completion_tokens_details": _object(made),
        }
    )


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: object) -> int:
    return value if type(value) is int and value > 0 else 0
