"""Owns the pretend vendor's image endpoints: generations, edits and variations.

Pure: values in, bytes out. GPT image models count tokens and always give base64; DALL-E models
count nothing and give a link unless they are told otherwise. It must not know of HTTP.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import msgspec

from tollbridge.demo.fake_form import Form
from tollbridge.demo.fake_openai import Event
from tollbridge.demo.fake_samples import PNG_BASE64
from tollbridge.demo.fake_script import BadAsk, Script
from tollbridge.demo.fake_speech import prompt_tokens

_encode = msgspec.json.encode
_READ_TOKENS = 194
_LOW, _MEDIUM, _HIGH = (272, 408), (1_056, 1_584), (4_160, 6_240)
_BY_QUALITY = {"low": _LOW, "medium": _MEDIUM, "high": _HIGH}


class ImagesAsk(msgspec.Struct, frozen=True):
    """What is asked for, as JSON or as a form. `images` are references to read, `mask` is ignored."""

    model: str = "dall-e-2"
    prompt: str = ""
    n: Annotated[int, msgspec.Meta(ge=1, le=10)] | None = None
    size: str | None = None
    quality: str | None = None
    response_format: str | None = None
    output_format: str | None = None
    background: str | None = None
    stream: bool | None = None
    partial_images: int | None = None
    images: list[Any] = []
    fake: msgspec.Raw = msgspec.Raw()

    @property
    def counts_tokens(self) -> bool:
        """Whether the model is one of those that count tokens."""
        return self.model.startswith(("gpt-image", "chatgpt-image"))


decoder = msgspec.json.Decoder(ImagesAsk)


def of_form(form: Form) -> ImagesAsk:
    """Return what a form asks for; BadAsk when a number is none."""
    files = [file.name for file in form.files if file.field == "image"]
    return ImagesAsk(
        model=form.text("model", "dall-e-2"),
        prompt=form.text("prompt"),
        n=form.count("n", 1),
        size=form.text("size") or None,
        quality=form.text("quality") or None,
        response_format=form.text("response_format") or None,
        stream=form.text("stream") == "true",
        partial_images=form.count("partial_images", 0),
        images=files,
        fake=msgspec.Raw(form.text("fake").encode()),
    )


def check(asked: ImagesAsk, kind: str) -> None:
    """Refuse what the vendor refuses; BadAsk says why."""
    if not asked.prompt and kind != "variations":
        raise BadAsk("Missing required parameter: 'prompt'.")
    if kind != "generations" and not asked.images:
        raise BadAsk("Missing required parameter: 'image'.")
    if asked.counts_tokens and asked.response_format is not None:
        raise BadAsk("Unknown parameter: 'response_format'.")


def spent(asked: ImagesAsk, script: Script) -> int:
    """Return the output tokens of all images; `tokens` of a script are those of one."""
    if not asked.counts_tokens:
        return 0
    square = asked.size in {None, "auto", "1024x1024"}
    usual = _BY_QUALITY.get(asked.quality or "low", _LOW)[0 if square else 1]
    each = usual if script.tokens is None else script.tokens
    return each * (asked.n or 1)


def unary(asked: ImagesAsk, script: Script, created: int) -> bytes:
    """Return all images in one answer."""
    whole: dict[str, Any] = {"created": created}
    whole["data"] = [_image(asked, at) for at in range(asked.n or 1)]
    if asked.counts_tokens:
        whole |= _looks(asked)
        if script.usage != "none":
            whole["usage"] = _usage(asked, script)
    return _encode(whole)


def stream(asked: ImagesAsk, script: Script, created: int, kind: str) -> Iterator[Event]:
    """Yield the events of a streamed image: partial ones as asked for, then the whole one."""
    prefix = "image_generation" if kind == "generations" else "image_edit"
    pause = script.event_delay_ms
    looks = {"b64_json": PNG_BASE64, "created_at": created, **_looks(asked)}
    for at in range(asked.partial_images or 0):
        event = _event(f"{prefix}.partial_image", {**looks, "partial_image_index": at})
        yield Event(event, 0, pause if at else 0)
    final = {**looks, "usage": _usage(asked, script)} if script.usage != "none" else looks
    yield Event(_event(f"{prefix}.completed", final), spent(asked, script), pause)


def _event(name: str, fields: Mapping[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), _encode({"type": name, **fields}))


def _looks(asked: ImagesAsk) -> dict[str, str]:
    size = asked.size if asked.size not in {None, "auto"} else "1024x1024"
    quality = asked.quality if asked.quality not in {None, "auto"} else "low"
    return {
        "background": asked.background if asked.background == "transparent" else "opaque",
        "output_format": asked.output_format or "png",
        "quality": str(quality),
        "size": str(size),
    }


def _image(asked: ImagesAsk, at: int) -> dict[str, Any]:
    if asked.counts_tokens or asked.response_format == "b64_json":
        image: dict[str, Any] = {"b64_json": PNG_BASE64}
    else:
        image = {"url": f"https://images.example/fake{at}.png"}
    return {**image, "revised_prompt": asked.prompt} if asked.model == "dall-e-3" else image


def _usage(asked: ImagesAsk, script: Script) -> dict[str, Any] | None:
    if script.usage == "null":
        return None
    text = prompt_tokens(asked.prompt.encode())
    text = text if script.prompt_tokens is None else script.prompt_tokens
    read, made = _READ_TOKENS * len(asked.images), spent(asked, script)
    if script.usage == "nonsense":
        text, read, made = -7, -3, -5
    usage: dict[str, Any] = {
        "input_tokens": text + read,
        "input_tokens_details": {"text_tokens": text, "image_tokens": read},
        "output_tokens": made,
        "total_tokens": text + read + made,
    }
    if script.usage != "no_details":
        usage["output_tokens_details"] = {"image_tokens": made, "text_tokens": 0}
    return usage
