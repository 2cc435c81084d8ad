"""Owns the way of a recorded answer to a client of another protocol, as the gateway goes it.

The client is one who could have sent the recorded request in its own words: the same model and
tools, nothing else that would bind the answer.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from tests.conformance.dialogues import Dialogue
from tollbridge.protocols.abilities import Addressee, abilities_of
from tollbridge.protocols.answer import Identity
from tollbridge.protocols.conversation import Conversation, Custom, Function, Text, Turn, Wire
from tollbridge.protocols.json_peek import FieldError
from tollbridge.protocols.translated_tap import TranslatedTap
from tollbridge.protocols.translation import Translation, facts_of, read_request

PLATFORM = {
    "chat": "openai",
    "responses": "openai",
    "messages": "anthropic",
    "gemini": "gemini",
}
NAMELESS = Identity(id="0123456789abcdef", created_s=1_700_000_000, model="a-model")


@dataclass
class Whole:
    """A whole answer as a client of another protocol gets it; `faulty` instead of a body."""

    body: bytes
    faulty: bool
    finished: bool
    empty: bool
    losses: dict[str, int]


@dataclass
class Streamed:
    """A stream as a client of another protocol gets it: what came at once, and what was held."""

    early: bytes
    late: bytes
    tap: TranslatedTap
    losses: dict[str, int]

    @property
    def frames(self) -> bytes:
        return self.early + self.late


def addressee(wire: str, model: str) -> Addressee:
    """Return the vendor's model that is asked."""
    return Addressee(model, abilities_of(PLATFORM[wire], model), 64_000)


def asked(one: Dialogue, client: str) -> Conversation:
    """Return what a client of this protocol has asked for."""
    return Conversation(
        wire=Wire(client),
        model=one.model,
        turns=[Turn(role="user", parts=[Text(text="Go on.")])],
        tools=_tools(one, client),
        copies=copies(one),
        stream=one.streamed,
        wants_usage=True,
    )


def copies(one: Dialogue) -> int:
    """Return how many answers the recorded request asks for."""
    request = one.request or {}
    config = request.get("generationConfig") or request.get("generation_config") or {}
    return int(request.get("n") or config.get("candidateCount") or 1)


def translation(one: Dialogue, client: str) -> Translation:
    """Return the translation of the client's request for the vendor of a recording."""
    conversation = asked(one, client)
    target = Wire(one.wire)
    if conversation.copies > 1 and target in {Wire.RESPONSES, Wire.MESSAGES}:
        conversation.copies = 1
    return Translation(conversation, target, addressee(one.wire, one.model))


def whole(one: Dialogue, client: str, body: bytes) -> Whole:
    """Carry a whole answer to a client."""
    way = translation(one, client)
    way.losses.counts.clear()
    answer = way.read_answer(body)
    assert answer is not None
    facts = facts_of(answer)
    written = b"" if answer.fault else way.write_answer(answer, NAMELESS)
    losses = dict(way.losses.counts)
    return Whole(written, answer.fault is not None, facts.finished, facts.empty, losses)


def streamed(one: Dialogue, client: str, pieces: Iterable[bytes]) -> Streamed:
    """Carry a stream to a client, as far as it goes, then end it."""
    way = translation(one, client)
    way.losses.counts.clear()
    tap = TranslatedTap(way, NAMELESS, copies(one))
    early = b"".join([tap.feed(piece) for piece in pieces])
    tap.close()
    return Streamed(early, tap.finish_text(), tap, dict(way.losses.counts))


def _tools(one: Dialogue, client: str) -> list[Any]:
    """Return the recorded tools that a client of this protocol can have."""
    if one.request is None:
        return []
    try:
        tools = asking(one).tools
    except FieldError:
        return []
    kept = (Function, Custom) if client in {"chat", "responses"} else (Function,)
    return [tool for tool in tools if isinstance(tool, kept) and not tool.namespace]


def asking(one: Dialogue) -> Conversation:
    """Read the recorded request."""
    body = msgspec.json.encode(one.request)
    return read_request(Wire(one.wire), body, model=one.model, stream=one.streamed)


# A model of each vendor's that takes nearly all that its protocol has.
MODELS = {
    "chat": "gpt-5.4",
    "responses": "gpt-5.4",
    "messages": "claude-sonnet-4-5",
    "gemini": "gemini-2.5-flash",
}


def requested(one: Dialogue, target: str) -> Translation:
    """Carry a recorded request to a vendor; raises Untranslatable and FieldError."""
    return Translation(asking(one), Wire(target), addressee(target, MODELS[target]))
