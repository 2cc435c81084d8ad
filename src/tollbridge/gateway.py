"""The wiring: settings in, all parts of one serving process out; the only place that wires.

It must hold no rule of its own: what it puts together is tested where it lives.
"""

import asyncio
import os
from collections.abc import Callable, Coroutine
from ipaddress import ip_network
from typing import Any, cast

import uvicorn
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import ASGIApp

from tollbridge.api.app import Site, make_api
from tollbridge.api.services import ApiServices
from tollbridge.billing.budgets import Budgets
from tollbridge.billing.node import Node, SqliteNode
from tollbridge.billing.postgres_node import PostgresNode
from tollbridge.catalog.loader import load_snapshot
from tollbridge.catalog.snapshot import Snapshot
from tollbridge.catalog.watcher import Watcher
from tollbridge.core.clock import now_ms
from tollbridge.core.secrets import Secrets
from tollbridge.core.settings import Settings, SettingsError
from tollbridge.core.telemetry import Metrics, get_logger
from tollbridge.edge.clients import Network
from tollbridge.edge.config import EdgeConfig
from tollbridge.edge.limits import Limits as EdgeLimits
from tollbridge.edge.limits import Load
from tollbridge.edge.protocol import make_protocol
from tollbridge.identity.access_tokens import TokenStore
from tollbridge.identity.doors import Doors
from tollbridge.identity.keys import KeyStore
from tollbridge.notify.alarms import Alarms
from tollbridge.notify.operators import Operators
from tollbridge.relay.board import Board
from tollbridge.relay.bound import Bound
from tollbridge.relay.exchange import Exchange
from tollbridge.relay.pipeline import Relay
from tollbridge.relay.pool import Pool
from tollbridge.relay.probe import Probe
from tollbridge.relay.queue import Queue
from tollbridge.relay.realtime_door import RealtimeDoor, is_realtime
from tollbridge.relay.routes import is_relayed
from tollbridge.relay.stored import Stored, is_stored
from tollbridge.relay.throttle import Throttle
from tollbridge.relay.tokens import Tokens
from tollbridge.relay.waiting import Bounds
from tollbridge.relay.world import World
from tollbridge.storage.bindings import Bindings, MemoryBindings
from tollbridge.storage.counters import Counters
from tollbridge.storage.counters_memory import MemoryCounters
from tollbridge.storage.engine import open_engine
from tollbridge.storage.migrate import schema_is_current
from tollbridge.storage.notices import Notices
from tollbridge.supervisor import Post, Siblings
from tollbridge.upstreams.http1 import Http1Client
from tollbridge.upstreams.limits import Limits as UpstreamLimits
from tollbridge.web.lazy import SEGMENTS, LazyApp
from tollbridge.web.services import WebServices
from tollbridge.worker.gauges import Counted
from tollbridge.worker.jobs import handlers, periodic_jobs
from tollbridge.worker.runner import Worker

_log = get_logger(__name__)
_STOP_WRITER_S = 30.0
_LAST_CALLS_S = 2.0
_EXIT_BROKEN = 70


class CannotServe(Exception):
    """This process cannot serve with these settings; the text says why and what to do."""


