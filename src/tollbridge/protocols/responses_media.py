"""Owns how the Responses protocol writes the parts of a content: texts, images, files, sounds.

Reading never raises: what is not understood stays as it is. Must not know items or requests.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from tollbridge.protocols.conversation import (
    Audio,
    Citation,
    Document,
    Image,
    Json,
    Opaque,
    Part,
    Refusal,
    Text,
    Video,
    Wire,
)
from tollbridge.protocols.facts import text_or_none

ITEM: Final = "item"
"""The extra of a part that is an item of its own: what else the item said."""
CONTENT: Final = "content."
"""Begins the kind of an opaque part of a content; other opaque parts are whole items."""

_TEXTS: Final = frozenset({"input_text", "output_text", "text"})
_BASE64: Final = ";base64"
_SOUNDS: Final[Mapping[str, str]] = MappingProxyType({"mp3": "audio/mpeg"})
_CITATION: Final = ("type", "url", "title", "start_index", "end_index")


def rest_of(given: Json, *known: str) -> Json:
    """Return the fields that are none of the known ones, nulls left out."""
    return {name: value for name, value in given.items() if value is not None and name not in known}


def parts_of(content: object) -> list[Part]:
    """Return the parts of a content, a string or a list; empty for anything else."""
    if isinstance(content, str):
        return [Text(text=content)] if content else []
    found = content if isinstance(content, list) else []
    return [_part(one) for one in found if isinstance(one, dict)]


def _part(given: Json) -> Part:
    kind = text_or_none(given.get("type")) or ""
    if kind in _TEXTS and isinstance(given.get("text"), str):
        return _text(given)
    if kind == "refusal" and isinstance(given.get("refusal"), str):
        return Refusal(text=given["refusal"])
    if kind == "input_image":
        return _image(given)
    if kind == "input_file":
        return _document(given)
    sound = given.get("input_audio") if kind == "input_audio" else None
    if isinstance(sound, dict) and isinstance(sound.get("data"), str):
        form = text_or_none(sound.get("format")) or "wav"
        return Audio(data=sound["data"], mime=_SOUNDS.get(form, f"audio/{form}"))
    return Opaque(wire=Wire.RESPONSES, kind=CONTENT + kind, raw=given)


def _text(given: Json) -> Text:
    """Return a text with its citations; annotations that are no plain citations stay as they are."""
    said = given.get("annotations")
    notes = said if isinstance(said, list) else []
    citations = [found for found in map(citation_of, notes) if found is not None]
    extra = rest_of(given, "type", "text", "annotations")
    if not extra.get("logprobs"):
        extra.pop("logprobs", None)
    if [annotation(one) for one in citations] != notes:
        extra["annotations"] = notes
    return Text(text=given["text"], citations=citations, extra=extra)


def citation_of(note: object) -> Citation | None:
    """Return what a `url_citation` says, None for any other annotation."""
    if not isinstance(note, dict) or note.get("type") != "url_citation":
        return None
    url, start, end = text_or_none(note.get("url")), note.get("start_index"), note.get("end_index")
    if url is None:
        return None
    return Citation(
        url=url,
        title=text_or_none(note.get("title")) or "",
        start=start if type(start) is int else None,
        end=end if type(end) is int else None,
    )


def annotation(citation: Citation, length: int = 0) -> Json:
    """Return a citation as an annotation; without a place it is at the end of a text so long."""
    end = length if citation.end is None else citation.end
    start = end if citation.start is None else citation.start
    values = ("url_citation", citation.url, citation.title, start, end)
    return dict(zip(_CITATION, values, strict=True))


def split_data_url(url: str) -> tuple[str, str] | None:
    """Return (media type, base64) of a data URL with base64, None for any other text."""
    head, comma, data = url.partition(",")
    if not comma or not head.startswith("data:") or not head.endswith(_BASE64):
        return None
    return head[5 : -len(_BASE64)], data


def data_url(mime: str, data: str) -> str:
    """Return base64 data as a URL."""
    return f"data:{mime}{_BASE64},{data}"


def _image(given: Json) -> Image:
    url = text_or_none(given.get("image_url")) or ""
    mime, data = split_data_url(url) or ("", "")
    return Image(
        url="" if data else url,
        data=data,
        mime=mime,
        file_id=text_or_none(given.get("file_id")) or "",
        detail=text_or_none(given.get("detail")),
        extra=rest_of(given, "type", "image_url", "file_id", "detail"),
    )


def _document(given: Json) -> Document:
    raw = text_or_none(given.get("file_data")) or ""
    # Some clients send the bytes without the prefix; then they are of the kind that all take.
    mime, data = split_data_url(raw) or ("application/pdf" if raw else "", raw)
    return Document(
        url=text_or_none(given.get("file_url")) or "",
        data=data,
        mime=mime,
        file_id=text_or_none(given.get("file_id")) or "",
        name=text_or_none(given.get("filename")) or "",
        extra=rest_of(given, "type", "file_url", "file_data", "file_id", "filename"),
    )


def is_content(part: Part) -> bool:
    """Say whether a part stands in a message and is not an item itself."""
    if isinstance(part, Opaque):
        return part.kind.startswith(CONTENT)
    if isinstance(part, Image):
        return ITEM not in part.extra
    return isinstance(part, (Text, Refusal, Document, Audio, Video))


# ------------------------------------------------------------ writing


def content_of(parts: list[Part], *, assistant: bool) -> list[Json]:
    """Return parts as a content; those that are no content are left out."""
    found = [_written(part, assistant=assistant) for part in parts]
    return [one for one in found if one is not None]


def _written(part: Part, *, assistant: bool) -> Json | None:
    if isinstance(part, Text):
        return (
            output_text(part)
            if assistant
            else {"type": "input_text", "text": part.text, **part.extra}
        )
    if isinstance(part, Refusal):
        return {"type": "refusal", "refusal": part.text}
    if isinstance(part, Image):
        return image_part(part)
    if isinstance(part, Document):
        return _file_part(part)
    if isinstance(part, Audio):
        form = next((name for name, mime in _SOUNDS.items() if mime == part.mime), None)
        sound = {"data": part.data, "format": form or part.mime.removeprefix("audio/")}
        return {"type": "input_audio", "input_audio": sound}
    if isinstance(part, Opaque) and part.wire is Wire.RESPONSES:
        return part.raw
    return None


def output_text(text: Text) -> Json:
    """Return the text of an assistant's message as a part."""
    notes = [annotation(one, len(text.text)) for one in text.citations]
    return {"type": "output_text", "text": text.text, "annotations": notes, **text.extra}


def image_part(image: Image) -> Json:
    """Return an image as a part."""
    said = {
        "image_url": data_url(image.mime or "image/png", image.data) if image.data else image.url,
        "file_id": image.file_id,
        "detail": image.detail,
    }
    return {"type": "input_image", **{k: one for k, one in said.items() if one}, **image.extra}


def _file_part(document: Document) -> Json:
    fields: dict[str, Any] = {
        "filename": document.name,
        "file_data": data_url(document.mime, document.data) if document.data else "",
        "file_url": document.url,
        "file_id": document.file_id,
    }
    said = {name: value for name, value in fields.items() if value}
    return {"type": "input_file", **said, **document.extra}
