"""Owns the money of one realtime session: its hold, its growth, its sum, its settle.

The hold always covers what was used and a reserve for what comes next; both travel to the books in
one statement, which is the checkpoint as well (money.md, "One call", steps 3 to 7). Must not know
of sockets or events but those that say what was used.
"""

import asyncio
from typing import Final

import msgspec

from tollbridge.billing.bill import Ending, pack, usage_row
from tollbridge.billing.bounds import Ask, Bound, bound
from tollbridge.billing.ledger import DatabaseDown, Ledger
from tollbridge.billing.pricing import AmountTooLarge, Unpriced, costs, own_cost
from tollbridge.core.errors import ApiError, Kind
from tollbridge.core.money import MAX_AMOUNT, format_usd
from tollbridge.protocols.realtime import Used
from tollbridge.protocols.realtime_usage import added
from tollbridge.protocols.usage import Usage
from tollbridge.relay.call import Call
from tollbridge.relay.checkpoint import Answer
from tollbridge.relay.meter import estimate_tokens
from tollbridge.relay.purses import shortage
from tollbridge.storage.ledger_items import HoldResult, Poisoned, Settle

_REQUEST: Final = Usage(request=1)
_SEEN_MAX: Final = 10_000
# What the vendor bills for audio that goes in.
_TOKENS_A_SECOND: Final = 10


