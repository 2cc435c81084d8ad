"""Owns receipts: one settled call with the arithmetic of its charge, down to the last nano-dollar.

Whatever a row says, `ceil(subtotal x multiplier) + sum of adjustments` is its charge: counts that
were not charged in full are explained, never hidden. Account names and the operator's own cost are
not in it. Must not know how it is written, nor who may read it.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.billing.pricing import AmountTooLarge, Explanation, Line, Unpriced, explain
from tollbridge.catalog.price_rows import price_of
from tollbridge.catalog.prices import Price
from tollbridge.core.errors import ApiError, Kind, message_of
from tollbridge.core.language import N_
from tollbridge.core.money import Multiplier
from tollbridge.protocols.usage import TOKEN_BUCKETS, ImageCount, Usage
from tollbridge.storage.usage_reads import find_price, find_usage, is_running

_COUNTS = (*TOKEN_BUCKETS, "reasoning")
_ITEMS = ("request", "web_search", "second", "character")
_FREE = {
    "refused": N_("The call was refused before an answer began; it costs nothing."),
    "upstream_error": N_("The provider failed before an answer began; the call costs nothing."),
    "empty": N_("The answer was empty; the call costs nothing."),
    "withheld": N_(
        "The answer was withheld because it could not be recorded; the call costs nothing."
    ),
    "database_lost": N_("The call could not be recorded and was ended; it costs nothing."),
}
_LIMITED = N_(
    "The free money of the balance, or of the key's limit, was used up while the answer was written:"
    " it ended there with finish reason length and costs what was delivered."
)
_RECLAIMED = N_("The call was interrupted; it is charged as far as it was last recorded.")
_CUT_SHORT = {
    "client_gone": N_("The client left: the call costs its input and what was written until then."),
    "partial": N_("The provider broke off: the call costs its input and what was delivered."),
    "reclaimed": _RECLAIMED,
}
_DRAINED = N_("The client left, but the provider went on: the call costs the whole answer.")
_ESTIMATED = N_("The provider did not tell all that was used: counts are estimated from the text.")
_CLAMPED = N_("The usage that the provider told did not add up and was put right.")
_GIVEN_BACK = N_("Given back: the charge of this call was reversed.")
_LOST = N_("Not charged: more than was reserved and than the wallet had; the operator bears it.")


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What the charge differs by from the priced counts, in nano-dollars: mostly below zero.

    `reason` is a text that can be translated.
    """

    reason: str
    amount: int
    given_back: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """One settled call. Amounts are nano-dollars, `subtotal_parts` millionths of them.

    `cost` is the priced counts times the multiplier, rounded up once; with the adjustments it makes
    `charge`, which is what the user paid in the end: `given_back` is what a reversal took off, and
    is one of the adjustments. `lines` are empty when the price is not known any more.
    """

    tid: str
    at_ms: int
    key_id: int
    key_name: str
    model_asked: str
    model_sent: str | None
    model_answered: str | None
    channel: str
    surface: str
    platform: str | None
    stream: bool
    client: str | None
    status: int
    end_state: str
    error: str | None
    failure: str | None
    """What the client read when the call failed, in the words of its dialect."""
    said: tuple[str, ...]
    """Why the call costs what it does, in sentences that can be translated."""
    flags: tuple[str, ...]
    counts: dict[str, int]
    lines: tuple[Line, ...]
    tier_above: int | None
    service_tier: str | None
    subtotal_parts: int
    multiplier: Multiplier
    factors: tuple[tuple[str, Multiplier], ...]
    """What the multiplier is the product of, by name."""
    cost: int
    adjustments: tuple[Adjustment, ...]
    charge: int
    given_back: int
    list_cost: int
    first_token_ms: int | None
    total_ms: int

    @property
    def why(self) -> str | None:
        """Why the call failed, and why it costs what it does; None when there is nothing to say."""
        return " ".join(filter(None, (self.failure, *self.said))) or None


class StillRunning(Exception):
    """The call has not been settled yet, so nothing can be said of it."""


async def read_receipt(
    connection: AsyncConnection, tid: str, user_id: int, wallet_id: int
) -> Receipt | None:
    """Return the receipt of a user's call, None when there is none of theirs.

    Raises StillRunning for a call of their wallet that has a hold instead of a usage row.
    """
    row = await find_usage(connection, tid)
    if row is None:
        if await is_running(connection, tid, wallet_id):
            raise StillRunning
        return None
    if row["user_id"] != user_id:
        return None
    stored = await find_price(connection, row["price_id"]) if row["price_id"] else None
    return receipt_of(row, price_of(stored, row["model_asked"]) if stored else None)


