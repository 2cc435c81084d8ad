"""Owns the state of one metered call from admission to settlement. Holds no behaviour of its own.

Written by the pipeline and its steps only; nothing here comes from a body but counts and names.
"""

from tollbridge.billing.bill import Bill
from tollbridge.billing.bounds import Tariff
from tollbridge.catalog.prices import Price
from tollbridge.catalog.snapshot import Account, Channel, Model, Snapshot
from tollbridge.core.clock import now_ms
from tollbridge.core.money import Multiplier
from tollbridge.identity.keys import KeyRecord
from tollbridge.protocols.blobs import BlobScan
from tollbridge.protocols.media_request import Source
from tollbridge.protocols.usage import Usage
from tollbridge.relay.dialects import Asked, Dialect, Wish
from tollbridge.relay.exchange import Exchange
from tollbridge.relay.tokens import Token
from tollbridge.storage.counters import Ticket
from tollbridge.storage.ledger_items import Hold


class Call:
    """One call. Times are loop seconds; amounts nano-dollars; sizes bytes."""

    __slots__ = (
        "account", "account_ticket", "amount", "ask", "at_ms", "attempts", "bill", "blobs", "channel",
        "dialect", "effort", "exchange", "factors", "first_token_at", "has_media", "hold", "input_bound",
        "input_estimate", "key", "model", "multiplier", "only_account", "output_limit", "pinned", "price",
        "purses",
        "rate_lines", "snapshot", "source", "started_at", "tariff", "tells_cost", "ticket", "tid",
        "token",
        "upstream_model", "used", "wish",
    )  # fmt: skip

    def __init__(self, exchange: Exchange, tid: str, dialect: Dialect, started_at: float) -> None:
        self.exchange = exchange
        self.tid = tid
        self.dialect = dialect
        self.started_at = started_at
        self.at_ms = now_ms()
        self.snapshot: Snapshot
        self.key: KeyRecord
        self.channel: Channel
        self.model: Model
        self.price: Price
        self.source: Source
        self.ask: Asked
        self.wish: Wish
        self.blobs: BlobScan
        # On the list price, and what it is made of where that is more than the channel's own.
        self.multiplier: Multiplier
        self.factors: str | None = None
        # The name to send upstream, and an effort that came as a suffix of the client's name.
        self.upstream_model = ""
        self.effort: str | None = None
        # The account that has what the call goes on from, where that lies at an upstream.
        self.only_account: int | None = None
        # The channel that the caller named, where it has the right to.
        self.pinned: Channel | None = None
        self.bill: Bill
        self.account: Account | None = None
        # What the account of this attempt was told who calls, where it signs in.
        self.token: Token | None = None
        self.purses: tuple[int, ...] = ()
        self.has_media = False
        self.input_bound = 0
        self.input_estimate = 0
        self.amount = 0
        self.output_limit: int | None = None
        # Where the hold is only a first slice: what more of it costs.
        self.tariff: Tariff | None = None
        self.hold: Hold | None = None
        self.attempts: list[tuple[int, str, int]] = []
        self.first_token_at: float | None = None
        # What the limits counted: for key, user and channel, and for the account of this attempt.
        self.ticket: Ticket | None = None
        self.account_ticket: Ticket | None = None
        self.rate_lines = b""
        # What the call was charged for; None while it has come to nothing.
        self.used: Usage | None = None
        # The request asks for the cost in the answer.
        self.tells_cost = False
