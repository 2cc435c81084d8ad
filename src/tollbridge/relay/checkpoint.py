"""Owns how far a running stream is paid for in the books, should this process die.

The first checkpoint comes at first content, then one for each $0.005 of streamed cost or each
10 s (money.md, step 5). A checkpoint never exceeds the hold, and nobody waits for it.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from tollbridge.billing.bill import pack
from tollbridge.billing.ledger import Ledger
from tollbridge.billing.pricing import costs
from tollbridge.protocols.usage import Usage
from tollbridge.relay.call import Call
from tollbridge.relay.meter import BYTES_PER_TOKEN, estimate_tokens, estimated_usage

NO_LIMIT: Final = 1 << 62
"""More bytes than any stream has."""


class Answer(StrEnum):
    """What came of asking for more."""

    MORE = "more"
    SHORT = "short"
    """The money is not there."""
    LATE = "late"
    """The books did not answer in time."""
    GONE = "gone"
    """The hold is not there any more."""


class Checkpoints:
    """The checkpoints of one stream under a hold that covers all it can come to.

    `next_bytes` is the text at which to call `write` again; `limit_bytes` the text that the durable
    hold pays for, beyond which nothing may pass. `told` hears what came of asking for more.
    """

    __slots__ = ("_call", "_covered", "_ledger", "_step_bytes", "limit_bytes", "next_bytes", "told")

    def __init__(self, call: Call, ledger: Ledger, step_nano: int) -> None:
        self._call = call
        self._ledger = ledger
        self._covered = -1
        rate = call.price.rates.output * call.multiplier.num
        per_million = step_nano * 1_000_000 * call.multiplier.den
        tokens = per_million // rate if rate else 1 << 40
        self._step_bytes = max(tokens, 1) * BYTES_PER_TOKEN
        self.limit_bytes = NO_LIMIT
        self.next_bytes = self._step_bytes
        self.told: Callable[[Answer], None] | None = None

    def write(self, text_bytes: int) -> None:
        """Write what the stream costs so far, when that is more than was written before."""
        self.next_bytes = text_bytes + self._step_bytes
        covered = self._cost(text_bytes)
        if covered <= self._covered:
            return
        self._covered = covered
        call = self._call
        self._ledger.update(call.tid, call.amount, covered, self._bill(text_bytes))

    def pays(self, _usage: Usage | None) -> bool:
        """Say whether the hold is known to pay for an answer of this usage, whatever its text."""
        return False

    def close(self) -> None:
        """The stream is over: what is still on its way concerns nobody."""

    def _cost(self, text_bytes: int) -> int:
        call = self._call
        usage = estimated_usage(call.input_estimate, text_bytes)
        return min(costs(usage, call.price.served(usage.tier), call.multiplier)[0], call.amount)

    def _bill(self, text_bytes: int) -> str:
        bill = self._call.bill
        bill.input = self._call.input_estimate
        bill.output = estimate_tokens(text_bytes)
        return pack(bill)
