"""Owns the reading of one Gemini part into the neutral model, for requests and answers alike.

It never raises: a part that the model has no name for becomes an opaque one. Must not know turns.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from tollbridge.protocols.conversation import (
    Audio,
    Call,
    Carrier,
    Document,
    Image,
    Json,
    Opaque,
    Part,
    Reasoning,
    Result,
    Text,
    Video,
    Wire,
)
from tollbridge.protocols.gemini_names import spelled
from tollbridge.protocols.gemini_parts import PAYLOADS, objects
from tollbridge.protocols.gemini_signature import carrier_of, signature_of

FILE_HOSTS: Final = ("gs://", "https://generativelanguage.googleapis.com/")
"""Where files are kept that only Google's own models can read."""

_VIDEO_HOSTS: Final = ("https://www.youtube.com/", "https://youtu.be/", "https://youtube.com/")
_KEPT: Final = frozenset({"text", "thought", "thoughtSignature", *PAYLOADS})


def read_part(given: Json) -> Part:
    """Return what a part says. Its unknown fields are in `extra`, in camelCase."""
    part = spelled(given)
    signature = part.get("thoughtSignature")
    carrier, redacted = carrier_of(signature) if isinstance(signature, str) else (None, False)
    extra = {name: value for name, value in part.items() if name not in _KEPT}
    thought = part.get("thought") is True
    kinds = [name for name in PAYLOADS if isinstance(part.get(name), dict)]
    if not kinds and isinstance(part.get("text"), str):
        if thought:
            return _thought(part["text"], carrier, extra, redacted=redacted)
        return Text(text=part["text"], carrier=carrier, extra=extra)
    if len(kinds) == 1 and not part.get("text"):
        if thought:
            extra["thought"] = True
        read = _READERS.get(kinds[0])
        made = read(spelled(part[kinds[0]]), carrier, extra) if read else None
        if made is not None:
            return made
    kind = kinds[0] if kinds else next(iter(extra), "part")
    return Opaque(wire=Wire.GEMINI, kind=kind, raw=part)


def joined_thoughts(parts: list[Part]) -> list[Part]:
    """Return the parts with thoughts that follow one another as one, up to a signature.

    A stream cuts one thought into many parts, and some clients send them back like that.
    """
    joined: list[Part] = []
    for part in parts:
        last = joined[-1] if joined else None
        if (
            isinstance(part, Reasoning)
            and isinstance(last, Reasoning)
            and last.carrier is None
            and part.extra == last.extra
        ):
            text = "".join([*last.texts, *part.texts])
            joined[-1] = msgspec.structs.replace(part, texts=[text] if text else [])
        else:
            joined.append(part)
    return joined


def _thought(text: str, carrier: Carrier | None, extra: Json, *, redacted: bool) -> Reasoning:
    return Reasoning(
        texts=[text] if text else [], summary=True, redacted=redacted, carrier=carrier, extra=extra
    )


def _call(call: Json, carrier: Carrier | None, extra: Json) -> Part | None:
    name, args = call.get("name"), call.get("args")
    if not isinstance(name, str) or not name or not isinstance(args, (dict, type(None))):
        return None
    rest = {key: value for key, value in call.items() if key not in {"id", "name", "args"}}
    if rest:
        extra["functionCall"] = rest
    return Call(
        id=_text(call.get("id")),
        name=name,
        arguments=msgspec.json.encode(args or {}).decode(),
        carrier=carrier,
        extra=extra,
    )


def _result(result: Json, carrier: Carrier | None, extra: Json) -> Part | None:
    name, response = result.get("name"), result.get("response")
    if not isinstance(name, str) or not isinstance(response, (dict, type(None))):
        return None
    rest = {k: v for k, v in result.items() if k not in {"id", "name", "response", "parts"}}
    if rest:
        extra["functionResponse"] = rest
    _sign(extra, carrier)
    response = response or {}
    extra["response"] = response
    said, failed = _said(response)
    media = [read_part(part) for part in objects(result.get("parts"))]
    return Result(
        call_id=_text(result.get("id")),
        name=name,
        parts=[*([Text(text=said)] if said else []), *media],
        failed=failed,
        extra=extra,
    )


def _said(response: Json) -> tuple[str, bool]:
    """Return the text of a function's response and whether it is an error, by Google's habits."""
    if len(response) == 1:
        for name in ("result", "output", "error"):
            if name in response:
                value = response[name]
                text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
                return text, name == "error"
    return msgspec.json.encode(response).decode() if response else "", False


def _inline(blob: Json, carrier: Carrier | None, extra: Json) -> Part | None:
    data, mime = blob.get("data"), _text(blob.get("mimeType"))
    if not isinstance(data, str):
        return None
    name = _text(blob.get("displayName"))
    if mime.startswith("image/"):
        return Image(data=data, mime=mime, carrier=carrier, extra=_named(extra, name))
    _sign(extra, carrier)
    if mime.startswith("audio/"):
        return Audio(data=data, mime=mime, extra=_named(extra, name))
    if mime.startswith("video/"):
        return Video(data=data, mime=mime, extra=_named(extra, name))
    return Document(data=data, mime=mime, name=name, extra=extra)


def _file(file: Json, carrier: Carrier | None, extra: Json) -> Part | None:
    uri, mime = file.get("fileUri"), _text(file.get("mimeType"))
    if not isinstance(uri, str) or not uri or mime.startswith("audio/"):
        return None
    name = _text(file.get("displayName"))
    url, kept = ("", uri) if uri.startswith(FILE_HOSTS) else (uri, "")
    if mime.startswith("image/"):
        extra = _named(extra, name)
        return Image(url=url, file_id=kept, mime=mime, carrier=carrier, extra=extra)
    _sign(extra, carrier)
    if mime.startswith("video/") or uri.startswith(_VIDEO_HOSTS):
        return Video(url=uri, mime=mime, extra=_named(extra, name))
    return Document(url=url, file_id=kept, mime=mime, name=name, extra=extra)


def _named(extra: Json, name: str) -> Json:
    return {**extra, "displayName": name} if name else extra


def _sign(extra: Json, carrier: Carrier | None) -> None:
    """Keep the signature of a part that has no place for a carrier."""
    if carrier is not None:
        extra["thoughtSignature"] = signature_of(carrier)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


_Reader = Callable[[Json, Carrier | None, Json], Part | None]

_READERS: Final[dict[str, _Reader]] = {
    "functionCall": _call,
    "functionResponse": _result,
    "inlineData": _inline,
    "fileData": _file,
}
