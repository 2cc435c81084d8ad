"""The composition root: settings in, one running gateway out; the only place that wires.

It must hold no rule of its own: what it puts together is tested where it lives.
"""

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import closing
from ipaddress import ip_network
from pathlib import Path
from types import FrameType
from typing import Any, cast

import uvicorn
import uvloop
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.api.app import make_api
from tollbridge.api.services import ApiServices
from tollbridge.billing.budgets import Budgets
from tollbridge.billing.node import SqliteNode
from tollbridge.catalog.loader import load_snapshot
from tollbridge.catalog.snapshot import Snapshot
from tollbridge.catalog.watcher import Watcher
from tollbridge.core.secrets import Secrets, load_or_create
from tollbridge.core.settings import Settings
from tollbridge.core.telemetry import Metrics, configure_logging, get_logger, install_excepthooks
from tollbridge.edge.clients import Network
from tollbridge.edge.config import EdgeConfig
from tollbridge.edge.limits import Limits as EdgeLimits
from tollbridge.edge.limits import Load
from tollbridge.edge.protocol import make_protocol
from tollbridge.identity.keys import KeyStore
from tollbridge.relay.pipeline import Relay
from tollbridge.relay.routes import PATHS, is_relayed
from tollbridge.relay.throttle import Throttle
from tollbridge.relay.world import World
from tollbridge.storage.counters import Counters
from tollbridge.storage.counters_memory import MemoryCounters
from tollbridge.storage.counters_redis import BadRedisUrl, RedisCounters
from tollbridge.storage.engine import DATABASE_ERRORS, open_engine, reason_of
from tollbridge.storage.ledger_items import LedgerBroken
from tollbridge.storage.migrate import migrate
from tollbridge.upstreams.http1 import Http1Client
from tollbridge.upstreams.limits import Limits as UpstreamLimits

_log = get_logger(__name__)
_STOP_WRITER_S = 30.0
_UNUSABLE: tuple[type[Exception], ...] = (*DATABASE_ERRORS, LedgerBroken)
_EXIT_BROKEN = 70
# Calls make few cycles; the default threshold would walk the heap hundreds of times a second.
_GC_THRESHOLD = 50_000
# The loop gives the interpreter up between callbacks anyway; being made to in the middle of one only
# costs a switch to the writer and back (measured: 8 to 10 % of a call's CPU at 64 calls at a time).
_SWITCH_INTERVAL_S = 0.05


class CannotServe(Exception):
    """This process cannot serve with these settings; the text says why and what to do."""


