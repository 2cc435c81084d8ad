"""Owns what a bill needs to know of a call, and the usage row made of it at the end.

A bill travels inside its hold, so that a call whose process died can still be posted and
explained. Pure values: no SQL, no clock, nothing derived from a body but counts.
"""

from typing import Any

import msgspec

from tollbridge.protocols.usage import Usage
from tollbridge.storage.ledger_items import UsageRow

CLIENT_NAME_MAX = 40


class Bill(msgspec.Struct, array_like=True):
    """The facts of one call. Field order is the format of the `hold.bill` column: only append."""

    tid: str
    at_ms: int
    user_id: int
    key_id: int
    key_name: str
    wallet_id: int
    channel_id: int
    channel_name: str
    account_id: int | None
    model_asked: str
    model_sent: str
    surface: str
    platform: str
    stream: bool
    price_id: int
    num: int
    den: int
    client: str
    input: int = 0
    output: int = 0
    used: Usage | None = None
    """All buckets so far, where a call has more than text; they go before `input` and `output`."""
    factors: str | None = None
    """What the multiplier is made of, as JSON, where that is more than the channel's own."""


class Ending(msgspec.Struct, frozen=True):
    """How a call ended: what its usage row says besides the bill.

    `status` is what the client was answered; times are milliseconds; `held` is the hold at its
    largest and costs are nano-dollars.
    """

    state: str
    status: int = 200
    error_kind: str | None = None
    flags: tuple[str, ...] = ()
    usage: Usage = Usage()
    model_answered: str | None = None
    list_cost: int = 0
    own_cost: int = 0
    held: int = 0
    first_token_ms: int | None = None
    total_ms: int = 0
    attempts: str | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Bill)


def pack(bill: Bill) -> str:
    """Return the text that is stored in the hold."""
    return _encoder.encode(bill).decode()


def unpack(text: str) -> Bill:
    """Read a stored bill; raises msgspec.ValidationError when it is none."""
    return _decoder.decode(text)


def usage_row(bill: Bill, end: Ending) -> UsageRow:
    """Return the usage row without its last two columns, charge and loss (the writer's)."""
    used = end.usage
    return (
        bill.tid, bill.at_ms, bill.user_id, bill.key_id, bill.key_name, bill.wallet_id,
        bill.channel_id, bill.channel_name, bill.account_id, bill.model_asked, bill.model_sent,
        end.model_answered, bill.surface, bill.platform, bill.stream, end.status, end.error_kind,
        end.state, ",".join(end.flags), used.input, used.cache_read, used.cache_write_5m,
        used.cache_write_1h, used.output, used.reasoning, used.audio_input, used.audio_output,
        used.image_input, used.image_output, counted_items(used), bill.price_id, bill.num,
        bill.den, end.list_cost, end.own_cost, end.held, end.first_token_ms, end.total_ms,
        bill.client, end.attempts, used.tier or None, bill.factors, 0,
    )  # fmt: skip


def counted_items(usage: Usage) -> str | None:
    """Return the JSON of what is counted and not token-priced; None for the usual empty case."""
    if not (usage.request or usage.web_search or usage.second or usage.character or usage.images):
        return None
    items: dict[str, Any] = {
        name: count
        for name in ("request", "web_search", "second", "character")
        if (count := getattr(usage, name))
    }
    if usage.images:
        items["images"] = [[one.size, one.quality, one.count] for one in usage.images]
    return _encoder.encode(items).decode()
