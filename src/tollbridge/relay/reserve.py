"""Owns the money before a call: its bound, its hold, and gate 1.

Rules: money.md, "One call", steps 2 to 4. Raises ApiError when the money or the books are not
there; it must not know of connections.
"""

from tollbridge.billing.bill import Bill, pack
from tollbridge.billing.bounds import Ask as BoundAsk
from tollbridge.billing.bounds import Bound, Unaffordable, bound, counted_cost, input_bound
from tollbridge.billing.ledger import DatabaseDown, Ledger
from tollbridge.billing.pricing import AmountTooLarge
from tollbridge.core.errors import ApiError, Kind
from tollbridge.core.money import format_usd
from tollbridge.core.settings import Settings
from tollbridge.relay.call import Call
from tollbridge.relay.meter import estimate_input, known_client
from tollbridge.relay.purses import Purses, shortage
from tollbridge.relay.slices import HiddenOutput
from tollbridge.storage.ledger_items import HoldResult, Poisoned

# A client that takes our advice adds `,"max_completion_tokens":1000000`, which is input as well.
_ADVICE_TOKENS = 16


class Reserve:
    """Sets money aside for calls."""

    def __init__(self, ledger: Ledger, settings: Settings, purses: Purses) -> None:
        self._ledger = ledger
        self._settings = settings
        self._purses = purses
        self.hidden = HiddenOutput()

    async def hold(self, call: Call) -> None:
        """Bound the call and ask for its hold; wait for it where money is short (step 3).

        Raises ApiError balance_insufficient, key_limit_reached, budget_reached or database_down.
        """
        known = self._purses.known(call.key, call.at_ms)
        call.purses = known or await self._purses.find(call.key, call.at_ms)
        self._measure_input(call)
        free = self._ledger.free(call.purses)
        if free is None or not self._bound(call, free):
            await self._afford(call)
        if self._ledger.must_wait(call.purses, call.amount):
            await self._hold_first(call)
        else:
            self._ask(call)

    async def confirm(self, call: Call) -> None:
        """Gate 1: return once the hold is durable; raises ApiError when it is refused for good."""
        result = await self._result(call)
        if not result.ok:
            # Money came and went since the call was sent: ask once more with fresh figures.
            self._must_be_for_money(call, result)
            await self._look(call)
            self._ask(call)
            result = await self._result(call)
            if not result.ok:
                raise self._short(call, result.short, 0)

    def _measure_input(self, call: Call) -> None:
        body, blobs = call.exchange.body, call.blobs
        settings = self._settings
        call.has_media = blobs.media
        call.input_bound = input_bound(len(body), blobs, call.model.context, settings.blob_tokens)
        call.input_estimate = min(call.input_bound, estimate_input(len(body), blobs))

    async def _afford(self, call: Call) -> None:
        """Bound the call by figures just read: only they may refuse it."""
        free = await self._look(call)
        if not self._bound(call, free):
            raise self._unaffordable(call, free)

    async def _hold_first(self, call: Call) -> None:
        self._ask(call)
        result = await self._result(call)
        if result.ok:
            return
        self._must_be_for_money(call, result)
        await self._afford(call)
        self._ask(call)
        result = await self._result(call)
        if not result.ok:
            raise self._short(call, result.short, 0)

    async def _look(self, call: Call) -> int:
        try:
            await self._ledger.look(call.purses)
        except DatabaseDown:
            raise ApiError(Kind.DATABASE_DOWN) from None
        return self._ledger.free(call.purses) or 0

    def _bound(self, call: Call, free: int) -> bool:
        outcome = self._try_bound(call, free)
        if isinstance(outcome, Unaffordable):
            return False
        call.amount = outcome.amount
        call.output_limit = outcome.output_limit
        call.tariff = outcome.tariff
        return True

    def _slice_tokens(self, call: Call) -> int:
        """Return what a first slice pays for, 0 where the hold has to be for the whole call.

        The hold is made before an account is picked, so all that may be tried have to stop on abort
        (docs/decisions/0014-slices.md).
        """
        sliced = (
            call.ask.stream
            and all(call.dialect.sliced(account) for account in call.channel.accounts)
            and call.model.id not in self.hidden
            # An effort that came with the name makes the model think, whatever the body says.
            and call.effort is None
            and call.dialect.visible(call.source, call.ask)
        )
        return self._settings.slice_tokens if sliced else 0

    def _try_bound(self, call: Call, free: int, more_input: int = 0) -> Bound | Unaffordable:
        settings = self._settings
        wish = call.wish
        counted = wish.counted
        ask = BoundAsk(
            input_tokens=call.input_bound + more_input,
            limit=wish.limit,
            copies=wish.copies,
            max_output=call.model.max_output if wish.has_output else 0,
            floor_tokens=settings.hold_floor_tokens,
            share=settings.hold_share,
            media_in=call.has_media,
            media_out=wish.media_out,
            searches=wish.searches,
            slice_tokens=self._slice_tokens(call),
            counted=0 if counted is None else counted_cost(counted, call.price),
            whole=wish.whole,
        )
        try:
            return bound(ask, call.price, call.multiplier, free)
        except AmountTooLarge:
            raise ApiError(
                Kind.INVALID_REQUEST, "The call is too large to be priced.", code="call_too_large"
            ) from None

    def _ask(self, call: Call) -> None:
        call.hold = self._ledger.hold(
            call.tid, call.purses, call.amount, call.at_ms, pack(call.bill)
        )

    async def _result(self, call: Call) -> HoldResult:
        assert call.hold is not None
        assert call.hold.future is not None
        try:
            result: HoldResult = await call.hold.future
        except DatabaseDown:
            raise ApiError(Kind.DATABASE_DOWN) from None
        except Poisoned:
            call.hold = None
            raise ApiError(Kind.INTERNAL) from None
        if not result.ok:
            call.hold = None
        return result

    def _unaffordable(self, call: Call, free: int) -> ApiError:
        outcome = self._try_bound(call, free, _ADVICE_TOKENS)
        affordable = outcome.affordable_tokens if isinstance(outcome, Unaffordable) else 0
        return self._short(call, self._poorest(call), affordable)

    def _poorest(self, call: Call) -> int:
        return min(call.purses, key=lambda purse: self._ledger.free((purse,)) or 0)

    def _must_be_for_money(self, call: Call, refused: HoldResult) -> None:
        """Raise ApiError for a hold that is not to be asked for again: it may have been posted."""
        if refused.short is None:
            raise self._short(call, None, 0)

    def _short(self, call: Call, purse: int | None, affordable: int) -> ApiError:
        if purse is None:
            # Not money was lacking: this node's epoch is over, and a new one begins in a moment.
            return ApiError(Kind.DATABASE_DOWN)
        short = shortage(call.key, purse, call.at_ms)
        free = max(self._ledger.free(call.purses) or 0, 0)
        advice = f" With max_tokens of {affordable} or less it would fit." if affordable > 0 else ""
        return ApiError(
            short.kind,
            f"{short.whose} does not cover this call: ${format_usd(free)} is free."
            f"{advice}{short.advice}",
            retry_after_s=short.retry_after_s,
            facts={"key_last6": call.key.last6, "model": call.ask.model},
        )


def make_bill(call: Call) -> Bill:
    """Return the bill of an admitted call, before any account has been tried."""
    key, channel = call.key, call.channel
    return Bill(
        tid=call.tid,
        at_ms=call.at_ms,
        user_id=key.user_id,
        key_id=key.id,
        key_name=key.name,
        wallet_id=key.wallet_id,
        channel_id=channel.id,
        channel_name=channel.name,
        account_id=None,
        model_asked=call.ask.model,
        model_sent=call.upstream_model,
        surface=call.dialect.surface_name,
        platform=channel.platform,
        stream=call.ask.stream,
        price_id=call.price.id,
        num=call.multiplier.num,
        den=call.multiplier.den,
        client=known_client(call.exchange.headers),
        factors=call.factors,
    )