class Gateway:
    """All parts of one serving process, opened in order and closed in reverse."""

    def __init__(self, settings: Settings, secrets: Secrets, post: Post | None = None) -> None:
        """Put the parts together; `post` is this process's place among several, if there are."""
        self._settings = settings
        self._secrets = secrets
        self.metrics = Metrics()
        self.load = Load()
        self._engine: AsyncEngine = open_engine(settings.database)
        self._alarms = Alarms(self._engine, _operators(settings))
        self._node = _node(settings, self._alarms)
        self.listens_at = f"http://{settings.host}:{settings.port}"
        """Where it listens; set anew when the system has chosen the port."""
        self._siblings = (
            Siblings(post.folder, post.index, post.count, self.metrics, self._refresh_gauges)
            if post
            else None
        )
        self._worker: Worker | None = None
        self._leaving = False
        self._networks: tuple[Network, ...] = ()
        self._world = World()
        self._relay: Relay
        self._realtime: RealtimeDoor
        self._stored: Stored
        self._api: Any
        self._keys: KeyStore
        self._access_tokens: TokenStore
        self._client: Http1Client
        self._board: Board
        self._watcher: Watcher
        self._counters = _open_counters(settings.redis_url)
        self._bindings = _open_bindings(settings.redis_url)
        self._world.bound = Bound(self._bindings, secrets.mark)

    def claim(self) -> None:
        """Make sure of being the only one; raises DatabaseInUse."""
        self._node.claim()

    async def schema_is_current(self) -> bool:
        """Say whether the database has this version's schema."""
        return await schema_is_current(self._engine)

    async def open(self) -> None:
        """Recover the books, read the catalogue, and be ready to take calls.

        Raises DatabaseInUse when another process serves from the file, SecretsError when the
        catalogue was sealed with other keys.
        """
        settings = self._settings
        ledger = await self._node.open(self.metrics, self._broken)
        self._keys = KeyStore(self._engine, self._secrets)
        self._access_tokens = TokenStore(self._engine, self._secrets)
        pool = self._open_pool()
        self._watcher = self._make_watcher()
        await self._watcher.start()
        await self._board.open(takes_over=settings.park_accounts)
        await self._counters.start()
        self._alarms.start()
        self._world.alarm = self._alarms.raise_
        self._world.tokens = Tokens(
            self._engine, self._secrets, lambda: self._world.snapshot, self._alarms.raise_
        )
        self._client = Http1Client(_upstream_limits(settings))
        budgets = Budgets(self._engine)
        throttle = Throttle(self._counters, self.metrics, _queue(settings))
        self._relay = Relay(
            self._world,
            ledger,
            self._keys,
            self._client,
            settings,
            self.metrics,
            budgets,
            throttle,
            pool,
        )
        self._stored = Stored(self._world, self._keys, self._client, settings, self.metrics)
        self._realtime = RealtimeDoor(
            self._world, ledger, self._keys, settings, self.metrics, budgets, throttle, pool
        )
        self._api = make_api(
            ApiServices(
                engine=self._engine,
                secrets=self._secrets,
                keys=self._keys,
                access_tokens=self._access_tokens,
                snapshot=lambda: self._world.snapshot,
                ready=lambda: ledger.ready,
                draining=lambda: self._leaving,
                relayed=_is_call,
                metrics=self.metrics,
                refresh_gauges=self._refresh_gauges,
                all_metrics=self._siblings.exposition if self._siblings else None,
                test_account=self._probe().test,
                public_prices=settings.public_prices,
            ),
            self._make_site(),
        )
        if settings.work:
            self._start_worker()
        if self._siblings:
            await self._siblings.start()

    def _make_site(self) -> Site:
        services = WebServices(
            engine=self._engine,
            secrets=self._secrets,
            settings=self._settings,
            snapshot=lambda: self._world.snapshot,
            site_url=lambda: self._settings.public_url or self.listens_at,
            doors=Doors(self._engine, self._counters, self._secrets),
            test_account=self._probe().test,
        )
        return Site(LazyApp(lambda: _pages(services)), SEGMENTS, services.doors)

    def _make_watcher(self) -> Watcher:
        return Watcher(
            self._engine,
            lambda: load_snapshot(self._engine, self._secrets),
            self._changed,
            notices=Notices(self._engine) if self._settings.sqlite_path is None else None,
        )

    def _open_pool(self) -> Pool:
        """Make the pool, and the board that tells others of what is held in it."""
        clock = asyncio.get_running_loop().time
        pool = Pool(
            clock,
            self._alarms.raise_,
            parks=self._settings.park_accounts,
            retry_floor_per_s=self._settings.retry_floor_per_s,
        )
        self._board = Board(
            self._engine,
            self._node.node_id,
            pool.health,
            clock,
            lambda text: self._secrets.mark("account", text),
        )
        return pool

    def _probe(self) -> Probe:
        return Probe(self._engine, self._secrets, self._client, self._world.tokens)

    def _start_worker(self) -> None:
        engine, settings, gauges = self._engine, self._settings, Counted(self.metrics)
        jobs = periodic_jobs(engine, settings, gauges)
        doing = handlers(settings, lambda: settings.public_url or self.listens_at)
        self._worker = Worker(engine, settings, doing, jobs, gauges=gauges)
        self._worker.start()

    async def abandon(self) -> None:
        """Let go of what was opened when opening failed; the process is about to end."""
        await self._engine.dispose()

    def drain(self) -> None:
        """Ask to be sent nothing more; those calls go on that run or that are on their way here.

        A call that comes by a connection which was open already is still served for a moment:
        its client had no chance to know.
        """
        self._leaving = True
        asyncio.get_running_loop().call_later(_LAST_CALLS_S, self._refuse_calls)

    def _refuse_calls(self) -> None:
        self._world.draining = True

    async def close(self) -> None:
        """Settle what is queued and let go of everything."""
        await self._watcher.stop()
        await self._board.stop()
        if self._worker is not None:
            await self._worker.stop()
        await self._world.tokens.close()
        await self._client.close()
        await self._counters.stop()
        await self._bindings.stop()
        await self._node.stop(_STOP_WRITER_S)
        await self._alarms.stop()
        await self._access_tokens.stop()
        await self._engine.dispose()
        if self._siblings:
            await self._siblings.stop()

    def config(self) -> uvicorn.Config:
        """Return how the HTTP server of this gateway is set up."""
        settings = self._settings
        edge = EdgeConfig(
            diverts=_is_call,
            handle=self._handle,
            upgrades=is_realtime,
            limits=_edge_limits(settings),
            trusted_proxies=lambda: self._networks,
            draining=lambda: self._world.draining,
            profile=lambda: self._world.snapshot.site.error_profile,
            load=self.load,
        )
        return uvicorn.Config(
            self._api,
            # uvicorn calls it as it would a class; a factory does.
            http=cast("type[asyncio.Protocol]", make_protocol(edge)),
            ws="none",
            loop="uvloop",
            lifespan="off",
            access_log=False,
            log_config=None,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=int(settings.keep_alive_s),
            timeout_graceful_shutdown=int(settings.shutdown_grace_s),
            backlog=2048,
        )

    def _handle(self, exchange: Exchange) -> Coroutine[Any, Any, None]:
        if is_realtime(exchange.method, exchange.path):
            return self._realtime.handle(exchange)
        if is_stored(exchange.method, exchange.path):
            return self._stored.handle(exchange)
        return self._relay.handle(exchange)

    def _changed(self, snapshot: Snapshot) -> None:
        self._world.snapshot = snapshot
        # The edge asks for this tuple at every request and goes by its identity.
        self._networks = tuple(ip_network(text) for text in snapshot.site.trusted_proxies)
        self._keys.clear()
        self._board.adopt(
            account for channel in snapshot.channels.values() for account in channel.accounts
        )
        self._access_tokens.clear()

    def _refresh_gauges(self) -> None:
        oldest_ms = self._node.oldest_hold_ms()
        age_s = 0.0 if oldest_ms is None else max(now_ms() - oldest_ms, 0) / 1000
        self.metrics.oldest_hold_seconds.set(age_s)
        self.metrics.holds_open.set(self._node.open_holds)
        self.metrics.node_epoch.set(self._node.epoch)
        self.metrics.queue_depth.set(self._node.queued)
        self.metrics.streams_open.set(self.load.open_streams)
        self.metrics.limits_shared.set(self._counters.shared)

    def _broken(self, reason: str) -> None:
        """What is on the disk is not known any more: end at once, the next start recovers."""
        _log.critical("the books are broken, ending", reason=reason)
        os._exit(_EXIT_BROKEN)


