"""Owns single content blocks of the Anthropic protocol as parts of the neutral model.

The same blocks stand in requests and in answers. Citations that have no address stay in `extra` as
they were. Must not know turns, tools or streams.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from tollbridge.protocols.carriers import native
from tollbridge.protocols.chat_fields import boolean_in, list_in, object_in, rest_of, text_in
from tollbridge.protocols.conversation import (
    Call,
    Carrier,
    Citation,
    Document,
    Image,
    Json,
    Opaque,
    Part,
    Reasoning,
    Result,
    Text,
    Vendor,
    Wire,
)
from tollbridge.protocols.json_peek import FieldError

REDACTED: Final = "redacted_thinking"
"""Marks a carrier as the data of redacted thoughts: it must not come back as a signature."""

_ID: Final = re.compile(r"[A-Za-z0-9_-]+")
_ID_CHARS: Final = 24


def read_block(block: Any, where: str) -> Part:
    """Return the part that a block is; FieldError, with `where` in front, for what is malformed."""
    if not isinstance(block, dict):
        raise FieldError(where.rstrip("."), "an object with a type")
    kind = text_in(block, "type", where)
    if not kind:
        raise FieldError(f"{where}type", "the type of a content block")
    reader = _READERS.get(kind)
    if reader is None:
        return Opaque(wire=Wire.MESSAGES, kind=kind, raw=block)
    return reader(block, where)


def read_content(content: Any, where: str) -> list[Part]:
    """Return the parts of a content, which may be a plain text; FieldError."""
    if content is None:
        return []
    if isinstance(content, str):
        return [Text(text=content)]
    if not isinstance(content, list):
        raise FieldError(where.rstrip("."), "a string or an array of content blocks")
    return [read_block(block, f"{where}{index}.") for index, block in enumerate(content)]


def citation_of(raw: Any) -> Citation | None:
    """Return a citation that names an address, None for any other."""
    if not isinstance(raw, dict):
        return None
    url = raw.get("url") or raw.get("source")
    if not isinstance(url, str) or not url:
        return None
    title, quote = raw.get("title"), raw.get("cited_text")
    return Citation(
        url=url,
        title=title if isinstance(title, str) else "",
        quote=quote if isinstance(quote, str) else "",
    )


def citation_fields(citation: Citation) -> Json:
    """Return a citation as that of a search result; what only the vendor can know of it is empty."""
    return {
        "type": "web_search_result_location",
        "url": citation.url,
        "title": citation.title or None,
        "cited_text": citation.quote,
        "encrypted_index": "",
    }


def input_of(arguments: str, *, custom: bool) -> Json:
    """Return a call's arguments as the object that this protocol wants.

    Free text stands in one field; what is not an object is kept under a name, so that the call is
    not lost.
    """
    if custom:
        return {"input": arguments}
    if not arguments.strip():
        return {}
    try:
        value = msgspec.json.decode(arguments)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        value = None
    return value if isinstance(value, dict) else {"_raw": arguments}


def allowed_id(call_id: str) -> str:
    """Return a call's id if this protocol allows it, else always the same one derived from it."""
    if _ID.fullmatch(call_id):
        return call_id
    digest = hashlib.sha256(call_id.encode(errors="surrogatepass")).hexdigest()
    return f"toolu_{digest[:_ID_CHARS]}"


def _text(block: Json, where: str) -> Text:
    text = text_in(block, "text", where)
    if text is None:
        raise FieldError(f"{where}text", "a string")
    found = [citation_of(raw) for raw in list_in(block, "citations", where)]
    return Text(
        text=text,
        cache=object_in(block, "cache_control", where),
        citations=[citation for citation in found if citation is not None],
        extra=rest_of(block, "type", "text", "cache_control"),
    )


def _image(block: Json, where: str) -> Part:
    source = _source(block, where)
    cache = object_in(block, "cache_control", where)
    extra = rest_of(block, "type", "source", "cache_control")
    at = f"{where}source."
    match source.get("type"):
        case "base64":
            data, mime = _needed(source, "data", at), _needed(source, "media_type", at)
            return Image(data=data, mime=mime, cache=cache, extra=extra)
        case "url":
            return Image(url=_needed(source, "url", at), cache=cache, extra=extra)
        case "file":
            return Image(file_id=_needed(source, "file_id", at), cache=cache, extra=extra)
    return Opaque(wire=Wire.MESSAGES, kind="image", raw=block)


def _document(block: Json, where: str) -> Part:
    source = _source(block, where)
    at = f"{where}source."
    part = Document(
        name=text_in(block, "title", where) or "",
        cache=object_in(block, "cache_control", where),
        extra=rest_of(block, "type", "source", "title", "cache_control"),
    )
    match source.get("type"):
        case "base64":
            part.data, part.mime = _needed(source, "data", at), _needed(source, "media_type", at)
        case "text":
            part.text = _needed(source, "data", at)
            part.mime = text_in(source, "media_type", at) or "text/plain"
        case "url":
            part.url = _needed(source, "url", at)
        case "file":
            part.file_id = _needed(source, "file_id", at)
        case _:
            return Opaque(wire=Wire.MESSAGES, kind="document", raw=block)
    return part


def _thinking(block: Json, where: str) -> Reasoning:
    signature = text_in(block, "signature", where)
    carrier = native(signature, Vendor.ANTHROPIC) if signature else None
    return Reasoning(
        texts=[text] if (text := text_in(block, "thinking", where)) else [],
        # What another vendor showed of its thoughts to a client of ours was a summary.
        summary=carrier is not None and carrier.vendor is Vendor.OPENAI,
        redacted=carrier is not None and carrier.item_id == REDACTED,
        carrier=carrier,
        extra=rest_of(block, "type", "thinking", "signature"),
    )


def _redacted(block: Json, where: str) -> Reasoning:
    data = _needed(block, "data", where)
    return Reasoning(texts=[], redacted=True, carrier=redacted_carrier(data))


def redacted_carrier(data: str) -> Carrier:
    """Return the carrier of redacted thoughts."""
    return native(data, Vendor.ANTHROPIC, REDACTED)


def _call(block: Json, where: str) -> Call:
    return Call(
        id=_needed(block, "id", where),
        name=_needed(block, "name", where),
        arguments=msgspec.json.encode(object_in(block, "input", where) or {}).decode(),
        cache=object_in(block, "cache_control", where),
        extra=rest_of(block, "type", "id", "name", "input", "cache_control"),
    )


def _result(block: Json, where: str) -> Result:
    return Result(
        call_id=_needed(block, "tool_use_id", where),
        parts=read_content(block.get("content"), f"{where}content."),
        failed=boolean_in(block, "is_error", where) or False,
        cache=object_in(block, "cache_control", where),
        extra=rest_of(block, "type", "tool_use_id", "content", "is_error", "cache_control"),
    )


def _source(block: Json, where: str) -> Json:
    source = object_in(block, "source", where)
    if source is None:
        raise FieldError(f"{where}source", "an object")
    return source


def _needed(given: Json, name: str, where: str) -> str:
    value = text_in(given, name, where)
    if value is None:
        raise FieldError(where + name, "a string")
    return value


_READERS: Final[dict[str, Callable[[Json, str], Part]]] = {
    "text": _text,
    "image": _image,
    "document": _document,
    "thinking": _thinking,
    "redacted_thinking": _redacted,
    "tool_use": _call,
    "tool_result": _result,
}
