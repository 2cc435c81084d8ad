"""Owns the dialects of embeddings: OpenAI's endpoint and Gemini's two, each at either platform.

The model and whether it is a batch are in Gemini's path, so each such request has a dialect of its
own. Pure: values in, values out.
"""

from typing import Any, Final, cast
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from tollbridge.catalog.snapshot import Account, Model
from tollbridge.core.errors import Surface
from tollbridge.protocols import cost_splice, embeddings, gemini_vectors
from tollbridge.protocols.answer import Identity
from tollbridge.protocols.conversation import Json
from tollbridge.protocols.embeddings import EmbeddingAsk
from tollbridge.protocols.facts import ReplyFacts, decoded, fault_from
from tollbridge.protocols.gemini_embeddings import (
    Embedding,
    Vectors,
    read_gemini_answer,
    read_gemini_ask,
    read_openai_answer,
    read_openai_ask,
    write_gemini_answer,
    write_gemini_ask,
    write_openai_answer,
    write_openai_ask,
)
from tollbridge.protocols.gemini_vectors import VectorAsk
from tollbridge.protocols.json_peek import TopLevel, peek
from tollbridge.protocols.losses import Untranslatable
from tollbridge.protocols.media_request import Source
from tollbridge.protocols.tap import Tap
from tollbridge.protocols.usage import Usage
from tollbridge.relay.dialects import Dialect, Errand, Task, Wish
from tollbridge.relay.exchange import Exchange
from tollbridge.relay.media import Media, must_be_sold_so
from tollbridge.relay.straight import JSON, Straight
from tollbridge.relay.talk import Talk

_PATH: Final = b"/v1/embeddings"
_PLATFORMS: Final = frozenset({"openai", "gemini"})


class Embeddings(Media):
    """OpenAI's endpoint."""

    has_output = False
    cost_place = cost_splice.EMBEDDINGS

    def __init__(self) -> None:
        super().__init__(_PATH)

    def ask_of(self, source: Source) -> EmbeddingAsk:
        """Read what is to be embedded."""
        return embeddings.read_ask(cast("TopLevel", source))

    def serves(self, account: Account) -> bool:
        """Two platforms have embeddings."""
        return account.platform in _PLATFORMS

    def errand(self, task: Task, account: Account) -> Errand:
        """Make one try ready; Untranslatable for what Gemini has no word for."""
        return ToGemini(task) if account.platform == "gemini" else super().errand(task, account)

    def facts_of(self, body: bytes, content_type: bytes, ask: EmbeddingAsk) -> ReplyFacts:
        """Read a whole answer."""
        return embeddings.read_reply(body, content_type, ask)

    def guess(self, ask: EmbeddingAsk, _text_bytes: int) -> Usage:
        """Return what such texts usually take."""
        return embeddings.estimate(ask)


class GeminiEmbeddings(Talk):
    """Gemini's endpoints: embedContent, and batchEmbedContents. `version` is the path's."""

    surface = Surface.GEMINI
    surface_name = Surface.GEMINI.value
    cost_place = cost_splice.GEMINI

    def __init__(self, version: str, model: str, *, batch: bool) -> None:
        self._version = version
        self._model = model
        self._batch = batch

    def read(self, exchange: Exchange) -> tuple[TopLevel, VectorAsk]:
        """Read a request; PeekError, FieldError."""
        top = peek(exchange.body)
        return top, gemini_vectors.read_ask(top, model=self._model, batch=self._batch)

    def wish(self, _ask: VectorAsk) -> Wish:
        """Say what it may cost: only what goes in."""
        return Wish(None, whole=True, has_output=False)

    def check(self, ask: VectorAsk, model: Model) -> None:
        """Raise ApiError for a name with an effort at its end."""
        must_be_sold_so(ask.model, model)

    def serves(self, account: Account) -> bool:
        """Two platforms have embeddings."""
        return account.platform in _PLATFORMS

    def errand(self, task: Task, account: Account) -> Errand:
        """Make one try ready; Untranslatable for what OpenAI has no word for."""
        if account.platform == "gemini":
            return Straight(self, task, account)
        return ToOpenAI(task, batch=self._batch)

    def upstream_path(self, _ask: VectorAsk, model: str) -> bytes:
        """Return where the call goes."""
        return _gemini_path(self._version, model, batch=self._batch)

    def prepare(
        self,
        top: TopLevel,
        _ask: VectorAsk,
        _account: Account,
        _limit: int | None,
        _task: Task | None = None,
    ) -> bytes:
        """Return the body: the client's own, whose model is that of the path."""
        return top.body

    def read_reply(self, body: bytes, _content_type: bytes, _ask: Any) -> ReplyFacts:
        """Read a whole answer."""
        return gemini_vectors.read_reply(body)

    def normal(self, body: bytes, _identity: Identity) -> bytes:
        """Nothing is repaired here."""
        return body

    def tap(self, _ask: VectorAsk, _account: Account, _identity: Identity) -> Tap:
        """Never called: nothing is streamed."""
        raise NotImplementedError


