"""Owns what one item of the Responses protocol says: a message, a call, its result, reasoning.

Items of a request and of an answer are the same; reading never raises, whatever stands in them.
Must not know requests, answers or streams.
"""

from typing import Final

from msgspec import structs

from tollbridge.protocols.carriers import native
from tollbridge.protocols.conversation import (
    Call,
    Carrier,
    Image,
    Json,
    Opaque,
    Part,
    Reasoning,
    Result,
    Vendor,
    Wire,
)
from tollbridge.protocols.facts import text_or_none
from tollbridge.protocols.responses_media import ITEM, parts_of, rest_of

CALLS: Final = frozenset({"function_call", "custom_tool_call"})
RESULTS: Final = frozenset({"function_call_output", "custom_tool_call_output"})
REDACTED: Final = "redacted"
"""Stands for the item id of a foreign carrier without readable thoughts, for its vendor asks which."""

_CUSTOM: Final = "custom_tool_call"
_IMAGE: Final = "image_generation_call"
_IMAGE_FORMAT: Final = "png"


def is_message(item: Json) -> bool:
    """Say whether an item is a message; its type may be missing."""
    return item.get("type", "message") in ("message", None)


def part_of(item: Json) -> Part:
    """Return the one part that an item other than a message is."""
    kind = text_or_none(item.get("type")) or ""
    if kind in CALLS:
        return call_of(item)
    if kind in RESULTS:
        return _result(item)
    if kind == "reasoning":
        return reasoning_of(item)
    if kind == _IMAGE and text_or_none(item.get("result")):
        return _image(item)
    return Opaque(wire=Wire.RESPONSES, kind=kind, raw=item)


def call_of(item: Json) -> Call:
    """Return a call; arguments that are no text are taken for none."""
    custom = item.get("type") == _CUSTOM
    field = "input" if custom else "arguments"
    return Call(
        id=text_or_none(item.get("call_id")) or "",
        name=text_or_none(item.get("name")) or "",
        namespace=text_or_none(item.get("namespace")) or "",
        arguments=text_or_none(item.get(field)) or "",
        custom=custom,
        extra=rest_of(item, "type", "call_id", "name", "namespace", field),
    )


def _result(item: Json) -> Result:
    return Result(
        call_id=text_or_none(item.get("call_id")) or "",
        parts=parts_of(item.get("output")),
        custom=item.get("type") == _CUSTOM + "_output",
        extra=rest_of(item, "type", "call_id", "output"),
    )


def reasoning_of(item: Json) -> Reasoning:
    """Return what was thought: the summary where there is one, else the text itself."""
    summary, content = texts_in(item.get("summary")), texts_in(item.get("content"))
    carrier = carrier_of(item)
    redacted = carrier is not None and carrier.item_id == REDACTED
    if carrier is not None and redacted:
        carrier = structs.replace(carrier, item_id=None)
    extra = rest_of(item, "type", "summary", "content", "encrypted_content")
    if summary and content:
        extra["content"] = item["content"]
    return Reasoning(
        texts=summary or content,
        summary=bool(summary) or not content,
        redacted=redacted,
        carrier=carrier,
        extra=extra,
    )


def carrier_of(item: Json) -> Carrier | None:
    """Return the carrier in a reasoning item, perhaps that of another vendor."""
    sealed = text_or_none(item.get("encrypted_content"))
    return native(sealed, Vendor.OPENAI, text_or_none(item.get("id"))) if sealed else None


def texts_in(parts: object) -> list[str]:
    """Return the texts of summary or reasoning parts."""
    found = parts if isinstance(parts, list) else []
    return [one["text"] for one in found if isinstance(one, dict) and text_or_none(one.get("text"))]


def _image(item: Json) -> Image:
    form = text_or_none(item.get("output_format")) or _IMAGE_FORMAT
    return Image(
        data=item["result"], mime=f"image/{form}", extra={ITEM: rest_of(item, "result", "type")}
    )
