"""Owns the tries of one call: one account after the other until one answers, and what came of each.

Fails over until there is content, never after it (architecture.md, "One request", step 5). It
moves no money.
"""

import asyncio
from collections.abc import Callable, Mapping

from tollbridge.billing.ledger import Ledger
from tollbridge.catalog.snapshot import Account
from tollbridge.core.clock import now_ms
from tollbridge.core.settings import Settings
from tollbridge.core.telemetry import Metrics
from tollbridge.protocols.answer import Identity
from tollbridge.protocols.facts import ReplyFacts
from tollbridge.relay.call import Call
from tollbridge.relay.choice import Choice
from tollbridge.relay.counting import CANNOT_COUNT, Counting
from tollbridge.relay.dialects import Errand, Task
from tollbridge.relay.outbound import Outbound
from tollbridge.relay.outlet import Outlet
from tollbridge.relay.overrides import override
from tollbridge.relay.slices import cover
from tollbridge.relay.stream import End, StreamPump
from tollbridge.relay.tokens import OAUTH
from tollbridge.relay.verdicts import (
    Verdict,
    of_complaint,
    of_empty,
    of_failure,
    of_status,
    of_words,
)
from tollbridge.relay.world import World
from tollbridge.upstreams.complaints import UpstreamComplaint, read_complaint
from tollbridge.upstreams.failures import UpstreamFailure
from tollbridge.upstreams.http1 import Http1Client
from tollbridge.upstreams.limits import Deadlines
from tollbridge.upstreams.resets import reset_s

_OK = 200
_JSON = b"application/json"
_TOO_MANY = 429


class Whole:
    """A successful unary answer: the bytes for the client and what they say of themselves."""

    __slots__ = ("body", "content_type", "estimated", "facts")

    def __init__(
        self, body: bytes, content_type: bytes, facts: ReplyFacts, *, estimated: bool = False
    ) -> None:
        """`estimated`: the answer is our own guess, for nobody else would count."""
        self.body = body
        self.content_type = content_type
        self.facts = facts
        self.estimated = estimated


