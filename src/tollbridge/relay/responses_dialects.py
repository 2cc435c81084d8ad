"""Owns the dialect of OpenAI Responses. Pure: values in, values out."""

from typing import Any, Final, cast

import msgspec

from tollbridge.catalog.snapshot import Account
from tollbridge.core.errors import Surface
from tollbridge.protocols import cost_splice, responses
from tollbridge.protocols.answer import Identity
from tollbridge.protocols.conversation import Wire
from tollbridge.protocols.facts import ReplyFacts
from tollbridge.protocols.json_peek import PeekError, TopLevel, peek
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.media_request import Refused
from tollbridge.protocols.responses import ResponsesAsk
from tollbridge.protocols.responses_said import said_request
from tollbridge.protocols.responses_stream import ResponsesTap
from tollbridge.protocols.translation import read_request
from tollbridge.relay.dialects import Dialect, Errand, Task, Wish
from tollbridge.relay.exchange import Exchange
from tollbridge.relay.straight import Straight
from tollbridge.relay.talk import Talk
from tollbridge.relay.translated import Translated

SEARCHES_MOST: Final = 10
"""Web searches of one call where the request does not bound them."""


class _Responses(Talk):
    """Its answers think unseen or call tools unseen more often than not, so it is never sliced."""

    surface = Surface.RESPONSES
    surface_name = Surface.RESPONSES.value
    cost_place = cost_splice.RESPONSES

    def __init__(self, path: bytes = b"/v1/responses") -> None:
        self._path = path

    def read(self, exchange: Exchange) -> tuple[TopLevel, ResponsesAsk]:
        top = peek(exchange.body)
        ask = responses.read_ask(top)
        if ask.background:
            # Its price is known only after everybody has left; nothing may run unsettled.
            raise Refused(
                "background_not_supported",
                "background",
                "Background responses are not supported: stream the answer instead.",
            )
        return top, ask

    def wish(self, ask: ResponsesAsk) -> Wish:
        return Wish(ask.limit, 1, ask.image_tool, SEARCHES_MOST if ask.web_search else 0)

    def makes_images(self, ask: ResponsesAsk) -> bool:
        return ask.image_tool

    def errand(self, task: Task, account: Account) -> Errand:
        if account.platform == "openai" and not account.compatible:
            return Straight(self, task, account)
        conversation = read_request(Wire.RESPONSES, task.source.body)
        return Translated(conversation, task, account)

    def upstream_path(self, _ask: ResponsesAsk, _model: str) -> bytes:
        return self._path

    def prepare(
        self,
        top: TopLevel,
        ask: ResponsesAsk,
        _account: Account,
        limit: int | None,
        task: Task | None = None,
    ) -> bytes:
        if responses.has_envelopes(top.body):
            top = peek(_rewritten(top))
        if task is not None and task.effort is not None:
            top = peek(top.replaced({"reasoning": _with_effort(top, task.effort)}))
        model = None if task is None else task.model
        return responses.prepare(top, ask, model=model, output_limit=limit)

    def read_reply(self, body: bytes, _content_type: bytes, _ask: Any) -> ReplyFacts:
        return responses.read_reply(body)

    def normal(self, body: bytes, _identity: Identity) -> bytes:
        return body

    def tap(self, _ask: ResponsesAsk, _account: Account, identity: Identity) -> ResponsesTap:
        return ResponsesTap(identity.model if identity.renamed else None)


class _Compact(_Responses):
    """Shortens a conversation: one whole answer, which no other protocol has."""

    def serves(self, account: Account) -> bool:
        return account.platform == "openai" and not account.compatible


def _rewritten(top: TopLevel) -> bytes:
    """Return the body by way of the model, which drops the thoughts of other vendors."""
    conversation = read_request(Wire.RESPONSES, top.body)
    return msgspec.json.encode(said_request(conversation, conversation.model, Losses()))


def _with_effort(top: TopLevel, effort: str) -> bytes:
    value = msgspec.json.encode(effort)
    try:
        return peek(top.raw("reasoning") or b"{}").replaced({"effort": value})
    except PeekError:
        return b'{"effort":' + value + b"}"


RESPONSES = cast("Dialect", _Responses())
COMPACT = cast("Dialect", _Compact(b"/v1/responses/compact"))
