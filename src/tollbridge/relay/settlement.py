"""Owns the end of a call: its usage, its cost, its usage row; one row of the end table each.

Rules: money.md, "One call", steps 6 and 7, and the end table. Every way out of the pipeline passes
here exactly once; it hands the ledger a settle (or a record, when nothing was held).
"""

import asyncio
import re

import msgspec
from msgspec.structs import replace

from tollbridge.billing.bill import Ending, usage_row
from tollbridge.billing.ledger import Ledger
from tollbridge.billing.pricing import AmountTooLarge, Unpriced, costs, own_cost
from tollbridge.core.errors import ApiError, Kind
from tollbridge.core.telemetry import Metrics
from tollbridge.protocols.usage import Usage
from tollbridge.relay.call import Call
from tollbridge.relay.meter import with_request
from tollbridge.storage.ledger_items import Settle

_CLIENT_CLOSED = 499
_MODEL_NAME = re.compile(r"[!-~]{1,200}")


class Settlement:
    """Ends calls in the books."""

    def __init__(self, ledger: Ledger, metrics: Metrics) -> None:
        self._ledger = ledger
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()

    def complete(
        self,
        call: Call,
        usage: Usage | None,
        text_bytes: int,
        model_answered: str | None,
        *,
        gone: bool = False,
    ) -> Settle:
        """The upstream finished its answer: exact where it told the usage, else estimated."""
        flags = _estimated(usage)
        if gone:
            flags.append("client_disconnected")
        return self._charge(
            call,
            "complete",
            usage,
            text_bytes,
            model_answered,
            flags,
            _CLIENT_CLOSED if gone else 200,
        )

    def gone(self, call: Call, usage: Usage | None, text_bytes: int, model: str | None) -> Settle:
        """The client left and the upstream was stopped: the input and what was streamed."""
        flags = ["client_disconnected", *_estimated(usage)]
        return self._charge(call, "client_gone", usage, text_bytes, model, flags, _CLIENT_CLOSED)

    def partial(
        self, call: Call, usage: Usage | None, text_bytes: int, model: str | None
    ) -> Settle:
        """The upstream was cut after content: the input and what was streamed."""
        flags = ["partial", *_estimated(usage)]
        return self._charge(call, "partial", usage, text_bytes, model, flags, 200)

    def limited(
        self, call: Call, usage: Usage | None, text_bytes: int, model: str | None
    ) -> Settle:
        """The money for more was not there: the input and what the client was shown."""
        self._metrics.cut_short()
        flags = ["estimated", "balance_short"]
        if usage is not None:
            # Of what was produced, the client has seen only a part.
            begun = replace(usage, output=0, reasoning=0, interim=True)
            usage = begun if begun.tokens_in() else None
        return self._charge(call, "limited", usage, text_bytes, model, flags, 200)

    def free(self, call: Call) -> None:
        """The call costs nothing anywhere, and nothing was held for it."""
        ending = self._ending(call, "complete", 200, Usage(), None, ())
        self._ledger.record(usage_row(call.bill, ending))
        self._metrics.request_done(call.dialect.surface_name, "complete")

    def nothing(self, call: Call, error: ApiError, status: int) -> None:
        """The call came to nothing: it costs nothing, and its row says why."""
        state = _state_of_nothing(call, error)
        ending = self._ending(call, state, status, Usage(), None, (), error_kind=error.kind.value)
        row = usage_row(call.bill, ending)
        if call.hold is None:
            self._ledger.record(row)
        else:
            # In the queue this comes after the hold, so it also ends one that is on its way.
            self._ledger.settle(call.tid, 0, row, call.purses)
        self._metrics.request_done(call.dialect.surface_name, state)

    def _charge(
        self,
        call: Call,
        state: str,
        usage: Usage | None,
        text_bytes: int,
        model_answered: str | None,
        flags: list[str],
        status: int,
    ) -> Settle:
        used = call.used = with_request(_used(call, usage, text_bytes), call.price)
        try:
            cost, list_nano = costs(used, call.price.served(used.tier), call.multiplier)
        except (AmountTooLarge, Unpriced):
            # Figures that no price can be worked out for: the hold is what was agreed to.
            cost, list_nano = call.amount, 0
            flags.append("clamped")
        if "estimated" in flags:
            cost = min(cost, call.amount)
        if used.clamped and "clamped" not in flags:
            flags.append("clamped")
        if model_answered and model_answered != call.bill.model_sent:
            flags.append("model_mismatch")
        ending = self._ending(call, state, status, used, model_answered, tuple(flags), list_nano)
        self._metrics.request_done(call.dialect.surface_name, state)
        return self._ledger.settle(call.tid, cost, usage_row(call.bill, ending), call.purses)

    def _ending(
        self,
        call: Call,
        state: str,
        status: int,
        usage: Usage,
        model_answered: str | None,
        flags: tuple[str, ...],
        list_nano: int = 0,
        error_kind: str | None = None,
    ) -> Ending:
        now = self._loop.time()
        first = call.first_token_at
        account = call.account
        return Ending(
            state=state,
            status=status,
            error_kind=error_kind,
            flags=flags,
            usage=usage,
            model_answered=_model_name(model_answered),
            list_cost=list_nano,
            own_cost=own_cost(list_nano, account.cost) if account else 0,
            held=call.amount,
            first_token_ms=None if first is None else int((first - call.started_at) * 1000),
            total_ms=int((now - call.started_at) * 1000),
            attempts=_attempts(call),
        )


def _estimated(usage: Usage | None) -> list[str]:
    """Return the flag of what is not exact: also where only the input is."""
    return ["estimated"] if usage is None or usage.interim else []


def _used(call: Call, usage: Usage | None, text_bytes: int) -> Usage:
    """Return what is charged: what the upstream said it used, and an estimate of what it did not."""
    dialect = call.dialect
    if usage is not None and not usage.interim:
        return dialect.settled(call.ask, usage, call.price)
    guess = dialect.estimate(call.ask, call.input_estimate, text_bytes)
    return guess if usage is None else replace(usage, output=guess.output, interim=False)


def _model_name(answered: str | None) -> str | None:
    """An upstream's model name is free text: only what can be a name is worth a column."""
    if answered is None or _MODEL_NAME.fullmatch(answered) is None:
        return None
    return answered


def _state_of_nothing(call: Call, error: ApiError) -> str:
    if error.kind is Kind.DATABASE_DOWN:
        return "database_lost"
    if not call.attempts:
        return "refused"
    last = call.attempts[-1][1]
    # A good try whose hold was refused afterwards: the client got nothing of it.
    return {"empty": "empty", "ok": "refused"}.get(last, "upstream_error")


def _attempts(call: Call) -> str | None:
    """Only what went wrong is worth a column: one good try leaves it empty."""
    if len(call.attempts) == 1 and call.attempts[0][1] == "ok":
        return None
    return msgspec.json.encode(call.attempts).decode() if call.attempts else None
