"""Owns the dialects of chat completions and legacy text completions. Pure: values in, values out."""

from functools import partial
from typing import Any, cast

import msgspec

from tollbridge.catalog.snapshot import Account
from tollbridge.core.errors import Surface
from tollbridge.protocols import chat, chat_length, completions, cost_splice
from tollbridge.protocols.answer import Identity
from tollbridge.protocols.chat import ChatAsk
from tollbridge.protocols.chat_normal import StreamNormaliser, normal_reply
from tollbridge.protocols.chat_stream import ChatTap
from tollbridge.protocols.completions import CompletionAsk
from tollbridge.protocols.conversation import Wire
from tollbridge.protocols.facts import ReplyFacts
from tollbridge.protocols.json_peek import TopLevel, peek
from tollbridge.protocols.translation import read_request
from tollbridge.protocols.usage import Usage
from tollbridge.relay.dialects import Dialect, Errand, Task, Wish
from tollbridge.relay.exchange import Exchange
from tollbridge.relay.straight import Straight
from tollbridge.relay.talk import Talk
from tollbridge.relay.translated import Translated

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


class _Chat(Talk):
    surface = Surface.CHAT
    surface_name = Surface.CHAT.value
    cost_place = cost_splice.CHAT

    def read(self, exchange: Exchange) -> tuple[TopLevel, ChatAsk]:
        top = peek(exchange.body)
        return top, chat.read_ask(top)

    def wish(self, ask: ChatAsk) -> Wish:
        media = any(kind != "text" for kind in ask.modalities)
        return Wish(ask.limit, ask.copies, media, 1 if ask.web_search else 0)

    def makes_images(self, ask: ChatAsk) -> bool:
        return "image" in ask.modalities

    def visible(self, top: TopLevel, ask: ChatAsk) -> bool:
        if ask.web_search or any(kind != "text" for kind in ask.modalities):
            return False
        if top.raw("reasoning_effort") not in _SHOWN_EFFORTS:
            return False
        if any(top.kind(name) is not None for name in _HIDING):
            return False
        return not ask.has_tools or _CUSTOM_TOOL not in (top.raw("tools") or b"")

    def sliced(self, account: Account) -> bool:
        return account.stops_on_abort and account.platform == "openai"

    def errand(self, task: Task, account: Account) -> Errand:
        if account.platform == "openai":
            return Straight(self, task, account)
        conversation = read_request(Wire.CHAT, task.source.body)
        return Translated(conversation, task, account)

    def upstream_path(self, _ask: ChatAsk, _model: str) -> bytes:
        return b"/v1/chat/completions"

    def prepare(
        self,
        top: TopLevel,
        ask: ChatAsk,
        account: Account,
        limit: int | None,
        task: Task | None = None,
    ) -> bytes:
        if task is not None and task.effort is not None:
            top = peek(top.replaced({"reasoning_effort": msgspec.json.encode(task.effort)}))
        return chat.prepare(
            top,
            ask,
            model=None if task is None else task.model,
            output_limit=limit,
            force_usage=True,
            limit_field_default="max_tokens" if account.compatible else "max_completion_tokens",
        )

    def read_reply(self, body: bytes, _content_type: bytes = b"", _ask: Any = None) -> ReplyFacts:
        return chat.read_reply(body)

    def normal(self, body: bytes, identity: Identity) -> bytes:
        return normal_reply(body, identity)

    def tap(self, ask: ChatAsk, account: Account, identity: Identity) -> ChatTap:
        ending = partial(self._length_ending, ask, identity)
        rename = identity.model if identity.renamed else None
        if account.compatible:
            normaliser = StreamNormaliser(identity, want_usage=ask.include_usage)
            return ChatTap(copies=ask.copies, normaliser=normaliser, ending=ending)
        return ChatTap(
            copies=ask.copies, hide_usage=not ask.include_usage, rename=rename, ending=ending
        )

    @staticmethod
    def _length_ending(ask: ChatAsk, identity: Identity, tap: ChatTap, used: Usage) -> bytes:
        return chat_length.length_ending(
            tap.first, identity, tap.unfinished, used if ask.include_usage else None
        )


class _Completions(Talk):
    surface = Surface.CHAT
    surface_name = Surface.CHAT.value
    cost_place = cost_splice.CHAT

    def read(self, exchange: Exchange) -> tuple[TopLevel, CompletionAsk]:
        top = peek(exchange.body)
        return top, completions.read_ask(top)

    def wish(self, ask: CompletionAsk) -> Wish:
        return Wish(ask.limit, ask.copies)

    def visible(self, _top: TopLevel, ask: CompletionAsk) -> bool:
        # With `best_of`, texts are written that nobody sees.
        return ask.copies == ask.choices

    def serves(self, account: Account) -> bool:
        return account.platform == "openai"

    def sliced(self, account: Account) -> bool:
        return account.stops_on_abort

    def errand(self, task: Task, account: Account) -> Errand:
        return Straight(self, task, account)

    def upstream_path(self, _ask: CompletionAsk, _model: str) -> bytes:
        return b"/v1/completions"

    def prepare(
        self,
        top: TopLevel,
        ask: CompletionAsk,
        _account: Account,
        limit: int | None,
        task: Task | None = None,
    ) -> bytes:
        model = None if task is None else task.model
        return completions.prepare(top, ask, model=model, output_limit=limit, force_usage=True)

    def read_reply(self, body: bytes, _content_type: bytes = b"", _ask: Any = None) -> ReplyFacts:
        return completions.read_reply(body)

    def normal(self, body: bytes, _identity: Identity) -> bytes:
        return body

    def tap(self, ask: CompletionAsk, _account: Account, identity: Identity) -> ChatTap:
        rename = identity.model if identity.renamed else None
        return ChatTap(
            copies=ask.choices,
            hide_usage=not ask.include_usage,
            rename=rename,
            ending=partial(self._length_ending, ask, identity),
        )

    @staticmethod
    def _length_ending(ask: CompletionAsk, identity: Identity, tap: ChatTap, used: Usage) -> bytes:
        return completions.length_ending(
            tap.first, identity, tap.unfinished, used if ask.include_usage else None
        )


# Each takes its own kind of ask, and only ever gets back what its own `read` returned.
CHAT = cast("Dialect", _Chat())
COMPLETIONS = cast("Dialect", _Completions())
