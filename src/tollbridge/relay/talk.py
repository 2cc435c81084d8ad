"""Owns what all dialects of texts and conversations have in common; media has its own ways."""

from typing import Any

from tollbridge.catalog.prices import Price
from tollbridge.catalog.snapshot import Account, Model
from tollbridge.core.errors import Surface
from tollbridge.protocols.blobs import BlobScan, scan
from tollbridge.protocols.cost_splice import Place
from tollbridge.protocols.usage import Usage
from tollbridge.relay.dialects import Framing
from tollbridge.relay.exchange import Exchange
from tollbridge.relay.meter import estimated_usage

KEEPALIVE = b": keepalive\n\n"


class Talk:
    """A dialect whose answer is text: nothing is sold by the piece, everything is bounded by tokens."""

    surface: Surface
    surface_name: str
    free = False
    images = False
    cost_place: Place | None = None
    heartbeat = KEEPALIVE

    def check(self, _ask: Any, _model: Model) -> None:
        """Texts have no limits but those in tokens."""

    def makes_images(self, _ask: Any) -> bool:
        """Say whether images may be made."""
        return False

    def visible(self, _source: Any, _ask: Any) -> bool:
        """Say whether all output that is billed will be text in the answer."""
        return False

    def blobs(self, exchange: Exchange, _ask: Any) -> BlobScan:
        """Return what the request carries besides text."""
        return scan(exchange.body)

    def serves(self, _account: Account) -> bool:
        """Every account can be asked, in its own protocol or by translation."""
        return True

    def sliced(self, _account: Account) -> bool:
        """Say whether a stream may begin with a slice of its hold."""
        return False

    def estimate(self, _ask: Any, input_tokens: int, text_bytes: int) -> Usage:
        """Return the usage of a call whose upstream said nothing."""
        return estimated_usage(input_tokens, text_bytes)

    def settled(self, _ask: Any, usage: Usage, _price: Price) -> Usage:
        """Return the usage to charge: what the upstream said."""
        return usage

    def framing(self) -> Framing | None:
        """Streams are server-sent events."""
        return None