def receipt_of(row: RowMapping, price: Price | None) -> Receipt:
    """Return the receipt of a usage row, charged by `price`. Never raises for a strange row."""
    multiplier = Multiplier(row["multiplier_num"], row["multiplier_den"])
    usage = usage_of(row)
    explained = _explained(usage, price, multiplier)
    error = row["error_kind"]
    return Receipt(
        tid=row["tid"],
        at_ms=row["at_ms"],
        key_id=row["key_id"],
        key_name=row["key_name"],
        model_asked=row["model_asked"],
        model_sent=row["model_sent"],
        model_answered=row["model_answered"],
        channel=row["channel_name"],
        surface=row["surface"],
        platform=row["platform"],
        stream=row["stream"],
        client=row["client"],
        status=row["status"],
        end_state=row["end_state"],
        error=error,
        failure=_failure(row),
        said=tuple(_said(row)),
        flags=tuple(filter(None, row["flags"].split(","))),
        counts={name: row[name] for name in _COUNTS if row[name]},
        lines=explained.lines,
        tier_above=explained.tier_above,
        service_tier=row["service_tier"],
        subtotal_parts=sum(line.parts for line in explained.lines),
        multiplier=multiplier,
        factors=_factors(row, multiplier),
        cost=explained.total,
        adjustments=tuple(_adjustments(row, explained.total, priced=bool(explained.lines))),
        charge=row["charge"] - row["reversed"],
        given_back=row["reversed"],
        list_cost=row["list_cost"],
        first_token_ms=row["first_token_ms"],
        total_ms=row["total_ms"],
    )


def _factors(row: RowMapping, multiplier: Multiplier) -> tuple[tuple[str, Multiplier], ...]:
    """Return what a row's multiplier is made of: mostly its channel's alone."""
    if not row["factors"]:
        return (("channel", multiplier),)
    return tuple((name, Multiplier(num, den)) for name, num, den in json.loads(row["factors"]))


def usage_of(row: RowMapping) -> Usage:
    """Return the usage that a row counts, counted items included."""
    items = json.loads(row["items"] or "{}")
    return Usage(
        **{name: row[name] for name in _COUNTS},
        **{name: items.get(name, 0) for name in _ITEMS},
        images=tuple(ImageCount(*image) for image in items.get("images", ())),
        tier=row["service_tier"] or "",
    )


def _explained(usage: Usage, price: Price | None, multiplier: Multiplier) -> Explanation:
    if price is not None:
        try:
            return explain(usage, price.served(usage.tier), multiplier)
        except (Unpriced, AmountTooLarge):
            pass
    return Explanation((), None, multiplier, 0)


def _adjustments(row: RowMapping, cost: int, *, priced: bool) -> Iterator[Adjustment]:
    """Say what lies between the priced counts and the charge (money.md, end table)."""
    other = row["charge"] + row["loss"] - cost
    if other:
        yield Adjustment(_reason(row, other, priced=priced), other)
    if row["loss"]:
        yield Adjustment(_LOST, -row["loss"])
    if row["reversed"]:
        yield Adjustment(_GIVEN_BACK, -row["reversed"], given_back=True)


def _reason(row: RowMapping, difference: int, *, priced: bool) -> str:
    if not row["charge"] and row["end_state"] in _FREE:
        return N_("Not charged: no answer was delivered.")
    if row["end_state"] == "reclaimed" and "voided" in row["flags"].split(","):
        return N_("Not charged: the call was open when the books were restored from a backup.")
    if row["end_state"] == "reclaimed":
        return _RECLAIMED
    if not priced:
        return N_("The price list of this call is not available any more.")
    if difference < 0 and "estimated" in row["flags"].split(","):
        return N_("Not charged: an estimate never costs more than was reserved.")
    return N_("Not charged.") if difference < 0 else N_("Charged besides the counts above.")


def _failure(row: RowMapping) -> str | None:
    """Return the sentence that the client read, when the call failed."""
    if row["error_kind"] not in set(Kind):
        return None
    facts = {"model": row["model_asked"]}
    words = message_of(ApiError(Kind(row["error_kind"]), facts=facts))
    return words if words.endswith(".") else f"{words}."


def _said(row: RowMapping) -> Iterator[str]:
    """Say why a call costs what it does."""
    state, flags = row["end_state"], row["flags"].split(",")
    if not row["charge"] and state in _FREE:
        yield _FREE[state]
    if state == "limited":
        yield _LIMITED
    if row["charge"]:
        yield from _counted(state, flags)
    if row["reversed"]:
        yield _GIVEN_BACK


def _counted(state: str, flags: Sequence[str]) -> Iterator[str]:
    """Say what the counts of a charged call are, where they are not the provider's of a whole answer."""
    if state in _CUT_SHORT:
        yield _CUT_SHORT[state]
    elif "client_disconnected" in flags:
        yield _DRAINED
    if "estimated" in flags:
        yield _ESTIMATED
    if "clamped" in flags:
        yield _CLAMPED
