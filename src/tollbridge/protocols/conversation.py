"""Owns the neutral model of a request: what a client asks for, whatever protocol it speaks.

Each protocol has a reader into it and a writer out of it (protocols.md 4). What a protocol can say
and this model has no name for stays in `extra`, as the client wrote it: the same protocol's writer
puts it back, every other one drops it by the list of losses or refuses it by name. Pure values;
must not know wire formats, models' abilities or money.
"""

from enum import StrEnum
from typing import Any, Literal

import msgspec

Json = dict[str, Any]


class Wire(StrEnum):
    """A protocol of conversations, as clients and upstreams speak it."""

    CHAT = "chat"
    RESPONSES = "responses"
    MESSAGES = "messages"
    GEMINI = "gemini"


class Vendor(StrEnum):
    """Whose models understand a carrier."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    GEMINI = "gemini"


class Carrier(msgspec.Struct, frozen=True):
    """An opaque value that a vendor wants back as it was: a signature, encrypted reasoning.

    It means nothing to another vendor and must never be sent there, nor shown as text.
    `item_id` is the id of the item that it came in, where the protocol has one.
    """

    vendor: Vendor
    payload: str
    item_id: str | None = None


class Citation(msgspec.Struct, frozen=True):
    """Where a text is from. `start` and `end` are characters of the text part, None if unknown."""

    url: str
    title: str = ""
    start: int | None = None
    end: int | None = None
    quote: str = ""


class Text(msgspec.Struct, kw_only=True):
    """Text. `cache` is an Anthropic cache_control object that stood on it."""

    text: str
    cache: Json | None = None
    carrier: Carrier | None = None
    citations: list[Citation] = []
    extra: Json = {}


class Image(msgspec.Struct, kw_only=True):
    """An image by `url`, or by `data` (base64 without any prefix) and `mime`, or by a vendor's `file_id`."""

    url: str = ""
    data: str = ""
    mime: str = ""
    file_id: str = ""
    detail: str | None = None
    cache: Json | None = None
    carrier: Carrier | None = None
    extra: Json = {}


class Document(msgspec.Struct, kw_only=True):
    """A document: `url`, `data` (base64) with `mime`, plain `text`, or a vendor's `file_id`."""

    url: str = ""
    data: str = ""
    text: str = ""
    mime: str = ""
    file_id: str = ""
    name: str = ""
    cache: Json | None = None
    extra: Json = {}


class Audio(msgspec.Struct, kw_only=True):
    """A sound: base64 `data` and its `mime`, such as audio/wav; `transcript` of a spoken answer."""

    data: str
    mime: str
    transcript: str = ""
    extra: Json = {}


class Video(msgspec.Struct, kw_only=True):
    """A video by `url` or by base64 `data` and `mime`."""

    url: str = ""
    data: str = ""
    mime: str = ""
    extra: Json = {}


class Call(msgspec.Struct, kw_only=True):
    """A tool call of the model.

    `arguments` is JSON text, or free text for a `custom` tool. `id` is empty where the protocol
    gave none. `namespace` as that of the tool.
    """

    id: str
    name: str
    arguments: str
    namespace: str = ""
    custom: bool = False
    carrier: Carrier | None = None
    cache: Json | None = None
    extra: Json = {}


class Result(msgspec.Struct, kw_only=True):
    """The result of a tool call. `name` is known only where the protocol says it."""

    call_id: str
    parts: list["Part"]
    name: str = ""
    namespace: str = ""
    failed: bool = False
    custom: bool = False
    cache: Json | None = None
    extra: Json = {}


class Reasoning(msgspec.Struct, kw_only=True):
    """What the model thought: `texts` are its paragraphs, a `summary` or the raw text.

    Without any text it only carries the carrier (redacted or encrypted reasoning).
    """

    texts: list[str]
    summary: bool = False
    redacted: bool = False
    carrier: Carrier | None = None
    extra: Json = {}


class Refusal(msgspec.Struct, kw_only=True):
    """The model's refusal, in its words."""

    text: str


