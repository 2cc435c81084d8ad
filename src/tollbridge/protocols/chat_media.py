"""Owns how the chat protocol writes media into JSON: data URLs, formats of sounds, parts of files.

What a medium is is taken from its bytes where they tell (protocols.md 5.4, rule 2). Must not know
messages or who may see what.
"""

import re
from base64 import b64encode
from types import MappingProxyType
from typing import Any

from tollbridge.protocols.conversation import Audio, Document, Image, Json, Video
from tollbridge.protocols.facts import text_or_none

_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
# How base64 of each kind begins.
_HEADS = MappingProxyType(
    {
        "iVBORw0KGgo": "image/png",
        "/9j/": "image/jpeg",
        "R0lGOD": "image/gif",
        "JVBERi": "application/pdf",
        "SUQz": "audio/mpeg",
        "//u": "audio/mpeg",
        "T2dnUw": "audio/ogg",
        "ZkxhQw": "audio/flac",
    }
)
# The kind of a RIFF file stands in bytes 8 to 11; these are the base64 of its last three letters.
_RIFF = "UklGR"
_RIFF_KINDS = MappingProxyType({"RUJQ": "image/webp", "QVZF": "audio/wav"})
_SOUNDS = MappingProxyType({"mp3": "audio/mpeg", "pcm16": "audio/L16;rate=24000"})
_FORMATS = MappingProxyType(
    {
        "audio/mpeg": "mp3",
        "audio/mp3": "mp3",
        "audio/wav": "wav",
        "audio/wave": "wav",
        "audio/x-wav": "wav",
        "audio/L16;rate=24000": "pcm16",
    }
)
_ENDINGS = MappingProxyType({"application/pdf": ".pdf", "text/plain": ".txt"})


def data_url(mime: str, data: str) -> str:
    """Return base64 data as a URL."""
    return f"data:{mime};base64,{data}"


def split_data_url(url: str) -> tuple[str, str] | None:
    """Return (media type, base64) of a data URL, None for any other text."""
    if url[:5].lower() != "data:":
        return None
    head, comma, data = url[5:].partition(",")
    if not comma:
        return None
    if head.lower().endswith(";base64"):
        return head[:-7], data
    return head or "text/plain", b64encode(_unquoted(data)).decode()


def _unquoted(data: str) -> bytes:
    """Return the bytes of a data URL that is not base64."""
    return _ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode()), data.encode())


def mime_of(data: str, said: str, default: str) -> str:
    """Return the media type of base64 data: what its first bytes say, else what was said."""
    if data.startswith(_RIFF) and data[12:16] in _RIFF_KINDS:
        return _RIFF_KINDS[data[12:16]]
    for head, mime in _HEADS.items():
        if data.startswith(head):
            return mime
    return said or default


def image_in(url: str, **fields: Any) -> Image:
    """Return the image that an `image_url` names."""
    inside = split_data_url(url)
    if inside is None:
        return Image(url=url, **fields)
    mime, data = inside
    return Image(data=data, mime=mime_of(data, mime, "image/png"), **fields)


def image_address(image: Image) -> str:
    """Return what stands in `image_url.url` for an image that is not a vendor's file."""
    return (
        data_url(mime_of(image.data, image.mime, "image/png"), image.data)
        if image.data
        else image.url
    )


def image_of_message(entry: object) -> Image | None:
    """Return an image of an answer's `images`; None for anything else."""
    inner = entry.get("image_url") if isinstance(entry, dict) else None
    url = text_or_none(inner.get("url") if isinstance(inner, dict) else inner)
    return None if url is None else image_in(url)


def video_in(url: str, **fields: Any) -> Video:
    """Return the video that a `video_url` names."""
    inside = split_data_url(url)
    if inside is None:
        return Video(url=url, **fields)
    return Video(data=inside[1], mime=inside[0] or "video/mp4", **fields)


def sound_in(data: str, form: str, **fields: Any) -> Audio:
    """Return a sound of base64 data, perhaps a data URL, in the protocol's own name of a format."""
    inside = split_data_url(data)
    said = _SOUNDS.get(form, f"audio/{form}") if form else ""
    if inside is not None:
        said, data = inside[0] or said, inside[1]
    return Audio(data=data, mime=said or mime_of(data, "", "audio/wav"), **fields)


def sound_format(mime: str) -> str:
    """Return the protocol's name of a sound's format; a strange one's subtype."""
    return _FORMATS.get(mime) or mime.removeprefix("audio/")


def document_in(file: Json, **fields: Any) -> Document | None:
    """Return the document of a `file` part, None when it holds none."""
    name = text_or_none(file.get("filename")) or ""
    data, file_id = text_or_none(file.get("file_data")), text_or_none(file.get("file_id"))
    if data is None:
        return None if file_id is None else Document(file_id=file_id, name=name, **fields)
    if data.startswith(("http://", "https://")):
        return Document(url=data, name=name, **fields)
    said = ""
    inside = split_data_url(data)
    if inside is not None:
        said, data = inside
    mime = mime_of(data, said, "application/pdf")
    return Document(data=data, mime=mime, name=name, file_id=file_id or "", **fields)


def file_of(document: Document) -> Json:
    """Return the `file` object of a document; a name is made up, because vendors want one."""
    if document.data:
        mime = mime_of(document.data, document.mime, "application/pdf")
        name = document.name or "document" + _ENDINGS.get(mime, "")
        return {"filename": name, "file_data": data_url(mime, document.data)}
    file: Json = {"filename": document.name} if document.name else {}
    if document.url:
        file["file_data"] = document.url
    if document.file_id:
        file["file_id"] = document.file_id
    return file
