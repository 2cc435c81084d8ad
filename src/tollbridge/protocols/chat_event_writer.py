"""Owns writing events as the chunks of a chat stream, by the protocol's grammar (protocols.md 7.2).

The role comes first and once a choice, a call's id, type and name once; calls are numbered as they
appear; usage comes last and only where the client asked. Entries of lists bear an index, because
clients' accumulators want one. Must not know where the events come from.
"""

import re
from typing import Final

import msgspec

from tollbridge.protocols.answer import (
    CallArguments,
    CallEnd,
    CallStart,
    Cited,
    Event,
    Finished,
    Identity,
    Made,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    Start,
    TextDelta,
)
from tollbridge.protocols.chat_answer_writer import (
    answer_id,
    audio_fields,
    citation_fields,
    finish_reason_of,
    image_entry,
    model_of,
    tier_of,
)
from tollbridge.protocols.chat_reasoning import PARAGRAPHS, details_of, google_content
from tollbridge.protocols.chat_tools import is_legacy
from tollbridge.protocols.chat_usage import usage_fields
from tollbridge.protocols.conversation import (
    Audio,
    Conversation,
    Image,
    Json,
    Part,
    Reasoning,
    Result,
    Text,
    Vendor,
)
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.usage import Usage

_DONE: Final = b"data: [DONE]\n\n"
_PRODUCED: Final = re.compile(
    rb'"(?:content|reasoning_content|refusal|arguments|input|transcript)":"([^"\\]*(?:\\.[^"\\]*)*)"'
)
_TEXT: Final = msgspec.json.Decoder(str)
_encode: Final = msgspec.json.encode


class _Call:
    """One call, as far as it was told; `legacy` is an old `function_call`."""

    __slots__ = ("choice", "custom", "index", "legacy", "said")

    def __init__(self, choice: int, index: int, *, custom: bool, legacy: bool) -> None:
        self.choice = choice
        self.index = index
        self.custom = custom
        self.legacy = legacy
        self.said = False


class _Choice:
    """What was told of one choice so far. `base` is where its last text part begins."""

    __slots__ = (
        "base",
        "calls",
        "cited",
        "details",
        "images",
        "length",
        "sound",
        "summary",
        "thought",
        "thoughts",
    )

    def __init__(self) -> None:
        self.base = 0
        self.length = 0
        self.calls = 0
        self.cited = 0
        self.details = 0
        self.images = 0
        self.sound = False
        self.thought = False
        """Reasoning was told; the next block begins a paragraph."""
        self.summary = False
        self.thoughts: list[str] = []
        """The texts of the block that is open: whoever signs it wants them back as they were."""


