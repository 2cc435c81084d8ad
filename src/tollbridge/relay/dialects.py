"""Owns what differs between metered surfaces: how each reads, prepares and watches a call.

Chat completions and legacy text completions; every surface to come is one more class here or a
file of its own beside it. Pure: values in, values out.
"""

from typing import NamedTuple, Protocol, cast

from tollbridge.catalog.snapshot import Account
from tollbridge.core.errors import Surface
from tollbridge.protocols import chat, chat_length, completions
from tollbridge.protocols.answer import Identity
from tollbridge.protocols.chat import ChatAsk
from tollbridge.protocols.chat_normal import StreamNormaliser, normal_reply
from tollbridge.protocols.chat_stream import ChatTap
from tollbridge.protocols.completions import CompletionAsk
from tollbridge.protocols.facts import ReplyFacts
from tollbridge.protocols.json_peek import TopLevel
from tollbridge.protocols.usage import Usage

Asked = ChatAsk | CompletionAsk


class Wish(NamedTuple):
    """What a request says about its cost: output tokens a copy, copies, media out, searches."""

    limit: int | None
    copies: int
    media_out: bool
    searches: int


class Dialect(Protocol):
    """One metered surface."""

    surface: Surface
    surface_name: str
    """The surface as text: asking an enum for its value costs as much as a look-up."""
    upstream_path: bytes

    def read_ask(self, top: TopLevel) -> Asked:
        """Read the request; raises FieldError."""

    def wish(self, ask: Asked) -> Wish:
        """Say what it may cost."""

    def visible(self, top: TopLevel, ask: Asked) -> bool:
        """Say whether all output that is billed will be text in the answer."""

    def prepare(self, top: TopLevel, ask: Asked, account: Account, limit: int | None) -> bytes:
        """Return the body for an account, with an output limit written if there is one."""

    def read_reply(self, body: bytes) -> ReplyFacts:
        """Read a whole answer; never raises."""

    def normal(self, body: bytes, identity: Identity) -> bytes:
        """Return a compatible account's whole answer by the book."""

    def tap(self, ask: Asked, account: Account, identity: Identity) -> ChatTap:
        """Return what watches the stream of an attempt."""

    def length_ending(self, ask: Asked, tap: ChatTap, identity: Identity, used: Usage) -> bytes:
        """Return the frames that end a stream whose money is used up, with what it used."""


# Fields that make a model bill output which its answer does not show, whatever their value.
_HIDING = (
    "reasoning",
    "thinking",
    "enable_thinking",
    "thinking_budget",
    "chat_template_kwargs",
    "extra_body",
    "prediction",
)
_SHOWN_EFFORTS = frozenset({None, b'"none"', b'"minimal"'})
# Their input is written under a name that the count of the text does not know.
_CUSTOM_TOOL = b'"custom"'


class _Chat:
    surface = Surface.CHAT
    surface_name = Surface.CHAT.value
    upstream_path = b"/v1/chat/completions"

    def read_ask(self, top: TopLevel) -> ChatAsk:
        return chat.read_ask(top)

    def wish(self, ask: ChatAsk) -> Wish:
        media = any(kind != "text" for kind in ask.modalities)
        return Wish(ask.limit, ask.copies, media, 1 if ask.web_search else 0)

    def visible(self, top: TopLevel, ask: ChatAsk) -> bool:
        if ask.web_search or any(kind != "text" for kind in ask.modalities):
            return False
        if top.raw("reasoning_effort") not in _SHOWN_EFFORTS:
            return False
        if any(top.kind(name) is not None for name in _HIDING):
            return False
        return not ask.has_tools or _CUSTOM_TOOL not in (top.raw("tools") or b"")

    def prepare(self, top: TopLevel, ask: ChatAsk, account: Account, limit: int | None) -> bytes:
        return chat.prepare(
            top,
            ask,
            model=None,
            output_limit=limit,
            force_usage=True,
            limit_field_default="max_tokens" if account.compatible else "max_completion_tokens",
        )

    def read_reply(self, body: bytes) -> ReplyFacts:
        return chat.read_reply(body)

    def normal(self, body: bytes, identity: Identity) -> bytes:
        return normal_reply(body, identity)

    def tap(self, ask: ChatAsk, account: Account, identity: Identity) -> ChatTap:
        if account.compatible:
            normaliser = StreamNormaliser(identity, want_usage=ask.include_usage)
            return ChatTap(copies=ask.copies, normaliser=normaliser)
        return ChatTap(copies=ask.copies, hide_usage=not ask.include_usage)

    def length_ending(self, ask: ChatAsk, tap: ChatTap, identity: Identity, used: Usage) -> bytes:
        return chat_length.length_ending(
            tap.first, identity, tap.unfinished, used if ask.include_usage else None
        )


class _Completions:
    surface = Surface.CHAT
    surface_name = Surface.CHAT.value
    upstream_path = b"/v1/completions"

    def read_ask(self, top: TopLevel) -> CompletionAsk:
        return completions.read_ask(top)

    def wish(self, ask: CompletionAsk) -> Wish:
        return Wish(ask.limit, ask.copies, media_out=False, searches=0)

    def visible(self, _top: TopLevel, ask: CompletionAsk) -> bool:
        # With `best_of`, texts are written that nobody sees.
        return ask.copies == ask.choices

    def prepare(
        self, top: TopLevel, ask: CompletionAsk, _account: Account, limit: int | None
    ) -> bytes:
        return completions.prepare(top, ask, model=None, output_limit=limit, force_usage=True)

    def read_reply(self, body: bytes) -> ReplyFacts:
        return completions.read_reply(body)

    def normal(self, body: bytes, _identity: Identity) -> bytes:
        return body

    def tap(self, ask: CompletionAsk, _account: Account, _identity: Identity) -> ChatTap:
        return ChatTap(copies=ask.choices, hide_usage=not ask.include_usage)

    def length_ending(
        self, ask: CompletionAsk, tap: ChatTap, identity: Identity, used: Usage
    ) -> bytes:
        return completions.length_ending(
            tap.first, identity, tap.unfinished, used if ask.include_usage else None
        )


# Each takes its own kind of ask, and only ever gets back what its own `read_ask` returned.
CHAT = cast("Dialect", _Chat())
COMPLETIONS = cast("Dialect", _Completions())
