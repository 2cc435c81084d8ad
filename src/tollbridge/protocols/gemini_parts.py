"""Owns what Gemini's candidates and parts hold, for those that only measure: payload and size.

Nothing here raises, whatever an upstream writes. Must not know the neutral model.
"""

import re
from typing import Any, Final

import msgspec

from tollbridge.protocols.delta_shape import produced_bytes as _texts_in
from tollbridge.protocols.facts import UpstreamFault, decoded, fault_from, text_or_none
from tollbridge.protocols.gemini_names import spelled
from tollbridge.protocols.sse import Framer, data_of

PAYLOADS: Final = (
    "functionCall",
    "inlineData",
    "fileData",
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
    "functionResponse",
)
"""What a part can hold besides text."""

_BY_ANSWER: Final = re.compile(r"(?:.*/)?gemini-[12]\b")
_UNSAID: Final = frozenset({None, "", 0, "FINISH_REASON_UNSPECIFIED"})
# Objects in which a "text" is not the model's own, or text has another name.
_STRUCTURED: Final = re.compile(
    rb'"(?:function_?[cC]all|executable_?[cC]ode|code_?[eE]xecution_?[rR]esult|tool_?[cC]all'
    rb'|tool_?[rR]esponse|grounding_?[mM]etadata|logprobs_?[rR]esult|inline_?[dD]ata)"'
)


def objects(value: object) -> list[dict[str, Any]]:
    """Return the objects of an array; anything else has none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def parts_of(candidate: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the parts of a candidate with their names in camelCase."""
    content = candidate.get("content")
    found = content.get("parts") if isinstance(content, dict) else None
    return [spelled(part) for part in objects(found)]


def index_of(candidate: dict[str, Any]) -> int:
    """Return which candidate it is; Gemini does not say 0."""
    index = candidate.get("index")
    return index if type(index) is int and index >= 0 else 0


def finish_of(candidate: dict[str, Any]) -> object:
    """Return the finish reason as the vendor writes it, None when there is none yet."""
    reason = candidate.get("finishReason", candidate.get("finish_reason"))
    return None if not isinstance(reason, (str, int)) or reason in _UNSAID else reason


def blocked(answer: dict[str, Any]) -> bool:
    """Say whether the prompt was refused: there is feedback with a reason, and no candidate."""
    feedback = answer.get("promptFeedback")
    return (
        isinstance(feedback, dict)
        and bool(feedback.get("blockReason") or feedback.get("blockReasonMessage"))
        and not answer.get("candidates")
    )


def has_payload(part: dict[str, Any]) -> bool:
    """Say whether a part has something produced; a lone signature is nothing."""
    return bool(part.get("text")) or any(part.get(name) is not None for name in PAYLOADS)


def text_size(part: dict[str, Any]) -> int:
    """Return the UTF-8 bytes of text, thoughts, code, and of a call's name and arguments."""
    size = _utf8(part.get("text"))
    call = part.get("functionCall")
    if isinstance(call, dict):
        size += _utf8(call.get("name"))
        for name in ("args", "partialArgs"):
            if call.get(name):
                size += len(msgspec.json.encode(call[name]))
    code = part.get("executableCode")
    if isinstance(code, dict):
        size += _utf8(code.get("code"))
    return size


def produced_bytes(frames: bytes) -> int:
    """Return the UTF-8 bytes of text, thoughts, code and calls in whole frames."""
    if _STRUCTURED.search(frames) is None:
        return _texts_in(frames)
    return sum(_frame_bytes(frame) for frame in Framer().feed(frames))


def _frame_bytes(frame: bytes) -> int:
    chunk = decoded(data_of(frame) or b"") or {}
    return sum(
        text_size(part)
        for candidate in objects(chunk.get("candidates"))
        for part in parts_of(candidate)
    )


def _utf8(value: object) -> int:
    if not isinstance(value, str):
        return 0
    return len(value) if value.isascii() else len(value.encode(errors="replace"))


def searches_in(answer: dict[str, Any]) -> int:
    """Return how many searches of the web an answer or chunk is charged for.

    Google charges up to Gemini 2.5 for an answer that was grounded, since then for each search.
    """
    count = 0
    for candidate in objects(answer.get("candidates")):
        grounding = spelled(spelled(candidate).get("groundingMetadata"))
        queries = grounding.get("webSearchQueries")
        count += len(queries) if isinstance(queries, list) else 0
    model = answer.get("modelVersion")
    by_answer = isinstance(model, str) and _BY_ANSWER.match(model)
    return min(count, 1) if by_answer else count


def gemini_fault(error: object) -> UpstreamFault | None:
    """Read the value of an `error` field; Google's status name is its type."""
    fault = fault_from(error)
    if fault is None or fault.type or not isinstance(error, dict):
        return fault
    return msgspec.structs.replace(fault, type=text_or_none(error.get("status")) or "")