class Gateway:
    """All parts of one serving process, opened in order and closed in reverse."""

    def __init__(self, settings: Settings, secrets: Secrets, path: Path) -> None:
        self._settings = settings
        self._secrets = secrets
        self.metrics = Metrics()
        self.load = Load()
        self._node = SqliteNode(path, settings)
        self._engine: AsyncEngine = open_engine(settings.database)
        self._networks: tuple[Network, ...] = ()
        self._world = World()
        self._relay: Relay
        self._api: Any
        self._keys: KeyStore
        self._client: Http1Client
        self._watcher: Watcher
        self._counters = _open_counters(settings.redis_url)

    def claim(self) -> None:
        """Make sure of being the only one; raises DatabaseInUse."""
        self._node.claim()

    async def open(self) -> None:
        """Recover the books, read the catalogue, and be ready to take calls.

        Raises DatabaseInUse when another process serves from the file, SecretsError when the
        catalogue was sealed with other keys.
        """
        settings = self._settings
        ledger = self._node.start(self.metrics, self._broken)
        if self._node.reclaimed:
            self.metrics.reclaimed(self._node.reclaimed)
            _log.warning("posted the calls of a dead process", calls=self._node.reclaimed)
        self._keys = KeyStore(self._engine, self._secrets)
        self._watcher = Watcher(
            self._engine, lambda: load_snapshot(self._engine, self._secrets), self._changed
        )
        await self._watcher.start()
        await self._counters.start()
        self._client = Http1Client(_upstream_limits(settings))
        self._relay = Relay(
            self._world,
            ledger,
            self._keys,
            self._client,
            settings,
            self.metrics,
            Budgets(self._engine),
            Throttle(self._counters, self.metrics),
        )
        self._api = make_api(
            ApiServices(
                engine=self._engine,
                keys=self._keys,
                snapshot=lambda: self._world.snapshot,
                ready=lambda: ledger.ready,
                draining=lambda: self._world.draining,
                relay_paths=PATHS,
                metrics=self.metrics,
                refresh_gauges=self._refresh_gauges,
            )
        )

    def drain(self) -> None:
        """Take no new calls; those that run go on."""
        self._world.draining = True

    async def close(self) -> None:
        """Settle what is queued and let go of everything."""
        await self._watcher.stop()
        await self._client.close()
        await self._counters.stop()
        await self._node.stop(_STOP_WRITER_S)
        await self._engine.dispose()

    def server(self, on_ready: Callable[[], None]) -> "GatewayServer":
        """Return the HTTP server of this gateway; it closes the gateway when it stops.

        `on_ready` is called once it listens.
        """
        settings = self._settings
        edge = EdgeConfig(
            diverts=is_relayed,
            handle=self._relay.handle,
            limits=_edge_limits(settings),
            trusted_proxies=lambda: self._networks,
            draining=lambda: self._world.draining,
            profile=lambda: self._world.snapshot.site.error_profile,
            load=self.load,
        )
        config = uvicorn.Config(
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
        return GatewayServer(config, self, on_ready)

    def _changed(self, snapshot: Snapshot) -> None:
        self._world.snapshot = snapshot
        # The edge asks for this tuple at every request and goes by its identity.
        self._networks = tuple(ip_network(text) for text in snapshot.site.trusted_proxies)
        self._keys.clear()

    def _refresh_gauges(self) -> None:
        self.metrics.holds_open.set(self._node.book.open_holds)
        self.metrics.queue_depth.set(self._node.queued)
        self.metrics.streams_open.set(self.load.open_streams)
        self.metrics.limits_shared.set(self._counters.shared)

    def _broken(self, reason: str) -> None:
        """What is on the disk is not known any more: end at once, the next start recovers."""
        _log.critical("the books are broken, ending", reason=reason)
        os._exit(_EXIT_BROKEN)


class GatewayServer(uvicorn.Server):
    """uvicorn's server, which drains the gateway first and closes it last."""

    def __init__(
        self, config: uvicorn.Config, gateway: Gateway, on_ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._gateway = gateway
        self._on_ready = on_ready

    async def startup(self, sockets: Any = None) -> None:
        """Begin to listen, then say so."""
        await super().startup(sockets)
        self._on_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 -- uvicorn's
        """End in order; at a second Ctrl-C without waiting for calls.

        uvicorn would raise the signal again at the end; whoever asked us to end sees status 0.
        """
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True

    async def shutdown(self, sockets: Any = None) -> None:
        """Stop listening, let running calls end, then close the books."""
        self._gateway.drain()
        await super().shutdown(sockets)
        await self._gateway.close()


def open_secrets(settings: Settings) -> Secrets:
    """Return the process's secrets; a new installation gets its key file here.

    Raises SecretsError.
    """
    path = settings.key_path
    return Secrets.parse(settings.keys) if path is None else load_or_create(path)


def serve(settings: Settings, on_ready: Callable[[str], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT. Raises CannotServe, DatabaseInUse or SecretsError."""
    path = settings.sqlite_path
    if path is None:
        raise CannotServe(
            "serving from PostgreSQL comes with the next version;"
            " use --database sqlite:///path/to.db until then"
        )
    configure_logging(settings.log_level, settings.log_format)
    install_excepthooks()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, path, on_ready))


async def _serve(settings: Settings, path: Path, on_ready: Callable[[str], None] | None) -> None:
    gateway = Gateway(settings, open_secrets(settings), path)
    gateway.claim()
    # Bound before anything is changed; it listens once all is ready.
    with closing(_bind(settings.host, settings.port)) as listener:
        await _open(gateway, settings)
        gc.collect()
        gc.freeze()
        gc.set_threshold(_GC_THRESHOLD, 20, 20)
        sys.setswitchinterval(_SWITCH_INTERVAL_S)

        def ready() -> None:
            if on_ready is not None:
                on_ready(_url(listener))

        await gateway.server(ready).serve([listener])


async def _open(gateway: Gateway, settings: Settings) -> None:
    try:
        await migrate(settings.database)
        await gateway.open()
    except _UNUSABLE as error:
        raise CannotServe(f"the database cannot be used: {reason_of(error)}") from error


def _open_counters(url: str) -> Counters:
    try:
        return RedisCounters(url) if url else MemoryCounters()
    except BadRedisUrl as error:
        raise CannotServe(str(error)) from None


def _bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address to serve at; CannotServe says why there is none."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise CannotServe(f"cannot serve at {host}:{port}: {error.strerror}") from None
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


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
