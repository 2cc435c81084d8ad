"""Owns reading the messages of a chat request into turns (protocols.md 5.3, 5.4, 5.6).

Leading system and developer messages become the system prompt, later ones stay in their place.
What a message says beside the model's fields stays in `extra`, under the name it had. Must not
know the rest of a request.
"""

from typing import Any

from tollbridge.protocols.chat_fields import list_in, object_in, required, rest_of, text_in
from tollbridge.protocols.chat_media import document_in, image_in, sound_in, video_in
from tollbridge.protocols.chat_normal import arguments_text
from tollbridge.protocols.chat_reasoning import google_carrier, reasoning_parts
from tollbridge.protocols.conversation import (
    Call,
    Json,
    Opaque,
    Part,
    Refusal,
    Result,
    Text,
    Turn,
    Wire,
)
from tollbridge.protocols.json_peek import FieldError

_INSTRUCTING = ("system", "developer")
_TOOLS = ("tool", "function")
_SAID = ("role", "content", "name", "cache_control")


def read_messages(given: list[Any]) -> tuple[list[Text], list[Turn]]:
    """Return the system prompt and the turns; FieldError names what is malformed."""
    system: list[Text] = []
    turns: list[Turn] = []
    results: Turn | None = None
    for at, message in enumerate(given):
        where = f"messages[{at}]"
        if not isinstance(message, dict):
            raise FieldError(where, "an object")
        role = message.get("role")
        if role in _TOOLS:
            if results is None:
                results = Turn(role="user", parts=[])
                turns.append(results)
            results.parts.append(_result(message, where))
            continue
        results = None
        if role in _INSTRUCTING and not turns:
            system.extend(_leading(message, where))
        elif role in _INSTRUCTING or role == "user":
            turns.append(_spoken(message, where))
        elif role == "assistant":
            turns.append(_assistant(message, where))
        else:
            raise FieldError(f"{where}.role", "system, developer, user, assistant or tool")
    return system, turns


def _leading(message: Json, where: str) -> list[Text]:
    """Return the texts of a leading instruction.

    `extra.message` on the first one holds what else its message said, `extra.continues` on the
    others that they belong to the same message.
    """
    texts = _texts(message, where) or [Text(text="")]
    beside = rest_of(message, "content", "cache_control")
    if beside != {"role": "system"}:
        texts[0].extra = {**texts[0].extra, "message": beside}
    for text in texts[1:]:
        text.extra = {**text.extra, "continues": True}
    return texts


def _texts(message: Json, where: str) -> list[Text]:
    parts = _content(message, where)
    texts = [part for part in parts if isinstance(part, Text)]
    if len(texts) != len(parts):
        raise FieldError(f"{where}.content", "a string or text parts")
    return texts


def _spoken(message: Json, where: str) -> Turn:
    """Return a user's turn, or an instruction in the middle of the conversation."""
    name, extra = text_in(message, "name", f"{where}.") or "", rest_of(message, *_SAID)
    if message["role"] == "user":
        return Turn(role="user", parts=_content(message, where), name=name, extra=extra)
    if message["role"] == "developer":
        extra["role"] = "developer"
    parts: list[Part] = [*_texts(message, where)]
    return Turn(role="system", parts=parts, name=name, extra=extra)


def _assistant(message: Json, where: str) -> Turn:
    parts: list[Part] = [*reasoning_parts(message), *_content(message, where)]
    carrier = google_carrier(message)
    said = [part for part in parts if isinstance(part, Text)]
    if carrier is not None and said:
        said[-1].carrier = carrier
    refusal = text_in(message, "refusal", f"{where}.")
    if refusal:
        parts.append(Refusal(text=refusal))
    for at, image in enumerate(list_in(message, "images", f"{where}.")):
        parts.append(_part(image, f"{where}.images[{at}]"))
    audio = object_in(message, "audio", f"{where}.")
    if audio is not None:
        parts.append(Opaque(wire=Wire.CHAT, kind="audio", raw=audio))
    for at, entry in enumerate(list_in(message, "tool_calls", f"{where}.")):
        parts.append(_call(entry, f"{where}.tool_calls[{at}]"))
    legacy = object_in(message, "function_call", f"{where}.")
    if legacy is not None:
        call = _function_call("", legacy, f"{where}.function_call")
        call.extra = {"function_call": True}
        parts.append(call)
    return Turn(
        role="assistant",
        parts=parts,
        name=text_in(message, "name", f"{where}.") or "",
        extra=rest_of(message, *_SAID, "refusal", "images", "audio", "tool_calls", "function_call"),
    )


