"""Owns the neutral model of an answer: whole, and as the events of a stream.

Each protocol has a reader into both and a writer out of both (protocols.md 4.2, 6, 7). Pure values;
must not know wire formats or money.
"""

from enum import StrEnum
from typing import Protocol

import msgspec

from tollbridge.protocols.conversation import Carrier, Citation, Json, Part
from tollbridge.protocols.facts import UpstreamFault
from tollbridge.protocols.usage import Usage


class Finish(StrEnum):
    """Why a model stopped (protocols.md 6.2)."""

    STOP = "stop"
    STOP_SEQUENCE = "stop_sequence"
    CALL = "call"
    LENGTH = "length"
    CONTEXT = "context"
    POLICY = "policy"
    PAUSED = "paused"
    FAULT = "fault"
    """The model made nonsense, such as a malformed call."""


class Identity(msgspec.Struct, frozen=True, gc=False):
    """What an answer is called where the upstream does not say; `id` has no prefix."""

    id: str
    created_s: int
    model: str
    renamed: bool = False
    """The model is mapped: `model` is the client's name and replaces the upstream's."""


class Choice(msgspec.Struct, kw_only=True):
    """One of the texts that were asked for; `finish` None: it has not ended."""

    parts: list[Part]
    finish: Finish | None = None
    stop_sequence: str | None = None
    index: int = 0


class Answer(msgspec.Struct, kw_only=True):
    """A whole answer. `model` is what the upstream says it is; `id` its own name for it."""

    choices: list[Choice]
    id: str = ""
    model: str = ""
    usage: Usage | None = None
    tier: str | None = None
    fault: UpstreamFault | None = None
    extra: Json = {}


# ------------------------------------------------------------ events of a stream


class Start(msgspec.Struct, frozen=True, gc=False):
    """The answer has a name; `usage` is what is known of the input."""

    id: str = ""
    model: str = ""
    usage: Usage | None = None


class TextDelta(msgspec.Struct, frozen=True, gc=False):
    """More text of a choice; `fresh` begins another text part."""

    text: str
    choice: int = 0
    fresh: bool = False


class RefusalDelta(msgspec.Struct, frozen=True, gc=False):
    """More of a refusal."""

    text: str
    choice: int = 0


class ReasoningDelta(msgspec.Struct, frozen=True, gc=False):
    """More of what the model thinks; `fresh` begins another paragraph (summary part, block).

    An empty text says that the model has begun to think.
    """

    text: str
    summary: bool = False
    choice: int = 0
    fresh: bool = False


class ReasoningEnd(msgspec.Struct, frozen=True):
    """The thoughts are complete; with their carrier, if they have one."""

    carrier: Carrier | None = None
    redacted: bool = False
    choice: int = 0


class CallStart(msgspec.Struct, frozen=True):
    """A tool call begins; `key` tells the calls of one answer apart.

    `namespace` is the group that the client's tool stands in, where its protocol has such.
    """

    key: int
    id: str
    name: str
    custom: bool = False
    carrier: Carrier | None = None
    choice: int = 0
    namespace: str = ""


class CallArguments(msgspec.Struct, frozen=True, gc=False):
    """More of the arguments of a call."""

    key: int
    text: str


class CallEnd(msgspec.Struct, frozen=True, gc=False):
    """The arguments of a call are complete."""

    key: int


class Cited(msgspec.Struct, frozen=True):
    """A citation of the text so far."""

    citation: Citation
    choice: int = 0


class Made(msgspec.Struct, frozen=True):
    """A whole part that does not come in pieces: an image, a sound, an opaque part."""

    part: Part
    choice: int = 0


class UsageSeen(msgspec.Struct, frozen=True, gc=False):
    """What the upstream says it used; the last one counts, it already includes what came before."""

    usage: Usage
    tier: str | None = None


class Finished(msgspec.Struct, frozen=True, gc=False):
    """A choice has ended; the last one of a choice counts."""

    finish: Finish
    stop_sequence: str | None = None
    choice: int = 0


class Failed(msgspec.Struct, frozen=True):
    """The upstream reports an error in its stream; nothing follows."""

    fault: UpstreamFault


class Done(msgspec.Struct, frozen=True, gc=False):
    """The protocol's own end of a stream was seen."""


Event = (
    Start | TextDelta | RefusalDelta | ReasoningDelta | ReasoningEnd | CallStart | CallArguments
    | CallEnd | Cited | Made | UsageSeen | Finished | Failed | Done
)  # fmt: skip


class EventReader(Protocol):
    """Reads one upstream stream into events. Never raises, whatever the upstream writes."""

    def read(self, name: bytes | None, data: Json) -> list[Event]:
        """Return what one frame says; `name` is the frame's event line, None without one."""

    def end(self) -> list[Event]:
        """Return what is still to be said when the upstream has ended; calls are closed."""


class EventWriter(Protocol):
    """Writes events as frames of the client's protocol, by its grammar, whatever their order.

    The driver keeps `Finished`, `UsageSeen`, `Failed` and `Done` to itself and calls `end` once with
    what they said.
    """

    stream_id: str
    """The id that the frames carry; empty before there is one."""

    sequence: int
    """The next sequence number, 0 where the protocol has none."""

    def write(self, event: Event) -> bytes:
        """Return the frames of one event, which may be none."""

    def end(self, finishes: dict[int, Finished], usage: Usage | None, tier: str | None) -> bytes:
        """Return the frames that close the stream properly; `finishes` by choice."""

    def produced(self, frames: bytes) -> int:
        """Return the UTF-8 bytes of text, reasoning and arguments in whole frames of this protocol."""
