"""Owns the writing of a whole answer in Gemini's words.

It writes no field that Google's own SDK does not know: its models refuse them. Must not know how
bytes travel.
"""

from typing import Final

from tollbridge.protocols.answer import Answer, Choice, Finish, Identity
from tollbridge.protocols.conversation import Call, Conversation, Json, Text
from tollbridge.protocols.gemini_answer_parts import answer_parts, complete
from tollbridge.protocols.gemini_finish import reason_of
from tollbridge.protocols.gemini_grounding import grounding_fields
from tollbridge.protocols.gemini_usage import usage_fields
from tollbridge.protocols.losses import Losses

CUT: Final = frozenset({Finish.LENGTH, Finish.CONTEXT})
"""Ends at which a call's arguments may be incomplete."""

# What an answer of Gemini's own keeps besides; other protocols' extras have other names.
_OWN: Final = ("promptFeedback", "createTime", "modelStatus")


def write_answer(
    answer: Answer,
    identity: Identity,
    conversation: Conversation,  # noqa: ARG001 (all writers are called alike)
    losses: Losses,
) -> Json:
    """Return the answer's body; a mapped model bears the client's name for it."""
    rests = answer.extra.get("candidates")
    kept = rests if isinstance(rests, list) else []
    refused = "promptFeedback" in answer.extra and not any(one.parts for one in answer.choices)
    choices = [] if refused else answer.choices
    body: Json = {
        "candidates": [
            _candidate(choice, kept[at] if at < len(kept) else {}, losses)
            for at, choice in enumerate(choices)
        ]
    }
    body |= {name: answer.extra[name] for name in _OWN if name in answer.extra}
    if answer.usage is not None:
        body["usageMetadata"] = usage_fields(answer.usage)
    body["modelVersion"] = (not identity.renamed and answer.model) or identity.model
    body["responseId"] = answer.id or identity.id
    return body


def _candidate(choice: Choice, rest: Json, losses: Losses) -> Json:
    cut = choice.finish in CUT
    parts: list[Json] = []
    cited = []
    for part in choice.parts:
        if isinstance(part, Call) and cut and not complete(part):
            continue
        if isinstance(part, Text):
            cited += [(len(parts), part.text, citation) for citation in part.citations]
            if any(citation.quote for citation in part.citations):
                losses.note("answer_citation")
        parts += answer_parts(part, losses)
    made: Json = {"content": {"parts": parts, "role": "model"}, "index": choice.index}
    if choice.finish is not None:
        made["finishReason"] = reason_of(choice.finish)
    if choice.stop_sequence is not None:
        losses.note("answer_stop_sequence")
    grounding = grounding_fields(cited)
    if grounding:
        made["groundingMetadata"] = grounding
    return made | rest
