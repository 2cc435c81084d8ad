"""Owns what one pretend call asks for and what the pretend model answers to it.

Pure: bytes in, values out. It must not know how an answer looks on the wire, nor of sockets,
clocks or other calls. A caller steers the answer with an extra top-level field `fake`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, cycle, islice, pairwise
from typing import Annotated, Any, Literal, TypeVar

import msgspec

_BYTES_PER_TOKEN = 4
_MAX_CHOICES = 128
_TOKEN = re.compile(r"\s*\S+")

TOOL = "look_up"
"""The tool that is called when nobody says which."""

Count = Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]
Stop = Literal["length", "context", "refusal", "filter", "sequence", "pause", "fault"]


Asked = TypeVar("Asked")


class BadAsk(ValueError):
    """The call cannot be answered; the text says why and never repeats the body."""


class ScriptedCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tool call that the model shall make; `arguments` are an object, or text sent as it is."""

    name: str = TOOL
    arguments: dict[str, Any] | str = "{}"
    id: str = ""
    custom: bool = False


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to answer one call. Every field has the default of a well-behaved vendor.

    `tokens` are visible completion tokens a choice, `reasoning` hidden ones that come before
    them; `events` spreads the visible tokens over that many content events. `cut_after` and
    `error_event_after` count all events of a stream, the role event included. `cut_body` counts
    bytes of a unary body; `content_length_lie` is added to the true length; times are in ms.

    `tool_calls` makes that many calls of `look_up`, the first with the text as its arguments;
    `calls` makes these calls after the text. `thought` is reasoning that is shown, "" none even if
    it was asked for. `stop` says in neutral words why the answer ends, `finish` in the vendor's.
    Cache writes and reads are inside `prompt_tokens`. `error_kind` and `error_text` replace the
    vendor's usual words in refusals and in error events; `error_form` is how the Responses API
    breaks a stream. `pings` keep-alives follow each content event; one silence of `pause_ms` comes
    before event `pause_after`. `model` is the name of the model that says it answered.
    """

    tokens: Count | None = None
    reasoning: Count = 0
    prompt_tokens: Count | None = None
    cached_tokens: Count = 0
    events: Count | None = None
    delay_ms: Count = 0
    event_delay_ms: Count = 0
    status: Annotated[int, msgspec.Meta(ge=200, le=599)] = 200
    echo: bool = False
    retry_after: Count | None = None
    cut_after: Count | None = None
    cut_body: Count | None = None
    error_event_after: Count | None = None
    usage: Literal["given", "none", "nonsense", "zero", "null", "no_details"] = "given"
    no_done: bool = False
    silent_after_finish_ms: Count = 0
    empty: bool = False
    no_finish: bool = False
    finish_without_usage: bool = False
    gzip: bool = False
    redirect: str | bool = False
    header_flood: Count = 0
    content_length_lie: int = 0
    role_in_every_delta: bool = False
    tool_calls: Count | bool = 0
    text: str | None = None
    pad_bytes: Count = 0
    coalesce: Annotated[int, msgspec.Meta(ge=1)] = 1
    replay: str | None = None
    hang: bool = False
    tag: str = ""
    thought: str | None = None
    redacted: bool = False
    calls: tuple[ScriptedCall, ...] = ()
    images: Count = 0
    stop: Stop | None = None
    finish: str | None = None
    cache_write_tokens: Count = 0
    cache_write_1h_tokens: Count = 0
    tool_prompt_tokens: Count = 0
    start_tokens: Count | None = None
    searches: Count = 0
    tier: str | None = None
    model: str | None = None
    pings: Count = 0
    pause_after: Count | None = None
    pause_ms: Count = 0
    error_kind: str | None = None
    error_text: str | None = None
    error_form: Literal["nested", "flat", "failed"] = "nested"
    seconds: Count | None = None
    headers: dict[str, str] = {}

    @property
    def rich(self) -> bool:
        """Whether it asks for more than text, counts and faults."""
        return (
            self.thought is not None
            or bool(self.calls)
            or bool(self.images)
            or self.stop is not None
            or self.finish is not None
            or self.tier is not None
            or self.model is not None
            or bool(self.pings)
        )

    @property
    def decides(self) -> bool:
        """Whether it says what the model says, so that the request's wishes do not."""
        return (
            self.text is not None
            or self.tokens is not None
            or self.events is not None
            or bool(self.calls)
            or bool(self.tool_calls)
            or bool(self.images)
            or self.stop is not None
            or self.empty
        )


class StreamOptions(msgspec.Struct, frozen=True):
    """The part of `stream_options` that a vendor acts on."""

    include_usage: bool | None = None


