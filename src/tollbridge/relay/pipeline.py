"""Owns the path of one metered call; it reads like "One request" of the architecture.

Every call ends in exactly one way in the books, whatever raises and whoever leaves. Steps are in
the files that it calls.
"""

import asyncio

from tollbridge.billing.budgets import Budgets
from tollbridge.billing.ledger import DatabaseDown, Ledger
from tollbridge.core.clock import new_tid
from tollbridge.core.errors import ApiError, Kind, Rendered, render
from tollbridge.core.money import format_usd
from tollbridge.core.settings import Settings
from tollbridge.core.telemetry import Metrics, get_logger
from tollbridge.identity.keys import KeyStore
from tollbridge.notify.kinds import Kind as Alert
from tollbridge.notify.kinds import of_wallet
from tollbridge.protocols.facts import ReplyFacts
from tollbridge.protocols.json_peek import FieldError
from tollbridge.relay import gate, passthrough, told_cost
from tollbridge.relay.attempt import Attempts, serving
from tollbridge.relay.call import Call
from tollbridge.relay.choice import Choice
from tollbridge.relay.counting import ESTIMATED
from tollbridge.relay.exchange import Exchange
from tollbridge.relay.leash import Leash
from tollbridge.relay.outbound import Outbound
from tollbridge.relay.outlet import Outlet
from tollbridge.relay.passthrough import ONE_CALL, PassThrough
from tollbridge.relay.passthrough_answer import Carriage
from tollbridge.relay.passthrough_sender import PassThroughSender
from tollbridge.relay.pins import HEADER, pin
from tollbridge.relay.pool import Pool
from tollbridge.relay.purses import Purses
from tollbridge.relay.replies import header_lines, settled, tracing
from tollbridge.relay.reserve import Reserve, make_bill
from tollbridge.relay.routes import match
from tollbridge.relay.settlement import Settlement
from tollbridge.relay.stream import End, StreamPump
from tollbridge.relay.throttle import Throttle, is_limited
from tollbridge.relay.world import World
from tollbridge.storage.ledger_items import Poisoned, Settle, SettleResult
from tollbridge.upstreams.http1 import Http1Client

_log = get_logger(__name__)


