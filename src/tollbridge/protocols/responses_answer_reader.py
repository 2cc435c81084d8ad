"""Owns the reading of a whole answer of the Responses protocol into the neutral model.

Never raises, whatever an upstream writes. Must not know requests or streams.
"""

from collections.abc import Iterable
from typing import Any, Final

from tollbridge.protocols.answer import Answer, Choice, Finish
from tollbridge.protocols.conversation import Call, Json, Part, Refusal
from tollbridge.protocols.facts import text_or_none
from tollbridge.protocols.responses import BROKEN, fault_of
from tollbridge.protocols.responses_items import is_message, part_of
from tollbridge.protocols.responses_media import parts_of
from tollbridge.protocols.responses_usage import usage_of

_RUNNING: Final = ("queued", "in_progress")


def read_answer(body: Json) -> Answer:
    """Return the answer; a response that failed has a fault and no finish."""
    parts = parts_of_items(body.get("output"))
    fault = fault_of(body)
    finish = None if fault is not None else finish_of(body, parts)
    return Answer(
        choices=[Choice(parts=parts, finish=finish)],
        id=text_or_none(body.get("id")) or "",
        model=text_or_none(body.get("model")) or "",
        usage=usage_of(body),
        tier=text_or_none(body.get("service_tier")),
        fault=fault,
    )


def parts_of_items(output: Any) -> list[Part]:
    """Return the parts of an answer's items, in their order."""
    parts: list[Part] = []
    for item in output if isinstance(output, list) else ():
        if isinstance(item, dict):
            parts += parts_of(item.get("content")) if is_message(item) else [part_of(item)]
    return parts


def finish_of(response: Json, parts: Iterable[Part]) -> Finish | None:
    """Return why the model stopped (protocols.md 6.2); None while it runs or was given up."""
    status = response.get("status")
    if status in BROKEN or status in _RUNNING:
        return None
    if status == "incomplete":
        details = response.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, dict) else None
        return Finish.POLICY if reason == "content_filter" else Finish.LENGTH
    seen = list(parts)
    if any(isinstance(part, Call) for part in seen):
        return Finish.CALL
    return Finish.POLICY if any(isinstance(part, Refusal) for part in seen) else Finish.STOP
