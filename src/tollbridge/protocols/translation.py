"""Owns the way of a call from one protocol to another and back, through the neutral model.

It knows each protocol's readers and writers and in which order they work; what they do is their
business (protocols.md 4). Pure; must not know accounts, money or how bytes travel.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec
from msgspec import structs

from tollbridge.protocols import (
    chat_answer_reader,
    chat_answer_writer,
    chat_request_reader,
    chat_request_writer,
    gemini_answer_reader,
    gemini_answer_writer,
    gemini_request_reader,
    gemini_request_writer,
    messages_answer_reader,
    messages_answer_writer,
    messages_request_reader,
    messages_request_writer,
    responses_answer_reader,
    responses_answer_writer,
    responses_request_reader,
    responses_request_writer,
)
from tollbridge.protocols.abilities import Addressee
from tollbridge.protocols.answer import Answer, EventReader, EventWriter, Identity
from tollbridge.protocols.chat_event_reader import ChatReader
from tollbridge.protocols.chat_event_writer import ChatWriter
from tollbridge.protocols.client_calls import ClientCalls
from tollbridge.protocols.conversation import (
    Audio,
    Call,
    Conversation,
    Json,
    Part,
    Reasoning,
    Refusal,
    Text,
    Wire,
)
from tollbridge.protocols.facts import ReplyFacts, decoded
from tollbridge.protocols.gemini_event_reader import GeminiReader
from tollbridge.protocols.gemini_event_writer import GeminiWriter
from tollbridge.protocols.json_peek import FieldError
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.messages_event_reader import MessagesReader
from tollbridge.protocols.messages_event_writer import MessagesWriter
from tollbridge.protocols.responses_event_reader import ResponsesReader
from tollbridge.protocols.responses_event_writer import ResponsesWriter
from tollbridge.protocols.search_traces import untraced
from tollbridge.protocols.service_tier import with_tier
from tollbridge.protocols.tool_names import ToolNames

_NAME_MAX: Final = {Wire.CHAT: 64, Wire.RESPONSES: 64, Wire.MESSAGES: 128, Wire.GEMINI: 128}


class _Tongue(NamedTuple):
    """How one protocol is read and written."""

    read_request: Callable[..., Conversation]
    write_request: Callable[[Conversation, Addressee, ToolNames, Losses], Json]
    read_answer: Callable[[Json], Answer]
    write_answer: Callable[[Answer, Identity, Conversation, Losses], Json]
    reader: Callable[[], EventReader]
    writer: Callable[[Identity, Conversation, Losses], EventWriter]


_TONGUES: Final = {
    Wire.CHAT: _Tongue(
        chat_request_reader.read_request,
        chat_request_writer.write_request,
        chat_answer_reader.read_answer,
        chat_answer_writer.write_answer,
        ChatReader,
        ChatWriter,
    ),
    Wire.RESPONSES: _Tongue(
        responses_request_reader.read_request,
        responses_request_writer.write_request,
        responses_answer_reader.read_answer,
        responses_answer_writer.write_answer,
        ResponsesReader,
        ResponsesWriter,
    ),
    Wire.MESSAGES: _Tongue(
        messages_request_reader.read_request,
        messages_request_writer.write_request,
        messages_answer_reader.read_answer,
        messages_answer_writer.write_answer,
        MessagesReader,
        MessagesWriter,
    ),
    Wire.GEMINI: _Tongue(
        gemini_request_reader.read_request,
        gemini_request_writer.write_request,
        gemini_answer_reader.read_answer,
        gemini_answer_writer.write_answer,
        GeminiReader,
        GeminiWriter,
    ),
}


def read_request(wire: Wire, body: bytes, *, model: str = "", stream: bool = False) -> Conversation:
    """Read a request body; `model` and `stream` are for Gemini, whose path says them.

    Raises FieldError (a part of a field that is there is malformed) for what cannot be read.
    """
    fields = decoded(body)
    if fields is None:
        raise FieldError("body", "a JSON object")
    if wire is Wire.GEMINI:
        return gemini_request_reader.read_request(fields, model=model, stream=stream)
    return _TONGUES[wire].read_request(fields)


class Translation:
    """One request on its way to a vendor of another protocol, and the answer's way back.

    `body` is what to send. Raises Untranslatable, a FieldError, for what this vendor cannot be told.
    """

    __slots__ = ("_conversation", "_names", "body", "losses", "target")

    def __init__(self, conversation: Conversation, target: Wire, to: Addressee) -> None:
        self._conversation = conversation
        self.target = target
        self.losses = Losses()
        self._names = ToolNames(conversation, _NAME_MAX[target])
        told = structs.replace(conversation, turns=untraced(conversation.turns, self.losses))
        written = _TONGUES[target].write_request(told, to, self._names, self.losses)
        self.body = msgspec.json.encode(written)

    def read_answer(self, body: bytes) -> Answer | None:
        """Return a whole answer with the client's own names; None when it is no JSON object."""
        fields = decoded(body)
        if fields is None:
            return None
        answer = _TONGUES[self.target].read_answer(fields)
        return self.calls().answer(answer)

    def write_answer(self, answer: Answer, identity: Identity) -> bytes:
        """Return a whole answer in the client's protocol."""
        conversation = self._conversation
        written = _TONGUES[conversation.wire].write_answer(
            answer, identity, conversation, self.losses
        )
        return msgspec.json.encode(written)

    def calls(self) -> ClientCalls:
        """Return what gives the calls of one answer their names back."""
        return ClientCalls(self._names, self._conversation)

    def reader(self) -> EventReader:
        """Return what reads a stream of the vendor."""
        return _TONGUES[self.target].reader()

    def writer(self, identity: Identity) -> EventWriter:
        """Return what writes the client's stream."""
        conversation = self._conversation
        return _TONGUES[conversation.wire].writer(identity, conversation, self.losses)


def facts_of(answer: Answer | None) -> ReplyFacts:
    """Return what the meter needs to know of an answer; None has no facts."""
    if answer is None:
        return ReplyFacts()
    parts = [part for choice in answer.choices for part in choice.parts]
    return ReplyFacts(
        model=answer.model or None,
        usage=with_tier(answer.usage, answer.tier),
        usage_seen=answer.usage is not None,
        finished=bool(answer.choices) and all(one.finish for one in answer.choices),
        empty=not any(_says(part) for part in parts),
        text_bytes=sum(_size(part) for part in parts),
        error=answer.fault,
    )


def _says(part: Part) -> bool:
    if isinstance(part, (Text, Refusal)):
        return bool(part.text)
    return not isinstance(part, Reasoning) or bool(part.texts or part.carrier)


def _size(part: Part) -> int:
    if isinstance(part, (Text, Refusal)):
        return len(part.text.encode())
    if isinstance(part, Reasoning):
        return sum(len(text.encode()) for text in part.texts)
    if isinstance(part, Call):
        return len(part.name.encode()) + len(part.arguments.encode())
    return len(part.transcript.encode()) if isinstance(part, Audio) else 0
