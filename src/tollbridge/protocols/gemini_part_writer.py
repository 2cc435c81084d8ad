"""Owns the writing of parts in Gemini's words, for requests and answers alike.

It raises Untranslatable for what a model would not see otherwise. Must not know turns, tools or
whole answers.
"""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import Final

import msgspec

from tollbridge.protocols.conversation import Audio, Call, Document, Image, Json, Video
from tollbridge.protocols.gemini_part_reader import FILE_HOSTS
from tollbridge.protocols.gemini_signature import signature_of
from tollbridge.protocols.losses import Untranslatable

Media = Image | Document | Audio | Video

_HEADS: Final = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF", "application/pdf"),
)
_OUTSIDE: Final = (
    "This model's vendor fetches no files from the web; send the file's content as base64."
)
_FOREIGN_FILE: Final = (
    "A file kept at another vendor's cannot be read here; send the file's content as base64."
)


def arguments_object(arguments: str) -> Json:
    """Return a call's arguments as an object; text that is none is kept under `_raw`."""
    if not arguments.strip():
        return {}
    value = parsed_object(arguments)
    return {"_raw": arguments} if value is None else value


def parsed_object(arguments: str) -> Json | None:
    """Return the object that a text says, None when it does not."""
    try:
        value = msgspec.json.decode(arguments)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def call_part(call: Call, name: str, *, free_text: bool) -> Json:
    """Return a call as a part; `free_text`: its tool takes one string field `input` here."""
    args = {"input": call.arguments} if free_text else arguments_object(call.arguments)
    made: Json = {"name": name, "args": args}
    if call.id:
        made["id"] = call.id
    part: Json = {"functionCall": made}
    if call.carrier is not None:
        part["thoughtSignature"] = signature_of(call.carrier)
    return part


def media_part(media: Media, field: str, *, anywhere: bool = False) -> Json:
    """Return an image, document, sound or video; `anywhere`: its address was Gemini's own to say.

    Nothing is ever fetched (protocols.md 5.4). Raises Untranslatable with the field's name.
    """
    name = media.extra.get("displayName", "") if anywhere else ""
    if anywhere and isinstance(media, Document):
        name = media.name
    if isinstance(media, Document) and media.text and not media.data:
        data = b64encode(media.text.encode(errors="replace")).decode()
        return {"inlineData": _named({"mimeType": "text/plain", "data": data}, name)}
    if media.data:
        mime = media.mime or _mime(media.data, media)
        return {"inlineData": _named({"mimeType": mime, "data": media.data}, name)}
    url = getattr(media, "url", "")
    uri = getattr(media, "file_id", "") or url
    if not uri:
        raise Untranslatable(field, "A file has no content.")
    if not anywhere and not uri.startswith(FILE_HOSTS):
        raise Untranslatable(field, _OUTSIDE if url else _FOREIGN_FILE)
    file = {"fileUri": uri, "mimeType": media.mime} if media.mime else {"fileUri": uri}
    return {"fileData": _named(file, name)}


def _named(blob: Json, name: str) -> Json:
    return blob | ({"displayName": name} if name else {})


def _mime(data: str, media: Media) -> str:
    """Return what the first bytes say a file is, else what its kind mostly is."""
    try:
        head = b64decode(data[:24])
    except (Base64Error, ValueError):
        head = b""
    for start, mime in _HEADS:
        if head.startswith(start):
            return mime
    if head[8:12] == b"WEBP":
        return "image/webp"
    if isinstance(media, Image):
        return "image/png"
    if isinstance(media, Video):
        return "video/mp4"
    return "audio/wav" if isinstance(media, Audio) else "application/pdf"