class ToGemini:
    """One try of OpenAI's endpoint at Gemini. Raises Untranslatable, a FieldError."""

    __slots__ = ("_ask", "_counts", "_model", "body", "content_type", "path")

    native = False

    def __init__(self, task: Task) -> None:
        self._ask = read_openai_ask(msgspec.json.decode(task.source.body))
        _refuse_extra(self._ask)
        self._counts: EmbeddingAsk = task.ask.inner
        self._model = task.identity.model
        self.path = _gemini_path("v1beta", task.model, batch=True)
        self.body = msgspec.json.encode(write_gemini_ask(self._ask, task.model))
        self.content_type = JSON

    def read(self, body: bytes, _content_type: bytes) -> tuple[ReplyFacts, bytes]:
        """Return what the answer says, and it as OpenAI says it."""
        fields = decoded(body) or {}
        vectors = read_gemini_answer(fields, self._ask)
        if vectors is None:
            return _facts(fields, vectors), b""
        shown = vectors
        if vectors.estimated:
            # The client is told the figures that it pays for.
            shown = replace(vectors, usage=embeddings.estimate(self._counts))
        answer = write_openai_answer(shown, self._ask, self._model)
        return _facts(fields, vectors), msgspec.json.encode(answer)

    def tap(self) -> Tap:
        """Never called: nothing is streamed."""
        raise NotImplementedError


class ToOpenAI:
    """One try of Gemini's endpoints at OpenAI. Raises Untranslatable, a FieldError."""

    __slots__ = ("_ask", "body", "content_type", "path")

    native = False

    def __init__(self, task: Task, *, batch: bool) -> None:
        given = msgspec.json.decode(task.source.body)
        self._ask = read_gemini_ask(given, model=task.model, batch=batch)
        self.path = _PATH
        self.body = msgspec.json.encode(write_openai_ask(self._ask, task.model))
        self.content_type = JSON

    def read(self, body: bytes, _content_type: bytes) -> tuple[ReplyFacts, bytes]:
        """Return what the answer says, and it as Gemini says it."""
        fields = decoded(body) or {}
        vectors = read_openai_answer(fields, self._ask)
        if vectors is None:
            return _facts(fields, vectors), b""
        return _facts(fields, vectors), msgspec.json.encode(write_gemini_answer(vectors, self._ask))

    def tap(self) -> Tap:
        """Never called: nothing is streamed."""
        raise NotImplementedError


def _facts(fields: Json, vectors: Vectors | None) -> ReplyFacts:
    error = fault_from(fields.get("error"))
    if vectors is None:
        return ReplyFacts(error=error)
    usage = None if vectors.estimated else vectors.usage
    return ReplyFacts(
        usage=usage, usage_seen=usage is not None, finished=True, empty=False, error=error
    )


def _refuse_extra(ask: Embedding) -> None:
    """Raise Untranslatable for a field that may change the vectors and that nobody knows here."""
    for name, value in ask.extra.items():
        if value is not None:
            raise Untranslatable(name, f"This model's vendor has no word for {name}.")


def _gemini_path(version: str, model: str, *, batch: bool) -> bytes:
    action = "batchEmbedContents" if batch else "embedContent"
    return f"/{version}/models/{quote(model, safe='')}:{action}".encode()


EMBEDDINGS = cast("Dialect", Embeddings())