class ChatWriter:
    """Writes one stream for one client."""

    def __init__(self, identity: Identity, conversation: Conversation, losses: Losses) -> None:
        self._identity = identity
        self._losses = losses
        self._legacy = is_legacy(conversation)
        self._wants_usage = conversation.wants_usage
        self._choices: list[_Choice] = []
        self._calls: dict[int, _Call] = {}
        self._head: Json = {}
        self._prefix = b""
        self._suffix = b""
        self.stream_id = ""
        self.sequence = 0
        if conversation.logprobs is not None:
            losses.note("answer_logprobs")

    def write(self, event: Event) -> bytes:
        """Return the frames of one event, which may be none."""
        if isinstance(event, TextDelta):
            return self._text(event)
        if isinstance(event, Start):
            return self._start(event.id, event.model) + self._open(0)
        if isinstance(event, CallArguments):
            return self._arguments(event)
        if isinstance(event, CallEnd):
            return self._call_end(event)
        if isinstance(event, (ReasoningDelta, ReasoningEnd, CallStart, RefusalDelta, Cited, Made)):
            return self._open(event.choice) + self._told(event)
        return b""

    def end(self, finishes: dict[int, Finished], usage: Usage | None, tier: str | None) -> bytes:
        """Return the finish of every choice, the usage if it was asked for, and the end mark."""
        frames = [self._open(max(finishes, default=0))]
        known = tier_of(tier)
        if known is not None:
            self._name({**self._head, "service_tier": known})
        for index in sorted(finishes):
            reason = finish_reason_of(
                finishes[index].finish, calls=self._choices[index].calls, legacy=self._legacy
            )
            if finishes[index].stop_sequence is not None:
                self._losses.note("answer_stop_sequence")
            frames.append(self._delta(index, {}, reason))
        if self._wants_usage and usage is not None:
            frames.append(_frame({**self._head, "choices": [], "usage": usage_fields(usage)}))
        return b"".join([*frames, _DONE])

    def produced(self, frames: bytes) -> int:
        """Return the UTF-8 bytes of text, reasoning and arguments in whole frames of this writer."""
        return sum(map(_unescaped, _PRODUCED.findall(frames)))

    # ------------------------------------------------------------ frames

    def _start(self, given_id: str, model: str) -> bytes:
        """Settle what every chunk bears."""
        if not self._head:
            self.stream_id = answer_id(given_id, self._identity)
            self._name(
                {
                    "id": self.stream_id,
                    "object": "chat.completion.chunk",
                    "created": self._identity.created_s,
                    "model": model_of(model, self._identity),
                }
            )
        return b""

    def _name(self, head: Json) -> None:
        self._head = head
        self._prefix = b"data: " + _encode(head)[:-1] + b',"choices":[{"index":'
        usage = b',"usage":null' if self._wants_usage else b""
        self._suffix = b"}]" + usage + b"}\n\n"

    def _delta(self, choice: int, delta: Json, finish: str | None = None) -> bytes:
        return b'%b%d,"delta":%b,"logprobs":null,"finish_reason":%b%b' % (
            self._prefix,
            choice,
            _encode(delta),
            _encode(finish),
            self._suffix,
        )

    def _open(self, choice: int) -> bytes:
        """Begin a choice, and those before it: accumulators take them in this order only."""
        if choice < len(self._choices):
            return b""
        self._start("", "")
        frames: list[bytes] = []
        while len(self._choices) <= choice:
            role: Json = {"role": "assistant", "content": "", "refusal": None}
            frames.append(self._delta(len(self._choices), role))
            self._choices.append(_Choice())
        return b"".join(frames)

    # ------------------------------------------------------------ events

    def _told(
        self, event: ReasoningDelta | ReasoningEnd | CallStart | RefusalDelta | Cited | Made
    ) -> bytes:
        """Return the frames of an event of a choice that has begun."""
        if isinstance(event, ReasoningDelta):
            return self._thought(event, self._choices[event.choice])
        if isinstance(event, ReasoningEnd):
            return self._thought_over(event)
        if isinstance(event, CallStart):
            return self._call(event)
        if isinstance(event, RefusalDelta):
            return self._delta(event.choice, {"refusal": event.text})
        if isinstance(event, Cited):
            return self._cited(event)
        return self._made(event.part, event.choice)

    def _text(self, event: TextDelta) -> bytes:
        opened = self._open(event.choice)
        choice = self._choices[event.choice]
        if event.fresh:
            choice.base = choice.length
        choice.length += len(event.text)
        return opened + self._delta(event.choice, {"content": event.text}) if event.text else opened

    def _thought(self, event: ReasoningDelta, choice: _Choice) -> bytes:
        if not event.text:
            return b""
        choice.summary = event.summary
        fresh = event.fresh or not choice.thoughts
        if fresh:
            choice.thoughts.append(event.text)
        else:
            choice.thoughts[-1] += event.text
        text = PARAGRAPHS + event.text if fresh and choice.thought else event.text
        choice.thought = True
        return self._delta(event.choice, {"reasoning_content": text})

    def _thought_over(self, event: ReasoningEnd) -> bytes:
        """Tell what the vendor wants back, with the text that it stands for."""
        choice = self._choices[event.choice]
        texts, choice.thoughts = choice.thoughts, []
        block = Reasoning(
            texts=texts, summary=choice.summary, redacted=event.redacted, carrier=event.carrier
        )
        details = details_of(block, choice.details)
        choice.details += len(details)
        return self._delta(event.choice, {"reasoning_details": details}) if details else b""

    def _call(self, event: CallStart) -> bytes:
        if event.key in self._calls:
            return b""
        choice = self._choices[event.choice]
        legacy = self._legacy and not choice.calls
        index = choice.calls - self._legacy
        call = _Call(event.choice, index, custom=event.custom, legacy=legacy)
        self._calls[event.key] = call
        choice.calls += 1
        if legacy:
            return self._delta(
                event.choice, {"function_call": {"name": event.name, "arguments": ""}}
            )
        entry: Json = {"index": index, "id": event.id or f"call_{self._identity.id}_{event.key}"}
        if event.custom:
            entry |= {"type": "custom", "custom": {"name": event.name, "input": ""}}
        else:
            entry |= {"type": "function", "function": {"name": event.name, "arguments": ""}}
        if event.carrier is not None and event.carrier.vendor is Vendor.GEMINI:
            entry["extra_content"] = google_content(event.carrier)
        elif event.carrier is not None:
            self._losses.note("answer_carrier")
        return self._delta(event.choice, {"tool_calls": [entry]})

    def _arguments(self, event: CallArguments) -> bytes:
        call = self._calls.get(event.key)
        if call is None or not event.text:
            return b""
        call.said = True
        if call.legacy:
            return self._delta(call.choice, {"function_call": {"arguments": event.text}})
        if call.custom:
            entry: Json = {"index": call.index, "custom": {"input": event.text}}
        else:
            entry = {"index": call.index, "function": {"arguments": event.text}}
        return self._delta(call.choice, {"tool_calls": [entry]})

    def _call_end(self, event: CallEnd) -> bytes:
        """Give a call without arguments an empty object: no arguments are no JSON."""
        call = self._calls.get(event.key)
        if call is None or call.said or call.custom:
            return b""
        return self._arguments(CallArguments(event.key, "{}"))

    def _cited(self, event: Cited) -> bytes:
        choice = self._choices[event.choice]
        if event.citation.quote:
            self._losses.note("answer_citation")
        entry = citation_fields(event.citation, choice.base, choice.length)
        entry["index"] = choice.cited
        choice.cited += 1
        return self._delta(event.choice, {"annotations": [entry]})

    def _made(self, part: Part, index: int) -> bytes:
        choice = self._choices[index]
        if isinstance(part, Text):
            return self._text(TextDelta(part.text, index, fresh=True))
        if isinstance(part, Image) and (part.data or part.url):
            if part.carrier is not None:
                self._losses.note("answer_carrier")
            choice.images += 1
            return self._delta(index, {"images": [image_entry(part, choice.images - 1)]})
        if isinstance(part, Audio) and not choice.sound:
            choice.sound = True
            return self._delta(index, {"audio": audio_fields(part, self._identity)})
        self._losses.note("answer_server_tool" if isinstance(part, Result) else "answer_opaque")
        return b""


def _frame(chunk: Json) -> bytes:
    return b"data: " + _encode(chunk) + b"\n\n"


def _unescaped(text: bytes) -> int:
    if b"\\" not in text:
        return len(text)
    return len(_TEXT.decode(b'"' + text + b'"').encode(errors="surrogatepass"))