class Ask(msgspec.Struct, frozen=True):
    """The fields of a call that the pretend vendor reads; all others are ignored."""

    model: str = ""
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=_MAX_CHOICES)] | None = None
    messages: msgspec.Raw = msgspec.Raw()
    prompt: msgspec.Raw = msgspec.Raw()
    tools: msgspec.Raw = msgspec.Raw()
    tool_choice: msgspec.Raw = msgspec.Raw()
    parallel_tool_calls: bool | None = None
    response_format: msgspec.Raw = msgspec.Raw()
    modalities: msgspec.Raw = msgspec.Raw()
    fake: msgspec.Raw = msgspec.Raw()

    @property
    def wishes(self) -> bool:
        """Whether it asks for tools, a format or modalities, not just for text."""
        return bool(len(self.tools) or len(self.response_format) or len(self.modalities))

    @property
    def include_usage(self) -> bool:
        """Whether the caller asked for a usage event at the end of a stream."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)

    @property
    def limit(self) -> int | None:
        """The most completion tokens that one choice may have, reasoning included."""
        given = [
            limit for limit in (self.max_tokens, self.max_completion_tokens) if limit is not None
        ]
        return min(given, default=None)

    def prompt_tokens(self) -> int:
        """Return about a token for each four bytes of what the model would read; at least one."""
        read = len(bytes(self.messages)) + len(bytes(self.prompt)) + len(bytes(self.tools))
        return max(1, read // _BYTES_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says: the visible tokens of each choice, and what all of it counts as."""

    tokens: tuple[str, ...]
    reasoning: int
    choices: int
    finish: str | None
    prompt_tokens: int
    cached_tokens: int

    @property
    def completion_tokens(self) -> int:
        """All tokens produced, of every choice, hidden reasoning included."""
        return (len(self.tokens) + self.reasoning) * self.choices


_ask_decoder = msgspec.json.Decoder(Ask)
_script_decoder = msgspec.json.Decoder(Script)
_PLAIN = Script()


def read_ask(body: bytes) -> Ask:
    """Read a call's body; BadAsk when it is not JSON or a field that is read has a wrong type."""
    return decoded(_ask_decoder, body)


def decoded(decoder: msgspec.json.Decoder[Asked], body: bytes) -> Asked:
    """Decode a body; BadAsk when it is not JSON or a field that is read has a wrong type."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise BadAsk(str(error)) from None
    except (msgspec.DecodeError, RecursionError):
        raise BadAsk("We could not parse the JSON body of your request.") from None


def read_script(ask: Ask, defaults: Mapping[str, object] | None = None) -> Script:
    """Return the call's script laid over the defaults; BadAsk when either has a wrong field."""
    return script_of(bytes(ask.fake), defaults)


def script_of(raw: bytes, defaults: Mapping[str, object] | None = None) -> Script:
    """Return a script of JSON bytes, or of none, laid over the defaults; BadAsk as above."""
    try:
        if not defaults:
            return _script_decoder.decode(raw) if raw else _PLAIN
        own: dict[str, object] = msgspec.json.decode(raw, type=dict[str, object]) if raw else {}
        return msgspec.convert({**defaults, **own}, Script)
    except msgspec.MsgspecError as error:
        raise BadAsk(f"fake: {error}") from None


def answer(ask: Ask, script: Script) -> Answer:
    """Return what the model says, cut at the caller's limit with finish reason `length`."""
    wanted = _wanted_tokens(ask, script)
    limit = ask.limit
    room = script.reasoning + len(wanted) if limit is None else limit
    reasoning = 0 if script.empty else min(script.reasoning, room)
    tokens = wanted[: room - reasoning]
    cut = reasoning < script.reasoning or len(tokens) < len(wanted)
    usual = "tool_calls" if script.tool_calls else "stop"
    finish = None if script.empty or script.no_finish else "length" if cut else usual
    prompt = ask.prompt_tokens() if script.prompt_tokens is None else script.prompt_tokens
    return Answer(tokens, reasoning, ask.n or 1, finish, prompt, min(script.cached_tokens, prompt))


def pieces(tokens: tuple[str, ...], events: int | None) -> list[tuple[str, int]]:
    """Return text and token count of each content event: one token each, or spread over events.

    No event is empty: there are never more events than tokens.
    """
    if events is None:
        return [(token, 1) for token in tokens]
    count = min(max(events, 1), len(tokens))
    cuts = [len(tokens) * index // count for index in range(count + 1)] if count else []
    return [("".join(tokens[a:b]), b - a) for a, b in pairwise(cuts)]


def _wanted_tokens(ask: Ask, script: Script) -> tuple[str, ...]:
    if script.empty:
        return ()
    text = script.text if script.text is not None else greeting(ask.model)
    count = script.tokens if script.tokens is not None else script.events
    return words_of(text, count)


def words_of(text: str, count: int | None = None) -> tuple[str, ...]:
    """Cut a text into tokens, each a word with the space before it; repeated up to a count."""
    words = _TOKEN.findall(text)
    if count is None or not words:
        return tuple(words)
    again = [" " + words[0].lstrip(), *words[1:]]
    return tuple(islice(chain(words, cycle(again)), count))


def greeting(model: str) -> str:
    """Return what the model says when nobody tells it what to say."""
    return f"Hello! I am {model}, or rather a friendly stand-in for it. Every word here counts as one token."
