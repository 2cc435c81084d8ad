"""Owns the dialect of Gemini's generateContent and streamGenerateContent. Pure.

The model and the way of streaming are in the path, so each request has a dialect of its own.
"""

from typing import Any
from urllib.parse import parse_qsl

import msgspec

from tollbridge.catalog.snapshot import Account
from tollbridge.core.errors import Surface
from tollbridge.protocols import cost_splice, gemini
from tollbridge.protocols.abilities import Addressee, abilities_of
from tollbridge.protocols.answer import Identity
from tollbridge.protocols.conversation import Conversation, Thinking, Wire
from tollbridge.protocols.facts import ReplyFacts, decoded
from tollbridge.protocols.gemini import GeminiAsk
from tollbridge.protocols.gemini_array import HEARTBEAT, ArrayFraming
from tollbridge.protocols.gemini_names import name_in, spelled
from tollbridge.protocols.gemini_request_writer import write_request
from tollbridge.protocols.gemini_stream import GeminiTap
from tollbridge.protocols.json_peek import TopLevel, peek
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.tool_names import ToolNames
from tollbridge.protocols.translation import read_request
from tollbridge.relay.dialects import Errand, Framing, Task, Wish
from tollbridge.relay.exchange import Exchange
from tollbridge.relay.responses_dialects import SEARCHES_MOST
from tollbridge.relay.straight import Straight
from tollbridge.relay.talk import Talk
from tollbridge.relay.translated import Translated

_BLANK = b"\r\n"
_CONFIG = "generationConfig"
_THINKING = "thinkingConfig"


class _Array(ArrayFraming):
    """The stream of a client that did not ask for `alt=sse`."""

    content_type = b"application/json"
    heartbeat = HEARTBEAT


class GeminiCall(Talk):
    """One generating request. `version` is the path's, such as v1beta."""

    surface = Surface.GEMINI
    surface_name = Surface.GEMINI.value
    cost_place = cost_splice.GEMINI
    # A comment breaks Google's own client.
    heartbeat = _BLANK

    def __init__(self, version: str, model: str, *, stream: bool) -> None:
        self._version = version
        self._model = model
        self._stream = stream
        self._array = False

    def read(self, exchange: Exchange) -> tuple[TopLevel, GeminiAsk]:
        """Read the request; RoleMissing, FieldError, RangeError, PeekError."""
        asked = dict(parse_qsl(exchange.query.decode("latin-1")))
        self._array = self._stream and asked.get("alt") != "sse"
        top = peek(exchange.body)
        return top, gemini.read_ask(top, model=self._model, stream=self._stream)

    def wish(self, ask: GeminiAsk) -> Wish:
        """Say what it may cost."""
        media = any(kind != "text" for kind in ask.modalities)
        return Wish(ask.limit, ask.copies, media, SEARCHES_MOST if ask.web_search else 0)

    def makes_images(self, ask: GeminiAsk) -> bool:
        """Say whether images may be made."""
        return "image" in ask.modalities

    def visible(self, _top: TopLevel, ask: GeminiAsk) -> bool:
        """Only a model that is told not to think shows all that it bills."""
        plain = not any(kind != "text" for kind in ask.modalities)
        return ask.thinking_budget == 0 and plain and not (ask.web_search or ask.code_execution)

    def sliced(self, account: Account) -> bool:
        """Say whether a stream may begin with a slice of its hold."""
        return account.stops_on_abort and account.platform == "gemini"

    def errand(self, task: Task, account: Account) -> Errand:
        """Make one try ready."""
        if account.platform == "gemini":
            return Straight(self, task, account)
        conversation = read_request(
            Wire.GEMINI, task.source.body, model=task.model, stream=self._stream
        )
        return Translated(conversation, task, account)

    def upstream_path(self, _ask: GeminiAsk, model: str) -> bytes:
        """Return where the call goes; streams are always read as events."""
        action = "streamGenerateContent?alt=sse" if self._stream else "generateContent"
        return f"/{self._version}/models/{model}:{action}".encode()

    def prepare(
        self,
        top: TopLevel,
        ask: GeminiAsk,
        account: Account,
        limit: int | None,
        task: Task | None = None,
    ) -> bytes:
        """Return the body for an account."""
        if task is not None and task.effort is not None:
            top = peek(_with_effort(top, task, account, task.effort))
        model = None if task is None or not task.identity.renamed else task.model
        return gemini.prepare(top, ask, output_limit=limit, model=model)

    def read_reply(self, body: bytes, _content_type: bytes, _ask: Any) -> ReplyFacts:
        """Read a whole answer."""
        return gemini.read_reply(body)

    def normal(self, body: bytes, _identity: Identity) -> bytes:
        """Nothing is repaired here."""
        return body

    def tap(self, ask: GeminiAsk, _account: Account, identity: Identity) -> GeminiTap:
        """Return what watches the stream."""
        rename = identity.model if identity.renamed else None
        return GeminiTap(copies=ask.copies, rename=rename, identity=identity)

    def framing(self) -> Framing | None:
        """Return how frames travel to this client."""
        return _Array() if self._array else None


def _with_effort(top: TopLevel, task: Task, account: Account, effort: str) -> bytes:
    """Return the body with an effort in the model's own words; all but that stays as it was."""
    wish = Conversation(
        wire=Wire.CHAT, model=task.model, thinking=Thinking(effort=effort, shown=False)
    )
    abilities = abilities_of(
        account.platform,
        task.model,
        compatible=account.compatible,
        efforts=task.sold.efforts or None,
    )
    to = Addressee(task.model, abilities, task.sold.max_output, account.compatible)
    written = write_request(wish, to, ToolNames(wish), Losses()).get(_CONFIG, {})
    field = name_in(top, _CONFIG)
    config = spelled(decoded(top.raw(field) or b"") or {})
    kept = spelled(config.pop(_THINKING, None))
    shown = {name: value for name, value in kept.items() if name == "includeThoughts"}
    thinking = {**shown, **written.get(_THINKING, {})}
    if thinking:
        config[_THINKING] = thinking
    return top.replaced({field: msgspec.json.encode(config)})