def _call(entry: Any, where: str) -> Call:
    if not isinstance(entry, dict):
        raise FieldError(where, "an object")
    call_id = text_in(entry, "id", f"{where}.") or ""
    custom = object_in(entry, "custom", f"{where}.")
    if custom is None:
        function = required(
            object_in(entry, "function", f"{where}."), f"{where}.function", "an object"
        )
        call = _function_call(call_id, function, f"{where}.function")
    else:
        name = required(
            text_in(custom, "name", f"{where}.custom."), f"{where}.custom.name", "a name"
        )
        said = text_in(custom, "input", f"{where}.custom.") or ""
        call = Call(id=call_id, name=name, arguments=said, custom=True)
    call.carrier = google_carrier(entry)
    call.extra = rest_of(entry, "id", "type", "function", "custom")
    return call


def _function_call(call_id: str, function: Json, where: str) -> Call:
    name = required(text_in(function, "name", f"{where}."), f"{where}.name", "a name")
    # Some clients send back the object that they have made of the text.
    return Call(id=call_id, name=name, arguments=arguments_text(function.get("arguments")))


def _result(message: Json, where: str) -> Result:
    extra = rest_of(message, "role", "content", "tool_call_id", "name", "cache_control")
    call_id = text_in(message, "tool_call_id", f"{where}.") or ""
    if message["role"] == "function":
        extra["role"] = "function"
    return Result(
        call_id=call_id,
        parts=_content(message, where),
        name=text_in(message, "name", f"{where}.") or "",
        extra=extra,
    )


def _content(message: Json, where: str) -> list[Part]:
    """Return the parts of a message's content; a cache hint of the message stands on the last one."""
    content = message.get("content")
    parts: list[Part] = []
    if isinstance(content, str):
        parts = [Text(text=content)] if content else []
    elif isinstance(content, list):
        parts = [_part(one, f"{where}.content[{at}]") for at, one in enumerate(content)]
    elif content is not None:
        raise FieldError(f"{where}.content", "a string or an array of parts")
    hint = object_in(message, "cache_control", f"{where}.")
    last = parts[-1] if parts else None
    if hint is not None and isinstance(last, Text) and last.cache is None:
        last.cache = hint
    return parts


def _part(given: Any, where: str) -> Part:
    if isinstance(given, str):
        return Text(text=given)
    if not isinstance(given, dict):
        raise FieldError(where, "an object")
    kind = required(text_in(given, "type", f"{where}."), f"{where}.type", "a type")
    cache = object_in(given, "cache_control", f"{where}.")
    extra = rest_of(given, "type", "cache_control", kind)
    if kind == "text":
        text = given.get("text")
        if not isinstance(text, str):
            raise FieldError(f"{where}.text", "a string")
        return Text(text=text, cache=cache, extra=extra)
    if kind == "refusal":
        return Refusal(text=text_in(given, "refusal", f"{where}.") or "")
    if kind == "image_url":
        return _image(given, where, cache=cache, extra=extra)
    if kind == "file":
        file = object_in(given, "file", f"{where}.") or {}
        document: Part = required(
            document_in(file, cache=cache, extra=extra), f"{where}.file", "a file with its data"
        )
        return document
    if kind == "input_audio":
        sound = object_in(given, "input_audio", f"{where}.") or {}
        data = required(
            text_in(sound, "data", f"{where}.input_audio."), f"{where}.input_audio.data", "base64"
        )
        return sound_in(data, text_in(sound, "format", f"{where}.input_audio.") or "", extra=extra)
    if kind == "video_url":
        return video_in(_address(given, "video_url", where), extra=extra)
    return Opaque(wire=Wire.CHAT, kind=kind, raw=given)


def _image(given: Json, where: str, *, cache: Json | None, extra: Json) -> Part:
    inner = given.get("image_url")
    detail = text_in(inner, "detail", f"{where}.image_url.") if isinstance(inner, dict) else None
    return image_in(_address(given, "image_url", where), detail=detail, cache=cache, extra=extra)


def _address(given: Json, field: str, where: str) -> str:
    """Return a URL that stands in an object, or in its place as some clients write it."""
    inner = given.get(field)
    url = inner.get("url") if isinstance(inner, dict) else inner
    if not isinstance(url, str) or not url:
        raise FieldError(f"{where}.{field}.url", "a URL")
    return url
