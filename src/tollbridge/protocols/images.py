"""Owns bodies of the image endpoints: generations, edits and variations.

Requests are JSON or forms; the pictures themselves are never decoded. Must not know accounts or
prices.
"""

import re
from typing import Any, Final, Literal

import msgspec

from tollbridge.protocols.blobs import BlobScan
from tollbridge.protocols.facts import ReplyFacts, fault_from, text_or_none
from tollbridge.protocols.json_peek import FieldError
from tollbridge.protocols.media_request import Refused, Source, image_blobs, model_of
from tollbridge.protocols.media_usage import (
    Counted,
    image_usage,
    images_made,
    text_tokens,
    with_drawing,
)
from tollbridge.protocols.multipart import Form
from tollbridge.protocols.usage import Usage

Operation = Literal["generations", "edits", "variations"]

COPIES_MAX: Final = 128
"""Images of one call where the operator set no limit."""

AUTO: Final = "auto"

# Models of this family draw this where nothing is asked for, and their answers do not say so.
_FIXED_FAMILY: Final = "dall-e"
_FIXED_SIZE: Final = "1024x1024"
_FIXED_QUALITY: Final = "standard"

# Output tokens of a square image, and input tokens of one, for estimates.
_TOKENS_BY_QUALITY: Final = {"low": 272, "medium": 1_056, "high": 4_160}
_TOKENS_USUAL: Final = 1_056
_TOKENS_OF_INPUT_IMAGE: Final = 300


class ImageAsk(msgspec.Struct, frozen=True, gc=False):
    """What the gate needs to know of an image request. `n` is as the client wrote it: check it."""

    operation: Operation
    model: str
    n: int
    size: str | None
    """None where the model chooses."""
    quality: str | None
    """None where the model chooses."""
    prompt_chars: int
    prompt_bytes: int
    response_format: str | None
    output_format: str | None
    stream: bool
    partial_images: int
    blobs: BlobScan
    """Images that go in, for the input bound."""


class ImageLimits(msgspec.Struct, frozen=True, gc=False):
    """What a model offers: sizes (empty: any), images a call and characters a prompt (0: no limit)."""

    sizes: tuple[str, ...] = ()
    n_max: int = 0
    prompt_max: int = 0


class _Item(msgspec.Struct):
    b64_json: msgspec.Raw = msgspec.Raw(b"null")
    url: Any = None


class _Reply(msgspec.Struct):
    data: list[_Item] | None = None
    model: Any = None
    size: Any = None
    quality: Any = None
    usage: Any = None
    svg_usage: Any = None
    error: Any = None


_REPLY = msgspec.json.Decoder(_Reply)
_WORD: Final = re.compile(r"[0-9A-Za-z.:_-]{1,24}")


def read_ask(source: Source, operation: Operation) -> ImageAsk:
    """Read a request; raises FieldError for a missing or wrongly typed field.

    A missing prompt and an absurd `n` are left to `check_image`, which knows their codes.
    """
    model = model_of(source)
    if operation != "generations" and isinstance(source, Form) and not source.files("image"):
        raise FieldError("image", "an image file")
    prompt = source.text("prompt") or ""
    fixed = model.startswith(_FIXED_FAMILY)
    n = source.integer("n")
    return ImageAsk(
        operation=operation,
        model=model,
        n=1 if n is None else n,
        size=_chosen(source, "size", _FIXED_SIZE if fixed else None),
        quality=_chosen(source, "quality", _FIXED_QUALITY if fixed else None),
        prompt_chars=len(prompt),
        prompt_bytes=len(prompt.encode()),
        response_format=source.text("response_format"),
        output_format=source.text("output_format"),
        stream=source.boolean("stream") or False,
        partial_images=source.integer("partial_images") or 0,
        blobs=image_blobs(source),
    )


def _chosen(source: Source, name: str, default: str | None) -> str | None:
    value = source.text(name)
    if value is None or value == AUTO:
        return default
    if _WORD.fullmatch(value) is None:
        raise FieldError(name, "a short word")
    return value


def _word(value: Any) -> str | None:
    """Return what an answer says when it can be a size or quality: it gets onto the bill."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def check_image(ask: ImageAsk, limits: ImageLimits) -> None:
    """Raise Refused for what the model does not offer, with the code of errors.md.

    A size that the model is to choose itself is not refused.
    """
    if not ask.prompt_chars and ask.operation != "variations":
        raise Refused("prompt_missing", "prompt", "prompt is required")
    if limits.prompt_max and ask.prompt_chars > limits.prompt_max:
        raise Refused(
            "prompt_too_long", "prompt", f"prompt is longer than {limits.prompt_max} characters"
        )
    n_max = limits.n_max or COPIES_MAX
    if not 1 <= ask.n <= n_max:
        raise Refused("n_not_within_range", "n", f"n must be between 1 and {n_max}")
    if ask.size is not None and limits.sizes and ask.size not in limits.sizes:
        offered = ", ".join(limits.sizes)
        raise Refused("size_not_supported", "size", f"size not supported; it may be {offered}")


def counted(ask: ImageAsk) -> Counted:
    """Return what a call may use at most of the things that are sold each."""
    return Counted(images=ask.n, size=ask.size, quality=ask.quality)


def read_reply(body: bytes, _content_type: bytes, ask: ImageAsk) -> ReplyFacts:
    """Read a whole answer. Never raises: what is no list of images has no facts."""
    try:
        reply = _REPLY.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ReplyFacts()
    made = sum(1 for item in reply.data or () if _is_image(item))
    usage = tokens = image_usage(reply.usage)
    if made:
        usage = made_usage(ask, made, reply.size, reply.quality, tokens)
        usage = with_drawing(usage, reply.svg_usage)
    return ReplyFacts(
        model=text_or_none(reply.model),
        usage=usage,
        usage_seen=tokens is not None,
        finished=reply.data is not None,
        empty=not made,
        error=fault_from(reply.error),
    )


def made_usage(ask: ImageAsk, made: int, size: Any, quality: Any, tokens: Usage | None) -> Usage:
    """Return the usage of so many images; what the client chose goes before what the answer says."""
    return images_made(
        made,
        ask.n,
        ask.size or _word(size) or AUTO,
        ask.quality or _word(quality) or AUTO,
        tokens,
    )


def estimate(ask: ImageAsk) -> Usage:
    """Return what a call probably used of which the upstream said nothing."""
    each = _TOKENS_BY_QUALITY.get(ask.quality or AUTO, _TOKENS_USUAL)
    usage = Usage(
        input=text_tokens(ask.prompt_bytes),
        image_input=ask.blobs.count * _TOKENS_OF_INPUT_IMAGE,
        image_output=each * ask.n,
    )
    return made_usage(ask, ask.n, None, None, usage)


def _is_image(item: _Item) -> bool:
    start = bytes(memoryview(item.b64_json)[:2])
    return (start.startswith(b'"') and start != b'""') or bool(text_or_none(item.url))
