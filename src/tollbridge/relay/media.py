"""Owns what all dialects of OpenAI's media endpoints have in common, and their errand.

Nothing of such a call can be cut short, so all it can cost is held. What an answer does not tell of
what is sold is estimated. Pure: values in, values out.
"""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

from tollbridge.billing.bounds import counted_cost
from tollbridge.billing.pricing import AmountTooLarge, Unpriced, completed, list_cost
from tollbridge.catalog.prices import Price
from tollbridge.catalog.snapshot import Account, Model
from tollbridge.core.errors import ApiError, Kind, Surface
from tollbridge.protocols import media_request
from tollbridge.protocols.blobs import BlobScan, scan
from tollbridge.protocols.cost_splice import Place
from tollbridge.protocols.facts import ReplyFacts
from tollbridge.protocols.json_peek import FieldError, peek
from tollbridge.protocols.media_request import Source
from tollbridge.protocols.media_usage import Counted
from tollbridge.protocols.multipart import Form
from tollbridge.protocols.tap import Tap
from tollbridge.protocols.usage import Usage
from tollbridge.relay.dialects import Errand, Framing, Task, Wish
from tollbridge.relay.exchange import Exchange
from tollbridge.relay.media_taps import Told, only_told
from tollbridge.relay.straight import JSON, renamed


class MediaAsk(NamedTuple):
    """A request as the relay needs it. `inner` is the endpoint's own; `stream` says how it is relayed:
    a sound streams although no events are asked for.
    """

    model: str
    stream: bool
    content_type: bytes
    inner: Any


class Media(ABC):
    """A dialect of one media endpoint, at accounts that speak OpenAI's protocol."""

    surface = Surface.MEDIA
    surface_name = Surface.MEDIA.value
    free = False
    images = False
    cost_place: Place | None = None
    # An answer that begins late may turn out to be no event stream.
    heartbeat = b""
    media_out = False
    has_output = True

    def __init__(self, path: bytes) -> None:
        self.path = path

    # what an endpoint says

    @abstractmethod
    def ask_of(self, source: Source) -> Any:
        """Read the endpoint's own ask; FieldError."""

    @abstractmethod
    def facts_of(self, body: bytes, content_type: bytes, ask: Any) -> ReplyFacts:
        """Read a whole answer. Never raises."""

    @abstractmethod
    def guess(self, ask: Any, text_bytes: int) -> Usage:
        """Return what a call probably used; `text_bytes` is how much text came back."""

    def streams(self, _ask: Any) -> bool:
        """Say whether the answer is passed on as it comes."""
        return False

    def watch(self, ask: Any, told: Told) -> Tap:
        """Return what watches an answer that is passed on as it comes."""
        raise NotImplementedError

    def copies(self, _ask: Any) -> int:
        """Return how many outputs are made."""
        return 1

    def counted(self, _ask: Any) -> Counted | None:
        """Return what is used at most of the things that are sold each."""
        return None

    def limits(self, ask: Any, model: Model) -> None:  # noqa: B027 (most have none)
        """Raise Refused for what the model does not offer."""

    def carried(self, body: bytes, _ask: Any) -> BlobScan:
        """Return what a request carries besides text."""
        return scan(body)

    def source(self, body: bytes, _content_type: bytes) -> Source:
        """Return the request's fields; PeekError, FormError."""
        return peek(body)

    # the dialect

    def read(self, exchange: Exchange) -> tuple[Source, MediaAsk]:
        """Read a request; PeekError, FormError, FieldError."""
        content_type = exchange.headers.get(b"content-type", b"")
        source = self.source(exchange.body, content_type)
        ask = self.ask_of(source)
        sent = content_type if isinstance(source, Form) else JSON
        return source, MediaAsk(ask.model, self.streams(ask), sent, ask)

    def wish(self, ask: MediaAsk) -> Wish:
        """Say what it may cost: no limit can be written, so all of it is held."""
        return Wish(
            None,
            self.copies(ask.inner),
            self.media_out,
            counted=self.counted(ask.inner),
            whole=True,
            has_output=self.has_output,
        )

    def check(self, ask: MediaAsk, model: Model) -> None:
        """Raise Refused for what the model does not offer, ApiError for what is not sold."""
        must_be_sold_so(ask.model, model)
        self.limits(ask.inner, model)
        counted = self.counted(ask.inner)
        if counted is None:
            return
        try:
            counted_cost(counted, price_of(model))
        except Unpriced:
            raise ApiError(Kind.MODEL_UNPRICED, facts={"model": ask.model}) from None
        except AmountTooLarge:
            text = "The call is too large to be priced."
            raise ApiError(Kind.INVALID_REQUEST, text, code="call_too_large") from None

    def makes_images(self, _ask: MediaAsk) -> bool:
        """Say whether this call makes images although others of its kind do not."""
        return False

    def visible(self, _source: Source, _ask: MediaAsk) -> bool:
        """Say whether what is billed can be seen as it comes."""
        return False

    def blobs(self, exchange: Exchange, ask: MediaAsk) -> BlobScan:
        """Return what the request carries besides text."""
        return self.carried(exchange.body, ask.inner)

    def serves(self, account: Account) -> bool:
        """Only OpenAI's protocol has these endpoints."""
        return account.platform == "openai"

    def sliced(self, _account: Account) -> bool:
        """All is held from the beginning."""
        return False

    def errand(self, task: Task, _account: Account) -> Errand:
        """Make one try ready."""
        return MediaErrand(self, task)

    def estimate(self, ask: MediaAsk, _input_tokens: int, text_bytes: int) -> Usage:
        """Return the usage of a call whose upstream said nothing."""
        return self.guess(ask.inner, text_bytes)

    def settled(self, ask: MediaAsk, usage: Usage, price: Price) -> Usage:
        """Return the usage to charge: what was told, and of what is sold the rest as estimated."""
        return completed(usage, self.guess(ask.inner, 0), price)[0]

    def framing(self) -> Framing | None:
        """Answers travel as they come."""
        return None


