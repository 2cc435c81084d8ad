"""Owns the one try of a call that passes through: its account, its request, what its answer means.

What it is about lies at that account, so no other is ever tried. Must not move money.
"""

import asyncio
from typing import Final, cast

from tollbridge.catalog.snapshot import Account
from tollbridge.core.clock import now_ms
from tollbridge.core.errors import ApiError, Kind, clean_upstream_message
from tollbridge.core.settings import Settings
from tollbridge.relay.call import Call
from tollbridge.relay.choice import Choice
from tollbridge.relay.outbound import Outbound
from tollbridge.relay.passthrough import PassThrough
from tollbridge.relay.passthrough_answer import Carriage
from tollbridge.relay.verdicts import Verdict, of_failure, of_status
from tollbridge.upstreams.complaints import UpstreamComplaint, read_complaint
from tollbridge.upstreams.failures import UpstreamFailure
from tollbridge.upstreams.http1 import Http1Client
from tollbridge.upstreams.limits import Deadlines
from tollbridge.upstreams.resets import reset_s

_NOT_FOUND: Final = 404
_TOO_MANY: Final = 429
# Said of what was asked for, not of the account: it is not there, or not in that state.
_OF_REQUEST: Final = frozenset({404, 405, 406, 409, 410, 411, 412, 416, 501})


class PassThroughSender:
    """Sends calls on as they are, one try each."""

    def __init__(
        self, client: Http1Client, settings: Settings, choice: Choice, outbound: Outbound
    ) -> None:
        self._client = client
        self._choice = choice
        self._outbound = outbound
        self._loop = asyncio.get_running_loop()
        self._deadlines = Deadlines(
            connect_s=settings.connect_timeout_s,
            first_byte_s=settings.first_byte_timeout_s,
            idle_s=settings.idle_timeout_s,
            total_s=settings.total_timeout_s,
        )

    async def send(self, call: Call, carriage: Carriage) -> None:
        """Return when a good answer is there, or its start; ApiError when there is none.

        Also when the client had left before that and nobody waits any longer: `carriage.left`.
        """
        account = await self._choice.next(call, set(), None)
        # What goes out has no model's name in it that an account could have under another.
        call.bill.model_sent = call.upstream_model
        started = self._loop.time()
        verdict = await self._try(call, account, carriage)
        self._choice.note(call, account, started, verdict)
        if verdict is not None:
            raise verdict.error

    def must_be_complete(self, call: Call, carriage: Carriage, started: float) -> None:
        """Raise ApiError for an answer that was cut after its start: the try has failed after all."""
        if carriage.failure is None:
            return
        assert call.account is not None
        verdict = of_failure(carriage.failure)
        call.attempts.pop()
        self._choice.note(call, call.account, started, verdict)
        raise verdict.error

    async def _try(self, call: Call, account: Account, carriage: Carriage) -> Verdict | None:
        dialect = cast("PassThrough", call.dialect)
        outbound = self._outbound
        head = outbound.plain_head(call, account, *dialect.request(call.exchange, account))
        try:
            carriage.carry(
                await self._client.send(
                    outbound.target(call, account),
                    head,
                    call.exchange.body,
                    carriage,
                    self._deadlines,
                )
            )
        except UpstreamFailure as failure:
            return of_failure(failure)
        await carriage.begun
        if carriage.failure is not None:
            return of_failure(carriage.failure)
        return None if carriage.good or carriage.left else _judge(carriage)


def _judge(carriage: Carriage) -> Verdict:
    """Return what a refusal means: of this request it says more than of the account."""
    status, headers = carriage.status, dict(carriage.headers)
    complaint = read_complaint(carriage.body)
    if status in _OF_REQUEST and not complaint.about_account:
        return Verdict(f"status_{status}", _refusal(status, complaint), elsewhere=False)
    wait_s = None
    if status == _TOO_MANY:
        wait_s = reset_s(headers, complaint.retry_after_s, now_ms() / 1000)
    return of_status(status, complaint, headers.get(b"retry-after"), wait_s)


def _refusal(status: int, complaint: UpstreamComplaint) -> ApiError:
    message = clean_upstream_message(complaint.message) or None
    if status == _NOT_FOUND:
        return ApiError(Kind.NOT_FOUND, message or "There is nothing of this name.")
    return ApiError(Kind.UPSTREAM_BAD_REQUEST, message, code=complaint.code, param=complaint.param)
