"""Owns the reading of a whole Gemini answer into the neutral model.

It never raises, whatever an upstream writes. What the model has no field for stays in `extra`, by
candidate. Must not know other protocols or money.
"""

from typing import Final

import msgspec

from tollbridge.protocols.answer import Answer, Choice, Finish
from tollbridge.protocols.chat_fields import rest_of
from tollbridge.protocols.conversation import Call, Json, Part, Text
from tollbridge.protocols.facts import text_or_none
from tollbridge.protocols.gemini_call_id import call_id
from tollbridge.protocols.gemini_finish import finish_from, reason_of
from tollbridge.protocols.gemini_grounding import citations_of
from tollbridge.protocols.gemini_names import spelled
from tollbridge.protocols.gemini_part_reader import joined_thoughts, read_part
from tollbridge.protocols.gemini_parts import (
    blocked,
    finish_of,
    gemini_fault,
    index_of,
    objects,
    parts_of,
    searches_in,
)
from tollbridge.protocols.gemini_usage import usage_from

_READ: Final = ("candidates", "usageMetadata", "modelVersion", "responseId", "error")


def read_answer(body: Json) -> Answer:
    """Read an answer. A prompt that was refused is one choice without parts that policy ended."""
    given = spelled(body)
    id_ = text_or_none(given.get("responseId")) or ""
    candidates = [spelled(candidate) for candidate in objects(given.get("candidates"))]
    choices = [_choice(candidate, id_) for candidate in candidates]
    if blocked(given):
        choices = [Choice(parts=[], finish=Finish.POLICY)]
    extra = rest_of(given, *_READ)
    rests = [
        _rest(candidate, choice) for candidate, choice in zip(candidates, choices, strict=False)
    ]
    if any(rests):
        extra["candidates"] = rests
    figures = spelled(given.get("usageMetadata"))
    usage, searches = usage_from(figures), searches_in(given)
    if usage is not None and searches:
        usage = msgspec.structs.replace(usage, web_search=searches)
    return Answer(
        choices=choices,
        id=id_,
        model=text_or_none(given.get("modelVersion")) or "",
        usage=usage,
        tier=text_or_none(figures.get("serviceTier")),
        fault=gemini_fault(given.get("error")),
        extra=extra,
    )


def _choice(candidate: Json, response_id: str) -> Choice:
    index = index_of(candidate)
    parts = [read_part(part) for part in parts_of(candidate)]
    calls = [part for part in parts if isinstance(part, Call)]
    for ordinal, call in enumerate(calls):
        call.id = call.id or call_id(response_id, index, ordinal)
    _cite(parts, candidate)
    reason = finish_of(candidate)
    return Choice(
        parts=joined_thoughts(parts),
        finish=None if reason is None else finish_from(reason, called=bool(calls)),
        index=index,
    )


def _cite(parts: list[Part], candidate: Json) -> None:
    """Give each text what it cites."""
    texts = {at: part for at, part in enumerate(parts) if isinstance(part, Text)}
    in_order = list(texts.values())
    for at, citation in citations_of(candidate, {at: text.text for at, text in texts.items()}):
        in_order[at].citations = [*in_order[at].citations, citation]


def _rest(candidate: Json, choice: Choice) -> Json:
    """Return what else a candidate says; its own word for the end where ours is a wider one."""
    rest = rest_of(candidate, "content", "index", "finishReason")
    reason = finish_of(candidate)
    if reason is not None and choice.finish is not None and reason != reason_of(choice.finish):
        rest["finishReason"] = reason
    return rest
