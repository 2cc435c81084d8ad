"""Owns the dialect of Anthropic Messages. Pure: values in, values out."""

from typing import Any, cast

import msgspec

from tollbridge.catalog.snapshot import Account
from tollbridge.core.errors import Surface
from tollbridge.protocols import cost_splice, messages
from tollbridge.protocols.abilities import Addressee, abilities_of
from tollbridge.protocols.answer import Identity
from tollbridge.protocols.conversation import Thinking, Wire
from tollbridge.protocols.facts import ReplyFacts
from tollbridge.protocols.json_peek import TopLevel, peek
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.messages import MessagesAsk
from tollbridge.protocols.messages_request_writer import write_request
from tollbridge.protocols.messages_stream import MessagesTap
from tollbridge.protocols.tool_names import ToolNames
from tollbridge.protocols.translation import read_request
from tollbridge.relay.dialects import Dialect, Errand, Task, Wish
from tollbridge.relay.exchange import Exchange
from tollbridge.relay.responses_dialects import SEARCHES_MOST
from tollbridge.relay.straight import Straight
from tollbridge.relay.talk import Talk
from tollbridge.relay.translated import Translated

_PING = b'event: ping\ndata: {"type": "ping"}\n\n'


class _Messages(Talk):
    surface = Surface.MESSAGES
    surface_name = Surface.MESSAGES.value
    heartbeat = _PING
    cost_place = cost_splice.MESSAGES

    def read(self, exchange: Exchange) -> tuple[TopLevel, MessagesAsk]:
        top = peek(exchange.body)
        return top, messages.read_ask(top)

    def wish(self, ask: MessagesAsk) -> Wish:
        uses = SEARCHES_MOST if ask.web_search_uses is None else ask.web_search_uses
        return Wish(ask.limit, 1, media_out=False, searches=uses if ask.web_search else 0)

    def visible(self, _top: TopLevel, ask: MessagesAsk) -> bool:
        thinks = ask.thinking in {"enabled", "adaptive"}
        return not (thinks or ask.web_search or ask.server_tools)

    def sliced(self, account: Account) -> bool:
        return account.stops_on_abort and account.platform == "anthropic"

    def errand(self, task: Task, account: Account) -> Errand:
        if account.platform == "anthropic":
            return Straight(self, task, account)
        conversation = read_request(Wire.MESSAGES, task.source.body)
        return Translated(conversation, task, account)

    def upstream_path(self, _ask: MessagesAsk, _model: str) -> bytes:
        return b"/v1/messages"

    def prepare(
        self,
        top: TopLevel,
        ask: MessagesAsk,
        account: Account,
        limit: int | None,
        task: Task | None = None,
    ) -> bytes:
        model = None if task is None else task.model
        effort = None if task is None else task.effort
        if task is not None and (effort or messages.has_foreign_thoughts(top.body)):
            top = peek(_rewritten(top, task, account, effort))
        return messages.prepare(top, ask, model=model, output_limit=limit)

    def read_reply(self, body: bytes, _content_type: bytes, _ask: Any) -> ReplyFacts:
        return messages.read_reply(body)

    def normal(self, body: bytes, _identity: Identity) -> bytes:
        return body

    def tap(self, _ask: MessagesAsk, _account: Account, identity: Identity) -> MessagesTap:
        return MessagesTap(identity.model if identity.renamed else None)


def _rewritten(top: TopLevel, task: Task, account: Account, effort: str | None) -> bytes:
    """Return the body by way of the model: without thoughts of others, with the name's effort."""
    conversation = read_request(Wire.MESSAGES, top.body)
    if effort is not None:
        # An effort alone does not make a model think that does not by itself.
        conversation.thinking = Thinking(effort=effort, enabled=True)
    abilities = abilities_of(
        account.platform,
        task.model,
        compatible=account.compatible,
        efforts=task.sold.efforts or None,
    )
    to = Addressee(task.model, abilities, task.sold.max_output, account.compatible)
    return msgspec.json.encode(
        write_request(conversation, to, ToolNames(conversation, 128), Losses())
    )


MESSAGES = cast("Dialect", _Messages())
