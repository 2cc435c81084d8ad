"""Owns reading a whole chat completion into the neutral answer; also what its parts mean in a stream.

It takes any JSON and never raises: vendors write this protocol in many ways (protocols.md 2.2).
Must not know streams' frames, requests or clients.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tollbridge.protocols.answer import Answer, Choice, Finish
from tollbridge.protocols.chat_media import image_of_message, sound_in
from tollbridge.protocols.chat_normal import arguments_text
from tollbridge.protocols.chat_reasoning import google_carrier, reasoning_parts
from tollbridge.protocols.chat_usage import usage_from
from tollbridge.protocols.conversation import (
    Call,
    Citation,
    Image,
    Json,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Text,
    Wire,
)
from tollbridge.protocols.facts import fault_from, text_or_none

_FINISHES: Mapping[str, Finish] = MappingProxyType(
    {
        "stop": Finish.STOP,
        "length": Finish.LENGTH,
        "max_tokens": Finish.LENGTH,
        "model_length": Finish.LENGTH,
        "tool_calls": Finish.CALL,
        "function_call": Finish.CALL,
        "content_filter": Finish.POLICY,
        "error": Finish.FAULT,
    }
)


def read_answer(body: Json) -> Answer:
    """Return what a whole answer says; never raises."""
    given = body.get("choices")
    choices = [
        _choice(choice, position)
        for position, choice in enumerate(given if isinstance(given, list) else ())
        if isinstance(choice, dict)
    ]
    if choices:
        _add_sources(choices[0], body.get("citations"))
    return Answer(
        choices=choices,
        id=text_or_none(body.get("id")) or "",
        model=text_or_none(body.get("model")) or "",
        usage=usage_from(body.get("usage")),
        tier=text_or_none(body.get("service_tier")),
        fault=fault_from(body.get("error")),
    )


def finish_of(given: object, *, called: bool) -> Finish | None:
    """Return why a choice ended, None while it has not; a natural end with calls is one for calls."""
    if not given:
        return None
    finish = _FINISHES.get(given, Finish.STOP) if isinstance(given, str) else Finish.STOP
    return Finish.CALL if called and finish is Finish.STOP else finish


def stop_sequence_of(choice: Json) -> str | None:
    """Return the stop sequence that ended a choice, where a vendor says it."""
    return text_or_none(choice.get("stop_reason"))


def citations_of(message: Json) -> list[Citation]:
    """Return the citations of a message or delta."""
    given = message.get("annotations")
    found = [_citation(one) for one in given] if isinstance(given, list) else []
    return [one for one in found if one is not None]


def images_of(message: Json) -> list[Image]:
    """Return the images of a message or delta."""
    given = message.get("images")
    found = [image_of_message(one) for one in given] if isinstance(given, list) else []
    return [one for one in found if one is not None]


def content_parts(content: object) -> list[Part]:
    """Return the parts of a message's content, a string or an array as some vendors write it."""
    if isinstance(content, str):
        return [Text(text=content)] if content else []
    parts: list[Part] = []
    for one in content if isinstance(content, list) else ():
        if isinstance(one, str) and one:
            parts.append(Text(text=one))
        elif isinstance(one, dict):
            parts.extend(_part(one))
    return parts


def _part(given: Json) -> list[Part]:
    kind = given.get("type")
    if kind in ("text", "output_text"):
        text = text_or_none(given.get("text"))
        return [Text(text=text)] if text else []
    if kind == "thinking":
        thought = _deep_text(given.get("thinking"))
        return [Reasoning(texts=[thought])] if thought else []
    if kind == "refusal":
        refusal = text_or_none(given.get("refusal"))
        return [Refusal(text=refusal)] if refusal else []
    if kind == "image_url":
        image = image_of_message(given)
        return [image] if image is not None else []
    return [Opaque(wire=Wire.CHAT, kind=kind if isinstance(kind, str) else "", raw=given)]


def _deep_text(given: Any) -> str:
    if isinstance(given, str):
        return given
    if isinstance(given, list):
        return "".join(_deep_text(one) for one in given)
    return text_or_none(given.get("text")) or "" if isinstance(given, dict) else ""


def _choice(given: Json, position: int) -> Choice:
    index, message = given.get("index"), given.get("message")
    parts = _message_parts(message) if isinstance(message, dict) else []
    called = any(isinstance(part, Call) for part in parts)
    return Choice(
        parts=parts,
        finish=finish_of(given.get("finish_reason"), called=called),
        stop_sequence=stop_sequence_of(given),
        index=index if type(index) is int else position,
    )


def _message_parts(message: Json) -> list[Part]:
    parts: list[Part] = [*reasoning_parts(message), *content_parts(message.get("content"))]
    texts = [part for part in parts if isinstance(part, Text)]
    calls = _calls(message)
    carrier = google_carrier(message)
    # A signature of the whole message belongs to its first call, else to its text.
    holder: Call | Text | None = calls[0] if calls else texts[-1] if texts else None
    if carrier is not None and holder is not None and holder.carrier is None:
        holder.carrier = carrier
    citations = citations_of(message)
    if texts and citations:
        texts[-1].citations = citations
    refusal = text_or_none(message.get("refusal"))
    if refusal:
        parts.append(Refusal(text=refusal))
    parts.extend(images_of(message))
    audio = message.get("audio")
    data = text_or_none(audio.get("data")) if isinstance(audio, dict) else None
    if isinstance(audio, dict) and data is not None:
        transcript = text_or_none(audio.get("transcript")) or ""
        parts.append(sound_in(data, "", transcript=transcript))
    return [*parts, *calls]


def _calls(message: Json) -> list[Call]:
    given = message.get("tool_calls")
    entries = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    calls = [call for entry in entries if (call := _call(entry)) is not None]
    legacy = message.get("function_call")
    name = text_or_none(legacy.get("name")) if isinstance(legacy, dict) else None
    if isinstance(legacy, dict) and name is not None:
        calls.append(Call(id="", name=name, arguments=arguments_text(legacy.get("arguments"))))
    return calls


def _call(entry: Json) -> Call | None:
    call_id, carrier = text_or_none(entry.get("id")) or "", google_carrier(entry)
    custom = entry.get("custom")
    function = custom if isinstance(custom, dict) else entry.get("function")
    name = text_or_none(function.get("name")) if isinstance(function, dict) else None
    if not isinstance(function, dict) or name is None:
        return None
    said = function.get("input" if function is custom else "arguments")
    return Call(
        id=call_id,
        name=name,
        arguments=arguments_text(said),
        custom=function is custom,
        carrier=carrier,
    )


def _citation(given: Any) -> Citation | None:
    inner: Any = given.get("url_citation", given) if isinstance(given, dict) else None
    url = text_or_none(inner.get("url")) if isinstance(inner, dict) else None
    if not isinstance(inner, dict) or url is None:
        return None
    start, end = inner.get("start_index"), inner.get("end_index")
    return Citation(
        url=url,
        title=text_or_none(inner.get("title")) or "",
        start=start if type(start) is int and start >= 0 else None,
        end=end if type(end) is int and end >= 0 else None,
        quote=text_or_none(inner.get("content")) or "",
    )


def _add_sources(choice: Choice, given: Any) -> None:
    """Take addresses that stand beside the choices for citations of a text that has none."""
    texts = [part for part in choice.parts if isinstance(part, Text)]
    if texts and isinstance(given, list) and not texts[-1].citations:
        texts[-1].citations = [Citation(url=one) for one in given if isinstance(one, str) and one]