class MediaErrand:
    """One try at an account that has the endpoint: bytes stay as they are."""

    __slots__ = ("_ask", "_identity", "_media", "_price", "body", "content_type", "path")

    native = True

    def __init__(self, media: Media, task: Task) -> None:
        self._media = media
        self._ask = task.ask.inner
        self._identity = task.identity
        self._price = price_of(task.sold)
        self.path = media.path
        self.body = sent_body(task)
        self.content_type: bytes = task.ask.content_type

    def read(self, body: bytes, content_type: bytes) -> tuple[ReplyFacts, bytes]:
        """Return what the answer says, and the answer itself."""
        facts = only_told(self._media.facts_of(body, content_type, self._ask), self._told)
        if self._identity.renamed and content_type.lower().startswith(JSON):
            body = renamed(body, self._identity.model)
        return facts, body

    def tap(self) -> Tap:
        """Return what watches the answer as it comes."""
        return self._media.watch(self._ask, self._told)

    def _told(self, usage: Usage | None) -> Usage | None:
        """Return a usage in which something is that is sold; None when all of that is a guess."""
        if usage is None:
            return None
        guessed = completed(usage, self._media.guess(self._ask, 0), self._price)[1]
        return None if guessed and not _is_sold(usage, self._price) else usage


def sent_body(task: Task) -> bytes:
    """Return the body to send: the client's own but for another model's name.

    FieldError for a name that the client's form cannot carry.
    """
    if not task.identity.renamed:
        return task.source.body
    try:
        return media_request.renamed(task.source, task.model)
    except ValueError:
        raise FieldError("model", "a name that the form's boundary is no part of") from None


def must_be_sold_so(name: str, model: Model) -> None:
    """Raise ApiError for a name with an effort at its end, which has no meaning for media."""
    if name != model.name and not model.name.endswith("*"):
        raise ApiError(Kind.MODEL_UNKNOWN, facts={"model": name})


def price_of(model: Model) -> Price:
    """Return the price of a model that was admitted: it has one."""
    assert model.price is not None
    return model.price


def _is_sold(usage: Usage, price: Price) -> bool:
    try:
        return list_cost(usage, price) > 0
    except (AmountTooLarge, Unpriced):
        # Settlement knows what to do with such figures.
        return True
