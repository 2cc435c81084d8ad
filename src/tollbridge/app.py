"""One serving process: opens the gateway, listens, drains, and closes it in order."""

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from contextlib import closing
from types import FrameType
from typing import Any

import uvicorn
import uvloop

from tollbridge.core.clock import now_ms
from tollbridge.core.own_secrets import open_secrets
from tollbridge.core.secrets import Secrets, SecretsError
from tollbridge.core.settings import Settings
from tollbridge.core.telemetry import configure_logging, install_excepthooks
from tollbridge.gateway import CannotServe, Gateway
from tollbridge.people.setup_link import new_link
from tollbridge.storage.disk import DatabaseInUse
from tollbridge.storage.engine import DATABASE_ERRORS, open_engine, reason_of
from tollbridge.storage.ledger_items import LedgerBroken
from tollbridge.storage.migrate import migrate
from tollbridge.supervisor import Post, StartFailed, bind, supervise, tell_service

__all__ = ["CannotServe", "GatewayServer", "open_secrets", "serve"]

Say = Callable[[str], None]
_UNUSABLE: tuple[type[Exception], ...] = (*DATABASE_ERRORS, LedgerBroken)
# Calls make few cycles; the default threshold would walk the heap hundreds of times a second.
_GC_THRESHOLD = 50_000
# The loop gives the interpreter up between callbacks anyway; being made to in the middle of one only
# costs a switch to the writer and back (measured: 8 to 10 % of a call's CPU at 64 calls at a time).
_SWITCH_INTERVAL_S = 0.05


def calm_collector() -> None:
    """Have the collector leave alone what is there now, and come seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, 20, 20)


class GatewayServer(uvicorn.Server):
    """uvicorn's server, which drains the gateway first and closes it last."""

    def __init__(self, gateway: Gateway, on_ready: Callable[[], None]) -> None:
        super().__init__(gateway.config())
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
        tell_service("STOPPING=1")
        self._gateway.drain()
        await super().shutdown(sockets)
        await self._gateway.close()


def serve(settings: Settings, on_ready: Say | None = None, on_setup: Say | None = None) -> None:
    """Serve until SIGTERM or SIGINT, in as many processes as the settings say.

    `on_ready` is called with the URL once all of them listen; `on_setup`, by one of them, with the
    link that sets the site up while it has no admin: it opens the site, so it goes into no log.
    Raises CannotServe, DatabaseInUse or SecretsError.
    """
    configure_logging(settings.log_level, settings.log_format)
    install_excepthooks()
    if settings.workers > 1:
        _supervise(settings, on_ready, on_setup)
    else:
        _run(_serve(settings, on_ready, on_setup))


def _supervise(settings: Settings, on_ready: Say | None, on_setup: Say | None) -> None:
    listeners = _bind(settings.host, settings.port, settings.workers)
    url = _url(listeners[0])
    try:
        supervise(
            settings,
            listeners,
            lambda post: _run(_serve(settings, None, on_setup, post)),
            lambda: None if on_ready is None else on_ready(url),
            sayable=(CannotServe, DatabaseInUse, SecretsError),
        )
    except StartFailed as error:
        raise CannotServe(str(error)) from None


def _run(serving: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serving)


async def _serve(
    settings: Settings,
    on_ready: Say | None,
    on_setup: Say | None = None,
    post: Post | None = None,
) -> None:
    # Each host of a shared database would make keys of its own, none of them the right ones.
    secrets = open_secrets(settings, may_create=settings.sqlite_path is not None)
    gateway = Gateway(settings, secrets, post)
    gateway.claim()
    # Bound before anything is changed; it listens once all is ready.
    listener = _bind(settings.host, settings.port)[0] if post is None else post.listener
    gateway.listens_at = _url(listener)
    with closing(listener):
        await _open(gateway, settings)
        link = None
        if on_setup is not None and (post is None or post.index == 0):
            link = await _setup_link(settings, secrets, settings.public_url or gateway.listens_at)
        calm_collector()
        sys.setswitchinterval(_SWITCH_INTERVAL_S)

        def ready() -> None:
            if post is not None:
                post.ready()
            else:
                tell_service("READY=1")
                if on_ready is not None:
                    on_ready(_url(listener))
            if on_setup is not None and link is not None:
                on_setup(link)

        await GatewayServer(gateway, ready).serve([listener])


async def _open(gateway: Gateway, settings: Settings) -> None:
    try:
        if settings.sqlite_path is not None:
            # An embedded database is nobody's but ours; a shared one is migrated on purpose.
            await migrate(settings.database)
        elif not await gateway.schema_is_current():
            raise CannotServe("the schema is not this version's: run tollbridge migrate")
        await gateway.open()
    except BaseException as error:
        await gateway.abandon()
        if isinstance(error, _UNUSABLE):
            raise CannotServe(f"the database cannot be used: {reason_of(error)}") from error
        raise


async def _setup_link(settings: Settings, secrets: Secrets, site_url: str) -> str | None:
    engine = open_engine(settings.database)
    try:
        return await new_link(engine, secrets, site_url, now_ms())
    finally:
        await engine.dispose()


def _bind(host: str, port: int, count: int = 1) -> list[socket.socket]:
    """Return sockets bound to the address to serve at; CannotServe says why there are none."""
    try:
        return bind(host, port, count)
    except OSError as error:
        raise CannotServe(f"cannot serve at {host}:{port}: {error.strerror}") from None


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