class Attempts:
    """Tries accounts until one answers."""

    def __init__(
        self,
        client: Http1Client,
        ledger: Ledger,
        settings: Settings,
        metrics: Metrics,
        choice: Choice,
        world: World,
    ) -> None:
        self._world = world
        self._client = client
        self._choice = choice
        self._ledger = ledger
        self._settings = settings
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._outbound = Outbound()
        self._deadlines = Deadlines(
            connect_s=settings.connect_timeout_s,
            first_byte_s=settings.first_byte_timeout_s,
            idle_s=settings.idle_timeout_s,
            total_s=settings.total_timeout_s,
        )

    def must_have_account(self, call: Call) -> None:
        """Raise ApiError no_account when the channel has none to try."""
        self._choice.must_have_account(call)

    async def unary(self, call: Call) -> Whole:
        """Return the first good answer; raises ApiError when no account gave one."""
        tried: set[int] = set()
        verdict: Verdict | None = None
        while True:
            account = await self._choice.next(call, tried, verdict)
            started = self._loop.time()
            outcome = await self._try_unary(call, account)
            verdict = outcome if isinstance(outcome, Verdict) else None
            self._choice.note(call, account, started, verdict)
            if isinstance(outcome, Whole):
                return outcome
            self._choice.go_on(call, tried, outcome)

    async def stream(self, call: Call, outlet: Outlet) -> StreamPump:
        """Return the first try that has content; raises ApiError when no account gave any."""
        tried: set[int] = set()
        verdict: Verdict | None = None
        while True:
            account = await self._choice.next(call, tried, verdict)
            started = self._loop.time()
            pump = await self._try_stream(call, account, outlet)
            verdict = _judge(pump)
            if verdict is not None:
                verdict = self._judged(call, account, verdict)
            self._choice.note(call, account, started, verdict)
            if verdict is None:
                return pump
            pump.stop()
            if pump.gone:
                raise verdict.error
            self._choice.go_on(call, tried, verdict)

    def ended(self, call: Call, pump: StreamPump) -> None:
        """Hold it against the account where a stream broke off after its content, by its own doing."""
        tap = pump.tap
        if pump.complete or pump.gone or pump.end_state is End.LIMITED:
            return
        if tap.error is not None:
            self._choice.broke_off(call, of_complaint(tap.error))
        elif pump.failure is not None:
            self._choice.broke_off(call, of_failure(pump.failure))
        elif pump.end_state is End.DONE:
            self._choice.broke_off(call, of_empty())

    async def _try_unary(self, call: Call, account: Account) -> "Whole | Verdict":
        errand = override(call.dialect.errand(task_of(call), account), call, account)
        counting = errand if isinstance(errand, Counting) else None
        if counting is not None and counting.local:
            return _guess(counting)
        try:
            reply = await self._client.fetch(
                self._outbound.target(call, account),
                self._outbound.head(call, account, errand)
                if account.auth != OAUTH
                else await self._token_head(call, account, errand),
                errand.body,
                self._deadlines,
                self._settings.max_reply_bytes,
            )
        except UpstreamFailure as failure:
            return of_failure(failure)
        headers = dict(reply.headers)
        if counting is not None and reply.status in CANNOT_COUNT:
            return _guess(counting)
        if reply.status != _OK:
            complaint = read_complaint(reply.body)
            return self._judged(call, account, _refused(reply.status, complaint, headers))
        content_type = headers.get(b"content-type", b"application/json")
        facts, answer = errand.read(reply.body, content_type)
        if facts.error is not None:
            return of_complaint(facts.error)
        if facts.empty and not facts.finished and not (facts.usage and facts.usage.output):
            return of_empty()
        return Whole(answer, content_type if errand.native else _JSON, facts)

    async def _try_stream(self, call: Call, account: Account, outlet: Outlet) -> StreamPump:
        errand = override(call.dialect.errand(task_of(call), account), call, account)
        tap = outlet.tap = errand.tap()
        checkpoints = cover(call, self._ledger, self._settings, self._metrics.extended)
        pump = StreamPump(
            tap, outlet, checkpoints, self._settings, drains=not account.stops_on_abort
        )
        exchange = call.exchange
        exchange.watcher = pump
        if exchange.gone:
            pump.client_gone()
        try:
            pump.call = await self._client.send(
                self._outbound.target(call, account),
                self._outbound.head(call, account, errand)
                if account.auth != OAUTH
                else await self._token_head(call, account, errand),
                errand.body,
                pump,
                self._deadlines,
            )
        except UpstreamFailure as failure:
            pump.fail(failure)
        if pump.end_state is End.ABORTED and pump.call is not None:
            # The client left while we were connecting.
            pump.call.abort()
        await pump.begun
        return pump

    async def _token_head(self, call: Call, account: Account, errand: Errand) -> bytes:
        """Return the head for an account that signs in; NoToken when it has nothing to show."""
        call.token = None
        call.token = await self._world.tokens.token(account)
        return self._outbound.token_head(call, account, errand, call.token)

    def _judged(self, call: Call, account: Account, verdict: Verdict) -> Verdict:
        if account.auth != OAUTH:
            return verdict
        return self._world.tokens.judged(account, call.token, verdict)


def serving(call: Call) -> Callable[[Account], bool]:
    """Return which accounts may be tried: one alone where only it knows what the call goes on from."""
    only, serves = call.only_account, call.dialect.serves
    if only is None:
        return serves
    return lambda account: account.id == only and serves(account)


def _guess(counting: Counting) -> Whole:
    return Whole(counting.estimate(), _JSON, ReplyFacts(), estimated=True)


def task_of(call: Call) -> Task:
    """Return a call as the errand of the account that is tried needs to know it."""
    model, asked = call.bill.model_sent, call.ask.model
    identity = Identity(call.tid, call.at_ms // 1000, asked, model != asked)
    return Task(call.source, call.ask, call.output_limit, identity, model, call.model, call.effort)


def _judge(pump: StreamPump) -> Verdict | None:
    """Return what is wrong with a try that has begun, None when it may go to the client."""
    tap = pump.tap
    left = pump.gone and pump.end_state is End.ABORTED
    if tap.content or left:
        return None
    if pump.failure is not None:
        return of_failure(pump.failure)
    if pump.body is not None:
        return _judge_plain(pump)
    if tap.error is not None:
        return of_complaint(tap.error)
    if pump.end_state is None or tap.finished or (tap.usage is not None and tap.usage.output):
        return None
    return of_empty()


def _judge_plain(pump: StreamPump) -> Verdict:
    body = pump.body or b""
    if pump.status == _OK:
        # A JSON document where a stream was asked for: an error inside a 200, whatever it says.
        return of_words(read_complaint(body))
    return _refused(pump.status, read_complaint(body), dict(pump.headers))


def _refused(status: int, complaint: UpstreamComplaint, headers: Mapping[bytes, bytes]) -> Verdict:
    wait_s = None
    if status == _TOO_MANY:
        wait_s = reset_s(headers, complaint.retry_after_s, now_ms() / 1000)
    return of_status(status, complaint, headers.get(b"retry-after"), wait_s)