class Relay:
    """Handles metered calls, one `handle` each."""

    def __init__(  # noqa: PLR0913 (it is where the parts of a call come together)
        self,
        world: World,
        ledger: Ledger,
        keys: KeyStore,
        client: Http1Client,
        settings: Settings,
        metrics: Metrics,
        budgets: Budgets,
        throttle: Throttle,
        pool: Pool,
    ) -> None:
        self._world = world
        self._ledger = ledger
        self._keys = keys
        self._settings = settings
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        choice = Choice(pool, throttle, metrics, self._loop.time, settings.max_attempts, serving)
        self._offers = gate.Offers(choice.readiness)
        self._reserve = Reserve(ledger, settings, Purses(budgets))
        self._throttle = throttle
        self._attempts = Attempts(client, ledger, settings, metrics, choice, world)
        self._passing = PassThroughSender(client, settings, choice, Outbound())
        self._settlement = Settlement(ledger, metrics)

    async def handle(self, exchange: Exchange) -> None:
        """Answer one request; nothing escapes but cancellation."""
        dialect = match(exchange.path) or passthrough.dialect_of(exchange)
        assert dialect is not None
        call = Call(exchange, new_tid(), dialect, self._loop.time())
        try:
            await self._admit(call)
        except ApiError as error:
            self._refuse(call, error)
            return
        except Exception as error:  # noqa: BLE001 - the client must hear of it under its tid
            # A fault of ours before there is anything to end.
            _log.error("call failed", tid=call.tid, fault=type(error).__name__, exc_info=True)
            self._refuse(call, ApiError(Kind.INTERNAL))
            return
        outlet = self._outlet(call)
        try:
            await self._make(call, outlet)
        except ApiError as error:
            self._fail(call, outlet, error)
        except FieldError as error:
            # The vendor of this account cannot be told what the call asks for.
            self._fail(call, outlet, gate.field_error(error))
        except BaseException as error:
            # A fault of ours, or the process is ending: the call is void, its client is told.
            _log.error("call failed", tid=call.tid, fault=type(error).__name__, exc_info=True)
            self._fail(call, outlet, ApiError(Kind.INTERNAL))
            if not isinstance(error, Exception):
                raise
        finally:
            self._throttle.leave(call)
            if outlet is not None:
                outlet.close()

    async def _make(self, call: Call, outlet: Outlet | Carriage | None) -> None:
        if call.dialect.free:
            await self._free(call)
            return
        await self._reserve.hold(call)
        if outlet is None:
            await self._unary(call)
        elif isinstance(outlet, Carriage):
            await self._pass_through(call, outlet)
        else:
            await self._stream(call, outlet)

    def _outlet(self, call: Call) -> Outlet | Carriage | None:
        settings = self._settings
        if isinstance(call.dialect, PassThrough):
            return Carriage(call.exchange, settings.drain_cap_s)
        if call.ask.stream:
            return Outlet(call, self._loop, settings.heartbeat_s, settings.checkpoint_s)
        return None

    async def _admit(self, call: Call) -> None:
        call.snapshot = self._world.snapshot
        if self._world.draining:
            raise ApiError(Kind.DRAINING)
        if not self._ledger.ready:
            raise ApiError(Kind.DATABASE_DOWN)
        exchange, keys = call.exchange, self._keys
        # Nearly every key is known by now, so there is seldom anything to wait for.
        call.key = gate.recognise(exchange, keys) or await gate.authenticate(exchange, keys)
        gate.check_key(call.key, exchange.peer, call.at_ms)
        if call.key.pin or HEADER in exchange.headers:
            pin(call)
        gate.read_body(call)
        if isinstance(call.dialect, PassThrough):
            passthrough.admit(call)
        self._offers.choose(call)
        await self._world.bound.follow(call)
        self._attempts.must_have_account(call)
        call.bill = make_bill(call)
        if is_limited(call):
            await self._throttle.enter(call)

    async def _free(self, call: Call) -> None:
        """Pass on a call that costs nothing: nothing is held, and its row says that it was made."""
        whole = await self._attempts.unary(call)
        self._settlement.free(call)
        lines = b"content-type: %b\r\n%b" % (whole.content_type, tracing(call))
        if whole.estimated:
            lines += ESTIMATED
        call.exchange.reply(200, lines, whole.body)

    async def _unary(self, call: Call) -> None:
        leash = Leash(self._loop, call.exchange.task, self._settings.drain_cap_s)
        call.exchange.watcher = leash
        try:
            whole = await self._attempts.unary(call)
        except asyncio.CancelledError:
            if not leash.pulled:
                raise
            # The client is long gone and the upstream still writes: bill what is known.
            self._settlement.gone(call, None, 0, None)
            return
        finally:
            leash.loosen()
        call.first_token_at = self._loop.time()
        self._reserve.hidden.learn(call, whole.facts.usage, whole.facts.text_bytes)
        result = await self._settle_whole(call, whole.facts)
        if result is None:
            self._answer_error(call, self._rendered(call, ApiError(Kind.DATABASE_DOWN)))
            return
        await self._world.bound.keep_whole(call, whole.body)
        call.exchange.reply(
            200,
            b"content-type: %b\r\n%b%b"
            % (whole.content_type, tracing(call), settled(result.charge, result.balance)),
            told_cost.in_whole(call, whole.body, result.charge),
        )

    async def _pass_through(self, call: Call, carriage: Carriage) -> None:
        """Pass an answer on that nobody reads: both gates of a short one at once, else one by one."""
        started = self._loop.time()
        await self._passing.send(call, carriage)
        call.first_token_at = self._loop.time()
        if not (carriage.streams or carriage.left):
            result = await self._settle_whole(call, ReplyFacts(usage=ONE_CALL))
            if result is None:
                self._answer_error(call, self._rendered(call, ApiError(Kind.DATABASE_DOWN)))
                return
            lines = carriage.lines + tracing(call) + settled(result.charge, result.balance)
            call.exchange.reply(carriage.status, lines, carriage.body)
            return
        await self._reserve.confirm(call)
        if not carriage.left:
            carriage.release(tracing(call))
            await carriage.over
        self._passing.must_be_complete(call, carriage, started)
        settlement, gone = self._settlement, call.exchange.gone
        if carriage.left:
            settle = settlement.gone(call, ONE_CALL, 0, None)
        else:
            settle = settlement.complete(call, ONE_CALL, 0, None, gone=gone)
        if await self._durable(call, settle, withhold=True) is None:
            carriage.cut()
        elif not carriage.left:
            carriage.finish()

    async def _settle_whole(self, call: Call, facts: ReplyFacts) -> SettleResult | None:
        """Both gates of a unary call at once: nothing leaves before hold and settle are durable.

        They wait in the same queue, so often in the same commit. A settle that finds no hold says
        that the hold was refused.
        """
        while True:
            settle = self._settlement.complete(
                call, facts.usage, facts.text_bytes, facts.model, gone=call.exchange.gone
            )
            result = await self._durable(call, settle, withhold=True)
            if result is None or result.open:
                return result
            if settle.cost == 0:
                # It took no money, so it does not matter that there was none to hold.
                return result._replace(balance=self._ledger.balance(call.purses[0]))
            await self._reserve.confirm(call)

    async def _stream(self, call: Call, outlet: Outlet) -> None:
        pump = await self._attempts.stream(call, outlet)
        call.first_token_at = self._loop.time()
        try:
            await self._reserve.confirm(call)
        except ApiError:
            pump.stop()
            raise
        pump.release()
        try:
            await pump.over()
        except asyncio.CancelledError:
            # The process ends in the middle: what was streamed is paid for, nothing more.
            pump.stop()
            self._settle_stream(call, pump)
            raise
        self._attempts.ended(call, pump)
        settle = self._settle_stream(call, pump)
        result = await self._durable(call, settle)
        if result is not None and pump.complete:
            await self._world.bound.keep(call, pump.tap.stream_id)
            outlet.end(told_cost.in_last(call, pump.last_frames(), result.charge))
        elif result is not None and pump.end_state is End.LIMITED:
            assert call.used is not None
            ending = pump.tap.length_ending(call.used)
            outlet.end(told_cost.in_last(call, ending, result.charge))
        else:
            outlet.fail(ApiError(Kind.STREAM_BROKEN))

    def _settle_stream(self, call: Call, pump: StreamPump) -> Settle:
        tap, settlement = pump.tap, self._settlement
        if pump.complete:
            self._reserve.hidden.learn(call, tap.usage, tap.text_bytes)
            return settlement.complete(
                call, tap.usage, tap.text_bytes, tap.model, gone=call.exchange.gone
            )
        if pump.gone:
            return settlement.gone(call, tap.usage, tap.text_bytes, tap.model)
        if pump.end_state is End.LIMITED:
            return settlement.limited(call, tap.usage, pump.text_bytes, tap.model)
        return settlement.partial(call, tap.usage, pump.text_bytes, tap.model)

    async def _durable(
        self, call: Call, settle: Settle, *, withhold: bool = False
    ) -> SettleResult | None:
        """Gate 2: wait until the settle is in the books; None when it is not in time.

        An answer that is withheld for that costs nothing, whatever the books do later.
        """
        assert settle.future is not None
        try:
            result: SettleResult = await settle.future
        except (DatabaseDown, Poisoned):
            if withhold:
                self._ledger.withhold(settle, call.purses)
            return None
        except asyncio.CancelledError:
            if withhold:
                self._ledger.withhold(settle, call.purses)
            raise
        if result.loss:
            told = f"${format_usd(result.loss)} in one call"
            self._world.alarm(Alert.OPERATOR_LOSS, of_wallet(call.purses[0]), told)
        return result

    def _fail(self, call: Call, outlet: Outlet | Carriage | None, error: ApiError) -> None:
        rendered = self._rendered(call, error)
        self._settlement.nothing(call, error, rendered.status)
        self._alarm(call, error)
        if outlet is None or not outlet.started:
            self._answer_error(call, rendered)
        elif isinstance(outlet, Carriage):
            outlet.cut()
        else:
            outlet.fail(error)

    def _refuse(self, call: Call, error: ApiError) -> None:
        """Answer a call that was not admitted; it leaves no trace but a count."""
        self._metrics.request_done(call.dialect.surface_name, error.kind.value)
        self._alarm(call, error)
        self._answer_error(call, self._rendered(call, error))

    def _alarm(self, call: Call, error: ApiError) -> None:
        if error.kind is Kind.NO_ACCOUNT:
            self._world.alarm(Alert.POOL_EMPTY, call.channel.name, "no account to try")

    @staticmethod
    def _rendered(call: Call, error: ApiError) -> Rendered:
        return render(error, call.dialect.surface, call.snapshot.site.error_profile, call.tid)

    @staticmethod
    def _answer_error(call: Call, rendered: Rendered) -> None:
        lines = header_lines(rendered.headers) + call.rate_lines
        call.exchange.reply(rendered.status, lines, rendered.body)