class Opaque(msgspec.Struct, kw_only=True):
    """A part that this model has no name for; only its own protocol can say it. `kind` names it."""

    wire: Wire
    kind: str
    raw: Json


Part = (
    Text | Image | Document | Audio | Video | Call | Result | Reasoning | Refusal | Opaque
)  # fmt: skip

Role = Literal["user", "assistant", "system"]


class Turn(msgspec.Struct, kw_only=True):
    """One turn. A `system` turn is an instruction in the middle of the conversation."""

    role: Role
    parts: list[Part]
    name: str = ""
    extra: Json = {}


class Function(msgspec.Struct, kw_only=True):
    """A tool with a JSON schema; None where none was given. `strict` None: the client did not say."""

    name: str
    description: str = ""
    schema: Json | None = None
    strict: bool | None = None
    cache: Json | None = None
    namespace: str = ""
    extra: Json = {}


class Custom(msgspec.Struct, kw_only=True):
    """A tool whose input is free text, perhaps of a grammar (`format`)."""

    name: str
    description: str = ""
    format: Json | None = None
    namespace: str = ""
    extra: Json = {}


class WebSearch(msgspec.Struct, kw_only=True):
    """The vendor's own web search: the one server tool that every protocol has.

    `domains` None: all. `location` is approximate: city, region, country, timezone.
    """

    wire: Wire
    raw: Json
    domains: list[str] | None = None
    blocked: list[str] | None = None
    uses: int | None = None
    location: Json | None = None


class ServerTool(msgspec.Struct, kw_only=True):
    """Any other tool that the vendor runs itself; only its own protocol can ask for it."""

    wire: Wire
    kind: str
    raw: Json


Tool = Function | Custom | WebSearch | ServerTool


class ToolChoice(msgspec.Struct, kw_only=True):
    """Which tools the model may or must call; `names` for "named" (one) and "subset".

    A subset is `required` or not. `raw` is a choice that no other protocol has, or
    for "auto" one that says more than the others can.
    """

    mode: Literal["auto", "none", "required", "named", "subset", "other"]
    names: list[str] = []
    required: bool = False
    raw: Json | None = None


class Thinking(msgspec.Struct, kw_only=True):
    """How much the model is to think. None: the client did not say.

    `effort` is one of none, minimal, low, medium, high, xhigh, max or a vendor's own word;
    `budget` is tokens (-1: the model decides); `summary` asks for a summary (auto, concise,
    detailed), `shown` whether the thoughts are to be shown.
    """

    effort: str | None = None
    budget: int | None = None
    enabled: bool | None = None
    adaptive: bool = False
    summary: str | None = None
    shown: bool | None = None
    extra: Json = {}


class Format(msgspec.Struct, kw_only=True):
    """The form of the answer: any JSON object, or JSON of a schema."""

    kind: Literal["json", "schema"]
    name: str = ""
    description: str = ""
    schema: Json | None = None
    strict: bool | None = None


class Conversation(msgspec.Struct, kw_only=True):
    """A request. None stands for what the client did not say.

    `stop` are texts that end the answer; `logprobs` is the number of alternatives a token (0: the
    chosen one only); `end_user` is the client's own name for its user; `modalities` are those of
    the answer in lower case, `image_options` what the client says of images to be made (aspect
    ratio, size). `extra` holds the other top-level fields of `wire`.
    """

    wire: Wire
    model: str
    system: list[Text] = []
    turns: list[Turn] = []
    tools: list[Tool] = []
    choice: ToolChoice | None = None
    parallel: bool | None = None
    max_output: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: list[str] = []
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logprobs: int | None = None
    copies: int = 1
    thinking: Thinking | None = None
    format: Format | None = None
    stream: bool = False
    wants_usage: bool = False
    end_user: str | None = None
    tier: str | None = None
    modalities: list[str] = []
    image_options: Json | None = None
    audio_options: Json | None = None
    extra: Json = {}

    def names(self) -> list[str]:
        """Return the names of the client's own tools, in their order."""
        return [tool.name for tool in self.tools if isinstance(tool, (Function, Custom))]