def _pages(services: WebServices) -> Callable[[], ASGIApp]:
    from tollbridge.backoffice.parts import PARTS as OFFICE  # noqa: PLC0415
    from tollbridge.console.parts import PARTS as CONSOLE  # noqa: PLC0415
    from tollbridge.web.site import make_site  # noqa: PLC0415

    return lambda: make_site(services, (*CONSOLE, *OFFICE))


def _is_call(method: str, path: str) -> bool:
    return is_relayed(method, path) or is_realtime(method, path) or is_stored(method, path)


def _node(settings: Settings, alarms: Alarms) -> Node:
    path = settings.sqlite_path
    if path is not None:
        return SqliteNode(path, settings)
    return PostgresNode(settings.database, settings, alarms.raise_)


def _queue(settings: Settings) -> Queue | None:
    if not settings.queue_wait_s:
        return None
    bounds = Bounds(
        of_user=settings.queue_user_calls,
        in_line=settings.queue_line_calls,
        size=settings.queue_bytes,
    )
    return Queue(asyncio.get_running_loop(), settings.queue_wait_s, bounds)


def _operators(settings: Settings) -> Operators:
    try:
        return Operators.of(settings)
    except SettingsError as error:
        raise CannotServe(str(error)) from None


def _open_counters(url: str) -> Counters:
    if not url:
        return MemoryCounters()
    # Without it a process starts quicker and has 10 MB less to carry.
    from tollbridge.storage.counters_redis import BadRedisUrl, RedisCounters  # noqa: PLC0415

    try:
        return RedisCounters(url)
    except BadRedisUrl as error:
        raise CannotServe(str(error)) from None


def _open_bindings(url: str) -> Bindings:
    if not url:
        return MemoryBindings()
    # For the same reason.
    from tollbridge.storage.bindings_redis import RedisBindings  # noqa: PLC0415

    return RedisBindings(url)


def _edge_limits(settings: Settings) -> EdgeLimits:
    return EdgeLimits(
        max_head_bytes=settings.max_head_bytes,
        max_headers=settings.max_headers,
        max_body_bytes=settings.max_body_bytes,
        head_timeout_s=settings.head_timeout_s,
        body_progress_s=settings.body_progress_s,
        keep_alive_s=settings.keep_alive_s,
        client_stall_s=settings.client_stall_s,
    )


def _upstream_limits(settings: Settings) -> UpstreamLimits:
    return UpstreamLimits(
        decoded_bytes=settings.max_reply_bytes,
        idle_per_target=settings.upstream_pool_idle,
        idle_keep_s=settings.upstream_keep_alive_s,
    )
