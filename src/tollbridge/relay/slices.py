"""Owns the growth of a stream's hold: when more is asked for, how much, and what a refusal means.

A sliced stream begins with a small hold and extends it while it runs, so that a wallet is not tied
up by answers that end early. Text is counted here at the most tokens that it can be; a checkpoint
travels with each extension (money.md, "One call", step 5). It must not know frames or clients.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from tollbridge.billing.bounds import TEXT_BYTES_PER_TOKEN, Tariff
from tollbridge.billing.ledger import Ledger
from tollbridge.billing.pricing import AmountTooLarge, Unpriced, costs
from tollbridge.core.settings import Settings
from tollbridge.protocols.usage import Usage
from tollbridge.relay.call import Call
from tollbridge.relay.checkpoint import NO_LIMIT, Answer, Checkpoints
from tollbridge.relay.meter import most_tokens, with_request
from tollbridge.storage.ledger_items import HoldResult, Look

MOST_SLICES: Final = 16
"""Extensions double up to so many first slices."""

LEAST_TOKENS: Final = 256
"""Output below which a smaller extension is not worth asking for."""

_HIDDEN_TOKENS = 256


class Slices(Checkpoints):
    """The hold and the checkpoints of one sliced stream.

    After a refusal nothing more is asked for before the text has come to the limit.
    """

    __slots__ = (
        "_asked",
        "_closed",
        "_due_bytes",
        "_extended",
        "_most",
        "_slice",
        "_tariff",
        "_text",
    )

    def __init__(
        self,
        call: Call,
        tariff: Tariff,
        ledger: Ledger,
        step_nano: int,
        slice_tokens: int,
        *,
        extended: Callable[[], None],
    ) -> None:
        """Begin with `slice_tokens`; `extended` is called for each extension granted."""
        super().__init__(call, ledger, step_nano)
        self._extended = extended
        self._tariff = tariff
        self._asked = 0
        self._closed = False
        self._due_bytes = 0
        self._text = 0
        self._slice = slice_tokens
        self._most = slice_tokens * MOST_SLICES
        self._measure()

    def write(self, text_bytes: int) -> None:
        """Write a checkpoint, with an extension when one is due; nothing while one is under way."""
        if self._asked:
            return
        if text_bytes < self._due_bytes:
            super().write(text_bytes)
            self.next_bytes = min(self.next_bytes, self._due_bytes)
            return
        paid = max(self._tariff.tokens(self._call.amount), most_tokens(text_bytes))
        self._text = text_bytes
        self._ask(self._tariff.cost(paid + self._next_slice()), self._answered)

    def pays(self, usage: Usage | None) -> bool:
        """Say whether the durable hold pays for an answer of this usage."""
        if usage is None or usage.interim:
            return False
        call = self._call
        try:
            cost = costs(
                with_request(usage, call.price), call.price.served(usage.tier), call.multiplier
            )[0]
        except (AmountTooLarge, Unpriced):
            return False
        return cost <= call.amount

    def close(self) -> None:
        """Ask for nothing more and tell nobody."""
        self._closed = True

    def _next_slice(self) -> int:
        return min(self._slice * 2, self._most)

    def _measure(self) -> None:
        """Work out how much text the durable hold pays for, and when half of that is used up."""
        amount = self._call.amount
        if amount >= self._tariff.worst:
            # No text can make the call cost more than this, however its tokens are counted.
            self.limit_bytes = self._due_bytes = NO_LIMIT
        else:
            self.limit_bytes = self._tariff.tokens(amount) * TEXT_BYTES_PER_TOKEN
            self._due_bytes = self.limit_bytes // 2
        self.next_bytes = min(self._text + self._step_bytes, self._due_bytes)

    def _ask(self, target: int, answered: Callable[[asyncio.Future[HoldResult]], None]) -> None:
        self._asked = target
        # Until the answer is here there is nothing to do before the limit.
        self.next_bytes = self.limit_bytes + 1
        self._covered = max(self._covered, self._cost(self._text))
        call = self._call
        future = self._ledger.update(call.tid, target, self._covered, self._bill(self._text))
        future.add_done_callback(answered)

    def _answered(self, future: asyncio.Future[HoldResult]) -> None:
        answer = _read(future)
        if answer is not Answer.SHORT or self._closed:
            self._tell(answer)
            return
        # The figures that this node has may be old: only fresh ones say what is left.
        self._ledger.ask(Look(self._call.purses)).add_done_callback(self._looked)

    def _looked(self, future: asyncio.Future[Any]) -> None:
        if future.exception() is not None:
            self._tell(Answer.LATE)
            return
        call, tariff = self._call, self._tariff
        target = min(self._asked, call.amount + max(self._ledger.free(call.purses) or 0, 0))
        more = tariff.tokens(target) - tariff.tokens(call.amount)
        if self._closed or (more < LEAST_TOKENS and target < self._asked):
            self._tell(Answer.SHORT)
        else:
            self._ask(target, self._answered_again)

    def _answered_again(self, future: asyncio.Future[HoldResult]) -> None:
        self._tell(_read(future))

    def _tell(self, answer: Answer) -> None:
        target, self._asked = self._asked, 0
        if answer is Answer.MORE:
            self._extended()
            self._call.amount = max(self._call.amount, target)
            self._slice = self._next_slice()
            self._measure()
        else:
            self._due_bytes = self.limit_bytes + 1
            self.next_bytes = min(self._text + self._step_bytes, self._due_bytes)
        if self.told is not None and not self._closed:
            self.told(answer)


def cover(
    call: Call, ledger: Ledger, settings: Settings, extended: Callable[[], None]
) -> Checkpoints:
    """Return what keeps a stream's hold and checkpoints, by the kind of hold it has."""
    if call.tariff is None:
        return Checkpoints(call, ledger, settings.checkpoint_nano)
    return Slices(
        call,
        call.tariff,
        ledger,
        settings.checkpoint_nano,
        settings.slice_tokens,
        extended=extended,
    )


class HiddenOutput:
    """Models that were seen to bill more output than they show; theirs are not sliced again.

    Known to this process alone, by the catalogue's id: the first such call of a process may cost
    more than its slices.
    """

    __slots__ = ("_models",)

    def __init__(self) -> None:
        self._models: set[int] = set()

    def __contains__(self, model_id: int) -> bool:
        return model_id in self._models

    def learn(self, call: Call, usage: Usage | None, text_bytes: int) -> None:
        """Take note of what a call billed and showed."""
        if usage is not None and usage.output > most_tokens(text_bytes) + _HIDDEN_TOKENS:
            self._models.add(call.model.id)


def _read(future: asyncio.Future[HoldResult]) -> Answer:
    if future.exception() is not None:
        return Answer.LATE
    result = future.result()
    if result.ok:
        return Answer.MORE
    return Answer.GONE if result.short is None else Answer.SHORT
