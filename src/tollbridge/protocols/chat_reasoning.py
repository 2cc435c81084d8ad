"""Owns reasoning in chat messages: its text, and the details that carry it byte for byte.

The protocol has no place for reasoning. Text stands in `reasoning_content` (or `reasoning`), blocks
with what their vendor signed or encrypted in `reasoning_details`, a Gemini signature in
`extra_content.google` (protocols.md 5.7). Must not know requests, answers or streams.
"""

from types import MappingProxyType
from typing import Any

from tollbridge.protocols.carriers import native, opened, sealed
from tollbridge.protocols.conversation import Carrier, Json, Reasoning, Vendor
from tollbridge.protocols.facts import text_or_none

PARAGRAPHS = "\n\n"
"""What stands between two paragraphs of reasoning where there is only one text."""

REASONING_FIELDS = ("reasoning_content", "reasoning", "reasoning_details")
"""The fields of a message in which reasoning stands, in vendors' different habits."""

_FORMATS = MappingProxyType(
    {
        Vendor.OPENAI: "openai-responses-v1",
        Vendor.ANTHROPIC: "anthropic-claude-v1",
        Vendor.GEMINI: "google-gemini-v1",
    }
)
_VENDORS = (
    ("openai", Vendor.OPENAI),
    ("azure-openai", Vendor.OPENAI),
    ("anthropic", Vendor.ANTHROPIC),
    ("google", Vendor.GEMINI),
)


def reasoning_text(message: Json) -> str:
    """Return the readable reasoning of a message or delta outside of its details."""
    return (
        text_or_none(message.get("reasoning_content"))
        or text_or_none(message.get("reasoning"))
        or ""
    )


def detail_list(message: Json) -> list[Json]:
    """Return the reasoning details of a message or delta that are objects."""
    details = message.get("reasoning_details")
    return [one for one in details if isinstance(one, dict)] if isinstance(details, list) else []


def detail_text(detail: Json) -> str:
    """Return the readable text of one detail."""
    return text_or_none(detail.get("text")) or text_or_none(detail.get("summary")) or ""


def detail_carrier(detail: Json) -> Carrier | None:
    """Return what a vendor signed or encrypted in a detail; None where nobody knows whose it is."""
    payload = text_or_none(detail.get("signature")) or text_or_none(detail.get("data"))
    if payload is None:
        return None
    form = text_or_none(detail.get("format")) or ""
    for start, vendor in _VENDORS:
        if form.startswith(start):
            return native(payload, vendor, text_or_none(detail.get("id")))
    return opened(payload)


def google_carrier(holder: Json) -> Carrier | None:
    """Return the Gemini signature in the `extra_content` of a message, delta or call."""
    extra = holder.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    payload = text_or_none(google.get("thought_signature")) if isinstance(google, dict) else None
    return None if payload is None else native(payload, Vendor.GEMINI)


def google_content(carrier: Carrier) -> Json:
    """Return the `extra_content` that holds a Gemini signature."""
    return {"google": {"thought_signature": carrier.payload}}


def reasoning_parts(message: Json) -> list[Reasoning]:
    """Return all reasoning of a whole message, block by block."""
    parts: list[Reasoning] = []
    for detail in detail_list(message):
        _add_detail(parts, detail)
    text = reasoning_text(message)
    if text and not any(part.texts for part in parts):
        signed = [part for part in parts if part.carrier and not part.redacted]
        if len(parts) == len(signed) == 1:
            signed[0].texts = [text]
        else:
            parts.insert(0, Reasoning(texts=[text]))
    return [part for part in parts if part.texts or part.carrier]


def _add_detail(parts: list[Reasoning], detail: Json) -> None:
    text, carrier = detail_text(detail), detail_carrier(detail)
    summary = detail.get("type") == "reasoning.summary"
    last = parts[-1] if parts else None
    if last is not None and last.carrier is None and carrier is not None and not text:
        # An encrypted item of OpenAI's comes after its summary; the two are one item.
        if carrier.vendor is Vendor.OPENAI:
            last.carrier = carrier
            return
    elif summary and last is not None and last.summary and last.carrier is None:
        last.texts.append(text)
        return
    redacted = not text and carrier is not None and detail.get("type") == "reasoning.encrypted"
    parts.append(
        Reasoning(
            texts=[text] if text else [],
            summary=summary,
            redacted=redacted and carrier is not None and carrier.vendor is Vendor.ANTHROPIC,
            carrier=carrier,
        )
    )


def details_of(reasoning: Reasoning, at: int) -> list[Json]:
    """Return the details that carry a block of reasoning, numbered from `at`; none without a carrier."""
    carrier = reasoning.carrier
    if carrier is None:
        return []
    form = _FORMATS[carrier.vendor]
    text = PARAGRAPHS.join(reasoning.texts)
    if carrier.vendor is Vendor.ANTHROPIC and not reasoning.redacted:
        fields: Json = {"text": text, "signature": sealed(carrier)}
        return [_detail("reasoning.text", form, at, fields)]
    details: list[Json] = []
    for paragraph in reasoning.texts:
        field = "summary" if reasoning.summary else "text"
        details.append(_detail(f"reasoning.{field}", form, at + len(details), {field: paragraph}))
    last: dict[str, Any] = {"data": sealed(carrier)}
    details.append(_detail("reasoning.encrypted", form, at + len(details), last))
    return details


def _detail(kind: str, form: str, at: int, fields: Json) -> Json:
    return {"type": kind, **fields, "format": form, "index": at}
