"""Owns how far a running stream is paid for in the books, should this process die.

The first checkpoint comes at first content, then one for each $0.005 of streamed cost or each
10 s (money.md, step 5). A checkpoint never exceeds the hold, and nobody waits for it.
"""

from tollbridge.billing.bill import pack
from tollbridge.billing.ledger import Ledger
from tollbridge.billing.pricing import costs
from tollbridge.relay.call import Call
from tollbridge.relay.meter import BYTES_PER_TOKEN, estimate_tokens, estimated_usage


class Checkpoints:
    """The checkpoints of one stream. `next_bytes` is when the next one is due."""

    __slots__ = ("_call", "_covered", "_ledger", "_step_bytes", "next_bytes")

    def __init__(self, call: Call, ledger: Ledger, step_nano: int) -> None:
        self._call = call
        self._ledger = ledger
        self._covered = -1
        rate = call.price.rates.output * call.channel.multiplier.num
        per_million = step_nano * 1_000_000 * call.channel.multiplier.den
        tokens = per_million // rate if rate else 1 << 40
        self._step_bytes = max(tokens, 1) * BYTES_PER_TOKEN
        self.next_bytes = self._step_bytes

    def write(self, text_bytes: int) -> None:
        """Write what the stream costs so far, when that is more than was written before."""
        self.next_bytes = text_bytes + self._step_bytes
        call = self._call
        usage = estimated_usage(call.input_estimate, text_bytes)
        covered = min(costs(usage, call.price, call.channel.multiplier)[0], call.amount)
        if covered <= self._covered:
            return
        self._covered = covered
        call.bill.input = call.input_estimate
        call.bill.output = estimate_tokens(text_bytes)
        self._ledger.update(call.tid, call.amount, covered, pack(call.bill))
