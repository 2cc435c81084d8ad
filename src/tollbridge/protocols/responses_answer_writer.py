"""Owns the writing of a whole answer of another protocol as a response (protocols.md 6).

Must not know streams or how the answer was read.
"""

from typing import Final

from tollbridge.protocols.answer import Answer, Choice, Identity
from tollbridge.protocols.conversation import (
    Call,
    Carrier,
    Conversation,
    Image,
    Json,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Text,
)
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.responses_echo import cut_off, ended, shell
from tollbridge.protocols.responses_media import annotation
from tollbridge.protocols.responses_output import Items, Status

_BREAKABLE: Final = frozenset({"message", "function_call", "custom_tool_call"})


def write_answer(
    answer: Answer, identity: Identity, conversation: Conversation, losses: Losses
) -> Json:
    """Return the response; only the first of several answers fits into it."""
    if len(answer.choices) > 1:
        losses.note("answer_choices")
    choice = answer.choices[0] if answer.choices else Choice(parts=[])
    if choice.stop_sequence:
        losses.note("answer_stop_sequence")
    output = _Output(Items(identity, conversation, losses), losses)
    for part in choice.parts:
        output.add(part)
    response = shell(conversation, identity, answer.model)
    items = output.items(cut=cut_off(choice.finish))
    return ended(response, items, choice.finish, answer.usage, answer.tier)


class _Output:
    """Puts parts into items; texts that follow each other share a message."""

    def __init__(self, items: Items, losses: Losses) -> None:
        self._make = items
        self._losses = losses
        self._done: list[Json] = []
        self._content: list[Json] | None = None

    def add(self, part: Part) -> None:
        """Add a part; one without a place here is noted as lost."""
        if isinstance(part, (Text, Call)) and part.carrier is not None:
            self._thoughts([], part.carrier, redacted=False)
        if isinstance(part, Text):
            self._text(part)
        elif isinstance(part, Refusal):
            self._open().append({"type": "refusal", "refusal": part.text})
        elif isinstance(part, Reasoning):
            self._thoughts(part.texts, part.carrier, redacted=part.redacted)
        elif isinstance(part, Call):
            head = self._make.head(
                self._place, part.id, part.name, part.namespace, custom=part.custom
            )
            # A call without arguments is one of an empty object.
            arguments = part.arguments or ("" if part.custom else "{}")
            self._put(self._make.call(self._place, head, arguments, "completed"))
        elif isinstance(part, Image):
            self._put(self._make.image(self._place, part))
        elif isinstance(part, Opaque):
            self._put(self._make.opaque(self._place, part))
        else:
            self._losses.note("answer_opaque")

    def items(self, *, cut: bool) -> list[Json]:
        """Return the items; the last one is incomplete where the model was cut off in it."""
        if cut and self._done and self._done[-1]["type"] in _BREAKABLE:
            status: Status = "incomplete"
            self._done[-1]["status"] = status
        return self._done

    @property
    def _place(self) -> int:
        return len(self._done)

    def _open(self) -> list[Json]:
        """Return the content of the message that is being written."""
        if self._content is None:
            self._content = []
            self._done.append(self._make.message(self._place, self._content, "completed"))
        return self._content

    def _put(self, item: Json | None) -> None:
        if item is not None:
            self._content = None
            self._done.append(item)

    def _thoughts(self, texts: list[str], carrier: Carrier | None, *, redacted: bool) -> None:
        shown = [text for text in texts if text]
        if shown or carrier is not None:
            self._put(self._make.reasoning(self._place, shown, carrier, redacted=redacted))

    def _text(self, part: Text) -> None:
        if not part.text and not part.citations:
            return
        notes = [annotation(one, len(part.text)) for one in part.citations]
        if any(one.quote for one in part.citations):
            self._losses.note("answer_citation")
        written = {"type": "output_text", "text": part.text, "annotations": notes, "logprobs": []}
        self._open().append(written)
