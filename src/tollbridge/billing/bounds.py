"""Owns the bound of a call: the most it can cost, and the output limit that makes that true.

A call whose output is watched needs no limit: its first hold is a slice, and a tariff says how much
output any hold pays for. Rules: money.md, "One call", step 2. Pure; must not know purses or how a
limit is written into a request.
"""

import msgspec

from tollbridge.billing.pricing import MILLION, dearest_image, list_cost, total_of
from tollbridge.catalog.prices import Price
from tollbridge.core.money import Multiplier, ceil_div
from tollbridge.protocols.blobs import BlobScan
from tollbridge.protocols.media_usage import Counted
from tollbridge.protocols.usage import Usage

TEXT_BYTES_PER_TOKEN = 2
"""A token may be as short as this: the side of every bound."""


class Ask(msgspec.Struct, frozen=True, gc=False):
    """What a call asks for, in tokens.

    `input_tokens`: at most so many go in (`input_bound`). `limit`: the client's own output limit
    for each choice, None without one. `copies`: choices in all (n, best_of, prompts; >= 1).
    `max_output`: the model's limit for each choice, 0 when it has no output. `floor_tokens`: output
    tokens of the whole call below which it is not worth sending. `share`: at most one part in so
    many of the free money is held beyond the floor (>= 1). `media_in`, `media_out`: whether images
    or audio may be billed in or out; `searches`: web searches at most. `slice_tokens`: output
    tokens of the whole call that a first hold pays for where the rest follows while it runs, 0
    where the hold has to be for the whole call. `counted`: what images, characters and seconds cost
    at most at list price, in nano-dollars (`counted_cost`). `whole`: the request has no field for
    an output limit, so its worst case is held or nothing.
    """

    input_tokens: int
    limit: int | None
    copies: int
    max_output: int
    floor_tokens: int
    share: int
    media_in: bool = True
    media_out: bool = False
    searches: int = 0
    slice_tokens: int = 0
    counted: int = 0
    whole: bool = False


class Tariff(msgspec.Struct, frozen=True, gc=False):
    """What visible output costs at most, token by token, on top of the input.

    `fixed` and `per_token` are millionths of a nano-dollar at list price; `worst` is what the call
    can cost at most, in nano-dollars: no hold has to be larger.
    """

    fixed: int
    per_token: int
    multiplier: Multiplier
    worst: int

    def cost(self, tokens: int) -> int:
        """Return what a hold for so many output tokens is, in nano-dollars (>= 1)."""
        parts = self.fixed + tokens * self.per_token
        if parts * self.multiplier.num >= self.worst * self.multiplier.den * MILLION:
            return self.worst
        return total_of(parts, self.multiplier) or 1

    def tokens(self, amount: int) -> int:
        """Return the most output tokens that a hold below the worst case pays for."""
        return max(_payable(amount, self.multiplier, self.fixed, self.per_token), 0)


class Bound(msgspec.Struct, frozen=True, gc=False):
    """What to hold: `amount` nano-dollars (>= 1), which the call cannot exceed.

    `output_limit` is to be written into the request, for each choice; None leaves the request as it
    is. `worst` is what the call could have cost without a written limit. With a `tariff` the amount
    is a first slice: the call may not be let exceed it before the hold has grown.
    """

    amount: int
    output_limit: int | None
    worst: int
    tariff: Tariff | None = None


class Unaffordable(msgspec.Struct, frozen=True, gc=False):
    """The free money does not pay for the least worth sending.

    `affordable_tokens` is the output limit for each choice that it would pay for; 0 when it does
    not even pay for the input and one token.
    """

    affordable_tokens: int


def input_bound(body_bytes: int, blobs: BlobScan, context: int, blob_tokens: int) -> int:
    """Return the most input tokens that a body of so many bytes can be, in a context window."""
    if blobs.opaque:
        return context
    text = ceil_div(body_bytes - blobs.bytes, TEXT_BYTES_PER_TOKEN)
    return min(context, text + blob_tokens * blobs.count)


def counted_cost(counted: Counted, price: Price) -> int:
    """Return the most that things sold each can cost at list price, in nano-dollars.

    Images cost what the dearest price row says that their size and quality can come to. Raises
    Unpriced when the price sells neither them nor tokens nor requests.
    """
    cost = list_cost(Usage(character=counted.characters, second=counted.seconds), price)
    if counted.images:
        cost += counted.images * dearest_image(price, counted.size, counted.quality)
    return cost


def bound(ask: Ask, price: Price, multiplier: Multiplier, available: int) -> Bound | Unaffordable:
    """Return what to hold of `available` nano-dollars (the poorest purse's free money).

    Any usage within the ask's input and the resulting output limit is charged at most the amount.
    Where the worst case fits, the client's or the model's own limit is the bound and the request
    stays as it is. Raises AmountTooLarge.
    """
    fixed, per_token = _rates(ask, price)
    limit = ask.max_output if ask.limit is None else ask.limit
    worst = total_of(fixed + limit * per_token, multiplier) or 1
    if ask.slice_tokens and ask.copies * limit > ask.slice_tokens:
        tariff = Tariff(fixed, per_token // ask.copies, multiplier, worst)
        if tariff.cost(ask.slice_tokens) < worst:
            return _first_slice(ask, tariff, available)
    affordable = available // ask.share
    if worst <= (available if ask.whole else affordable):
        return Bound(worst, None, worst)
    if ask.whole:
        return Unaffordable(0)
    floor_limit = min(limit, max(ask.floor_tokens // ask.copies, 1))
    floor = total_of(fixed + floor_limit * per_token, multiplier) or 1
    if floor > available:
        return Unaffordable(max(min(_payable(available, multiplier, fixed, per_token), limit), 0))
    hold = max(floor, affordable)
    if worst <= hold:
        return Bound(worst, None, worst)
    limit = _payable(hold, multiplier, fixed, per_token)
    return Bound(total_of(fixed + limit * per_token, multiplier), limit, worst)


def _first_slice(ask: Ask, tariff: Tariff, available: int) -> Bound | Unaffordable:
    """Hold a slice, or what there is for one down to the floor; no limit is written."""
    amount = min(tariff.cost(ask.slice_tokens), available)
    if amount < tariff.cost(min(ask.slice_tokens, ask.floor_tokens)):
        return Unaffordable(tariff.tokens(available) // ask.copies)
    return Bound(amount, None, tariff.worst, tariff)


def _payable(hold: int, multiplier: Multiplier, fixed: int, per_token: int) -> int:
    """Return the largest limit whose bound is within a hold; negative when the input is not."""
    if hold <= 0 or not per_token:
        return 0
    return (hold * multiplier.den * MILLION // multiplier.num - fixed) // per_token


def _rates(ask: Ask, price: Price) -> tuple[int, int]:
    """Return (all but the output, output of one token in each choice) in parts of a nano-dollar.

    Dearest bucket and tier throughout, service tiers too: which it will be, nobody knows before.
    """
    dearest_in, dearest_out = price.dearest(media_in=ask.media_in, media_out=ask.media_out)
    items = price.request + price.web_search * ask.searches + ask.counted
    return ask.input_tokens * dearest_in + items * MILLION, ask.copies * dearest_out