class Tab:
    """What one session has used and what is set aside for it."""

    def __init__(self, call: Call, ledger: Ledger, slice_tokens: int) -> None:
        """`slice_tokens` go in and come out of the next response at most, beyond the last one."""
        self.used = Usage()
        self.estimated = False
        self._call = call
        self._ledger = ledger
        self._slice = slice_tokens
        self._last = Usage()
        self._seen: set[tuple[bool, str]] = set()
        self._short_purse = 0

    async def open(self) -> None:
        """Hold the first slice; ApiError when money or books are not there."""
        call = self._call
        try:
            call.amount = self._reserve()
        except AmountTooLarge:
            raise ApiError(
                Kind.INVALID_REQUEST, "The call is too large to be priced.", code="call_too_large"
            ) from None
        hold = self._ledger.hold(call.tid, call.purses, call.amount, call.at_ms, pack(call.bill))
        call.hold = hold
        assert hold.future is not None
        try:
            result: HoldResult = await hold.future
        except DatabaseDown:
            raise ApiError(Kind.DATABASE_DOWN) from None
        except Poisoned:
            call.hold = None
            raise ApiError(Kind.INTERNAL) from None
        if not result.ok:
            call.hold = None
            raise await self._unaffordable(result.short)

    async def add(self, told: Used) -> Answer:
        """Count what was used and have it in the books; MORE when the session may go on.

        An event that comes twice counts once. What was counted stays counted whatever the answer.
        """
        if not self._count(told):
            return Answer.MORE
        call = self._call
        cost = self.cost()[0]
        try:
            target = max(call.amount, cost + self._reserve())
        except AmountTooLarge:
            return Answer.SHORT
        answer = await self._update(target, min(cost, target))
        if answer is Answer.SHORT:
            # No more is held, but what was used is in the books should this process die now.
            await self._update(call.amount, min(cost, call.amount))
        elif answer is Answer.MORE:
            call.amount = target
        return answer

    def cost(self) -> tuple[int, int]:
        """Return (charge, list cost) of everything so far, in nano-dollars."""
        call = self._call
        try:
            return costs(self.used, call.price, call.multiplier)
        except (AmountTooLarge, Unpriced):
            # Figures that no price can be worked out for: the hold is what was agreed to.
            return call.amount, 0

    def settle(
        self, state: str, status: int, flags: tuple[str, ...], error: str | None
    ) -> Settle | None:
        """End the session in the books with exactly its sum; nothing may be counted after it.

        One that never held anything leaves only its row, and None.
        """
        call, account = self._call, self._call.account
        cost, list_nano = self.cost()
        if self.estimated:
            flags = (*flags, "estimated")
        if self.used.clamped:
            flags = (*flags, "clamped")
        ending = Ending(
            state=state,
            status=status,
            error_kind=error,
            flags=flags,
            usage=self.used,
            list_cost=list_nano,
            own_cost=own_cost(list_nano, account.cost) if account else 0,
            held=call.amount,
            total_ms=int((asyncio.get_running_loop().time() - call.started_at) * 1000),
            attempts=_attempts(call),
        )
        row = usage_row(call.bill, ending)
        if call.hold is None:
            self._ledger.record(row)
            return None
        call.used = self.used
        return self._ledger.settle(call.tid, cost, row, call.purses)

    def shortage(self) -> ApiError:
        """Return what a client hears when the money for more is not there."""
        short = shortage(self._call.key, self._short_purse, self._call.at_ms)
        return ApiError(
            short.kind,
            f"{short.whose} does not cover another response; the session is over.{short.advice}",
            retry_after_s=short.retry_after_s,
        )

    def _count(self, told: Used) -> bool:
        """Add an event to the sum; False for one that adds nothing."""
        which = (told.response, told.id)
        if told.id and which in self._seen:
            return False
        if told.id and len(self._seen) < _SEEN_MAX:
            self._seen.add(which)
        usage = told.usage
        if usage is None:
            if not told.text_bytes:
                return False
            usage = Usage(output=estimate_tokens(told.text_bytes))
            self.estimated = True
        if usage.second and not self._call.price.second:
            # Nothing is free because its unit has no price of its own.
            heard = usage.audio_input + usage.second * _TOKENS_A_SECOND
            usage = msgspec.structs.replace(usage, second=0, audio_input=heard)
            self.estimated = True
        if told.response:
            self._last = usage
            if self._call.price.request:
                usage = added(usage, _REQUEST)
        self.used = added(self.used, usage)
        return True

    def _reserve(self) -> int:
        """Return what the next response may cost, in nano-dollars: all that the last one read and
        wrote is read again, and a slice more goes in and comes out, at the dearest rates.
        """
        call, last = self._call, self._last
        model = call.model
        written = last.output + last.audio_output
        ask = Ask(
            input_tokens=min(model.context, last.tokens_in() + written + self._slice),
            limit=min(model.max_output, max(written, self._slice)),
            copies=1,
            max_output=model.max_output,
            floor_tokens=1,
            share=1,
            media_out=True,
        )
        outcome = bound(ask, call.price, call.multiplier, MAX_AMOUNT)
        assert isinstance(outcome, Bound)
        return outcome.worst

    async def _update(self, amount: int, covered: int) -> Answer:
        call = self._call
        bill, used = call.bill, self.used
        bill.input, bill.output, bill.used = used.tokens_in(), used.output, used
        try:
            result = await self._ledger.update(call.tid, amount, covered, pack(bill))
        except (DatabaseDown, Poisoned):
            return Answer.LATE
        if result.ok:
            return Answer.MORE
        if result.short is None:
            return Answer.GONE
        self._short_purse = result.short
        return Answer.SHORT

    async def _unaffordable(self, purse: int | None) -> ApiError:
        if purse is None:
            return ApiError(Kind.DATABASE_DOWN)
        call = self._call
        try:
            await self._ledger.look(call.purses)
        except DatabaseDown:
            return ApiError(Kind.DATABASE_DOWN)
        short = shortage(call.key, purse, call.at_ms)
        free = max(self._ledger.free(call.purses) or 0, 0)
        return ApiError(
            short.kind,
            f"{short.whose} does not cover a session: ${format_usd(free)} is free and"
            f" ${format_usd(call.amount)} is set aside for its first response.{short.advice}",
            retry_after_s=short.retry_after_s,
            facts={"key_last6": call.key.last6, "model": call.ask.model},
        )


def _attempts(call: Call) -> str | None:
    """Only what went wrong is worth a column: one good try leaves it empty."""
    if all(outcome == "ok" for _, outcome, _ in call.attempts):
        return None
    return msgspec.json.encode(call.attempts).decode()


async def durable(settle: Settle) -> int | None:
    """Return the operator's loss once a settle is in the books, None when it is not in time."""
    assert settle.future is not None
    try:
        result = await asyncio.shield(settle.future)
    except (DatabaseDown, Poisoned):
        return None
    return int(result.loss)
