"""Owns what the API is given by the composition root. Must not know where any of it comes from."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.catalog.finding import Finding
from tollbridge.catalog.snapshot import Snapshot
from tollbridge.core.metrics import Metrics
from tollbridge.core.secrets import Secrets
from tollbridge.identity.access_tokens import TokenStore
from tollbridge.identity.keys import KeyStore


@dataclass(frozen=True, slots=True)
class ApiServices:
    """The API's wiring.

    `snapshot`, `ready` (the ledger takes calls) and `draining` (the process is ending) are asked at
    every request. `relayed(method, path)` says what the relay answers, for all that is refused here.
    `refresh_gauges` brings the gauges of `metrics` up to date. `all_metrics` is set where several
    processes serve: it answers for all of them, or raises TimeoutError. `test_account(id, model)`
    makes a call to an account now; None when there is none with a credential. It raises ProbeRuns
    while another runs, and ValueError for a model that its channel does not sell. `public_prices`: the
    price list is shown to anybody.
    """

    engine: AsyncEngine
    secrets: Secrets
    keys: KeyStore
    access_tokens: TokenStore
    snapshot: Callable[[], Snapshot]
    ready: Callable[[], bool]
    draining: Callable[[], bool]
    relayed: Callable[[str, str], bool]
    metrics: Metrics
    refresh_gauges: Callable[[], None]
    all_metrics: Callable[[], Awaitable[bytes]] | None = None
    test_account: Callable[[int, str | None], Awaitable[Finding | None]] | None = None
    public_prices: bool = True
