"""Owns what differs between metered surfaces: the interface of one, and of one errand for it.

A dialect is the client's side: how a request is read and what it may cost. An errand is one try of a
call as one account's upstream gets it, with the way back. Each surface has a file of its own. Pure
interfaces; must not know how any of it is done.
"""

from typing import Any, NamedTuple, Protocol

from tollbridge.catalog.prices import Price
from tollbridge.catalog.snapshot import Account, Model
from tollbridge.core.errors import Surface
from tollbridge.protocols.answer import Identity
from tollbridge.protocols.blobs import BlobScan
from tollbridge.protocols.cost_splice import Place
from tollbridge.protocols.facts import ReplyFacts
from tollbridge.protocols.media_request import Source
from tollbridge.protocols.media_usage import Counted
from tollbridge.protocols.tap import Tap
from tollbridge.protocols.usage import Usage
from tollbridge.relay.exchange import Exchange


class Asked(Protocol):
    """What every dialect knows of its request; the rest is its own business."""

    @property
    def model(self) -> str:
        """The model's name as the client wrote it."""

    @property
    def stream(self) -> bool:
        """Whether the answer is to be streamed."""


class Wish(NamedTuple):
    """What a request says about its cost.

    `limit`: output tokens a copy, None without one; `searches`: web searches at most. `counted` is
    what is sold by the piece; `whole` says that no output limit can be written into the request.
    """

    limit: int | None
    copies: int = 1
    media_out: bool = False
    searches: int = 0
    counted: Counted | None = None
    whole: bool = False
    has_output: bool = True


class Task(NamedTuple):
    """One call as an errand needs to know it; it stays the same over all tries.

    `model` is the name to send upstream, `effort` one that came as a suffix of the client's name;
    `limit` an output limit to write. `sold` is the catalogue's model.
    """

    source: Source
    ask: Any
    limit: int | None
    identity: Identity
    model: str
    sold: Model
    effort: str | None


class Errand(Protocol):
    """One try: what to send, and how to read what comes back."""

    path: bytes
    """Path and query below the account's base URL."""
    body: bytes
    content_type: bytes
    native: bool
    """The client speaks the upstream's own protocol, so its protocol's headers may pass."""

    def read(self, body: bytes, content_type: bytes) -> tuple[ReplyFacts, bytes]:
        """Return what a whole answer says, and it as the client is to get it. Never raises."""

    def tap(self) -> Tap:
        """Return what watches the stream of this try."""


class Framing(Protocol):
    """How the frames of a stream travel, where it is not as server-sent events."""

    content_type: bytes
    heartbeat: bytes

    def open(self, frames: bytes = b"") -> bytes:
        """Return the first bytes."""

    def more(self, frames: bytes) -> bytes:
        """Return the bytes of further frames."""

    def close(self, frames: bytes = b"") -> bytes:
        """Return the last bytes."""


class Dialect(Protocol):
    """One metered surface, perhaps bound to what the path of a request says."""

    surface: Surface
    surface_name: str
    """The surface as text: asking an enum for its value costs as much as a look-up."""
    free: bool
    """The call costs nothing anywhere (it counts tokens): nothing is held for it."""
    heartbeat: bytes
    """What keeps a silent stream open."""
    images: bool
    """Every call of it makes images, so the channel must be enabled for them."""
    cost_place: Place | None
    """Where its answers tell what a call cost; None where they cannot, so no request may ask."""

    def read(self, exchange: Exchange) -> tuple[Source, Any]:
        """Read a request into its source and its ask.

        Raises PeekError, FormError, FieldError, Refused.
        """

    def wish(self, ask: Any) -> Wish:
        """Say what it may cost."""

    def check(self, ask: Any, model: Model) -> None:
        """Raise Refused for what the model's own limits do not allow."""

    def makes_images(self, ask: Any) -> bool:
        """Say whether images may be made by this call."""

    def visible(self, source: Any, ask: Any) -> bool:
        """Say whether all output that is billed will be text in the answer."""

    def blobs(self, exchange: Exchange, ask: Any) -> BlobScan:
        """Return what the request carries besides text."""

    def serves(self, account: Account) -> bool:
        """Say whether an account's upstream can answer such a call at all."""

    def sliced(self, account: Account) -> bool:
        """Say whether a stream through this account may begin with a slice of its hold."""

    def errand(self, task: Task, account: Account) -> Errand:
        """Make one try ready; FieldError for what this account's vendor cannot be told."""

    def estimate(self, ask: Any, input_tokens: int, text_bytes: int) -> Usage:
        """Return the usage of a call whose upstream said nothing."""

    def settled(self, ask: Any, usage: Usage, price: Price) -> Usage:
        """Return the usage to charge of what the upstream said."""

    def framing(self) -> Framing | None:
        """Return how frames travel to this client, None for server-sent events."""
