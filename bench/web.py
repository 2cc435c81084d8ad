"""Owns how long the pages take, from the request to the HTML, on a database with very many calls.

Every page that can be looked at, named by the parts of the site themselves, is visited in this
process by those who may: the user with half of all calls, an admin, nobody in particular. Sockets
are not in it. `python -m bench.web --url URL` measures a database that `python -m bench.rows` has
made and kept; it adds a few rows to it.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message

from bench.pages import TARGET_MS, Page, row
from bench.visitors import SECRETS, Visitors, prepare
from tollbridge.api.traced import Traced
from tollbridge.app import calm_collector
from tollbridge.catalog.finding import Finding
from tollbridge.catalog.loader import load_snapshot
from tollbridge.core.settings import load_settings
from tollbridge.identity.doors import Doors
from tollbridge.storage.counters import Scope, Ticket
from tollbridge.storage.counters_memory import MemoryCounters
from tollbridge.storage.engine import open_engine
from tollbridge.storage.unit_of_work import reading
from tollbridge.web.pages import Pages
from tollbridge.web.services import WebServices

RUNS: Final = 30
FAILED_FROM: Final = 500

_SITE = "https://site.test"
_HOST = b"site.test"
_OK = 200
_MORE: Final = {
    "/console": (
        "days=7", "days=30&by=key", "days=90", "days=90&by=key",
    ),
    "/console/overview.csv": ("days=90&by=key",),
    "/console/usage": (
        "key=key+0", "status=5", "model=a-rare-model", "model=a-rare-model&status=4",
        "channel=spare",
    ),
    "/backoffice": ("days=1", "days=30"),
    "/backoffice/accounts/new": ("channel={channels}",),
    "/backoffice/requests": (
        "user={users}", "channel={channels}", "model=a-rare-model", "status=5",
        "user={users}&status=5", "account={accounts}", "error=client_gone", "error=no_such_error",
        "account={accounts}&error=no_such_error",
    ),
    "/backoffice/users": ("q=999",),
}  # fmt: skip
"""What else is asked of some pages; things as in paths."""


@dataclass(frozen=True, slots=True)
class Visited(Page):
    """A page, what it answered, and the milliseconds of the first visit of all: templates are read then."""

    status: int
    first: float

    @property
    def broken(self) -> bool:
        """Whether it answers that something went wrong here, however quickly."""
        return self.status >= FAILED_FROM

    @property
    def ok(self) -> bool:
        """Whether it works and is within the target."""
        return not self.broken and self.p95 <= TARGET_MS


class _Patient(MemoryCounters):
    """Counters that have forgotten everything by the next knock: nobody is turned away."""

    async def take(self, scopes: Sequence[Scope], tokens: int) -> Ticket:  # noqa: ARG002 -- counts none
        found = self.take_now((), 0)
        assert isinstance(found, Ticket)
        return found


async def measure(
    url: str,
    runs: int = RUNS,
    tell: Callable[[Visited], None] = lambda _: None,
    only: str = "",
) -> list[Visited]:
    """Visit every page whose path begins with `only`; `tell` hears each figure."""
    engine = open_engine(url)
    try:
        visitors = await prepare(engine)
        with TemporaryDirectory(prefix="bench-web-") as folder:
            parts = _parts()
            site = await _site(engine, parts, Path(folder))
            # As in a serving process, of whose pages these are.
            calm_collector()
            found = []
            for path, cookie in addresses(parts, visitors):
                if path.startswith(only):
                    found.append(await _page(engine, site, path, cookie, runs))
                    tell(found[-1])
            return found
    finally:
        await engine.dispose()


def addresses(parts: Sequence[Pages], visitors: Visitors) -> Iterator[tuple[str, str]]:
    """Yield the address of every page, and the cookie of who visits it."""
    first = {kind: things[0] for kind, things in visitors.things.items()}
    for part in parts:
        for (method, path), need in part.needs.items():
            if method != "GET":
                continue
            cookie = (visitors.admin if need.scope else visitors.heavy) if need.signed_in else ""
            for address in _filled(path, visitors.things):
                yield address, cookie
                for query in _MORE.get(path, ()):
                    yield f"{address}?{query.format_map(first)}", cookie


def _filled(path: str, things: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a path with things that exist in the place of its parameter."""
    before, brace, _ = path.partition("{")
    if not brace:
        return [path]
    after = path.partition("}")[2]
    kind = before.rstrip("/").rpartition("/")[2]
    return [f"{before}{thing}{after}" for thing in things.get(kind, ("0",))]


async def _page(engine: AsyncEngine, site: ASGIApp, path: str, cookie: str, runs: int) -> Visited:
    status, first, _ = await _visit(site, path, cookie, [])
    servers = await _servers(engine)
    rounds = [await _visit(site, path, cookie, servers) for _ in range(runs)]
    times = sorted(took for _, took, _ in rounds)
    name = path if status == _OK else f"{path} {status}"
    return Visited(
        name=name,
        p50=median(times),
        p95=times[-(-runs * 95 // 100) - 1],
        cpu=median(cpu for _, _, cpu in rounds),
        status=max(status, *(one for one, _, _ in rounds)),
        first=first,
    )


async def _visit(
    site: ASGIApp, path: str, cookie: str, servers: Sequence[int]
) -> tuple[int, float, float]:
    """Return the status, and the ms and CPU ms until it was there; of a long file, until its first part."""
    status, ends = [0], [0.0, 0.0]

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            status[0] = message["status"]
            return
        ends[:] = time.perf_counter(), _cpu_ms(servers)
        if message.get("more_body"):
            raise OSError("the rest is not wanted")

    worked, started = _cpu_ms(servers), time.perf_counter()
    try:
        with suppress(ClientDisconnect):
            await site(_scope(path, cookie), _nothing_more, send)
    except Exception:
        # What nobody expected is answered first and raised then, for the server's log.
        if status[0] < FAILED_FROM:
            raise
    return status[0], (ends[0] - started) * 1_000, ends[1] - worked


async def _nothing_more() -> Message:
    return {"type": "http.request"}


def _scope(path: str, cookie: str) -> dict[str, Any]:
    path, _, query = path.partition("?")
    headers = [
        (b"host", _HOST),
        (b"user-agent", b"a browser"),
        (b"accept-language", b"en"),
        (b"sec-fetch-site", b"same-origin"),
    ]
    if cookie:
        headers.append((b"cookie", f"__Host-session={cookie}".encode()))
    return {
        "type": "http",
        # Of this version a file that is sent in parts ends with an error of `send`.
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": headers,
        "client": ("192.0.2.7", 1234),
        "server": ("site.test", 443),
        "state": {},
    }


async def _servers(engine: AsyncEngine) -> list[int]:
    """Return the database's processes that answer us."""
    if engine.dialect.name == "sqlite":
        return []
    query = text("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
    async with reading(engine) as connection:
        return list((await connection.execute(query)).scalars())


def _cpu_ms(servers: Sequence[int]) -> float:
    theirs = sum(int(Path(f"/proc/{one}/schedstat").read_text().split()[0]) for one in servers)
    return (time.process_time_ns() + theirs) / 1_000_000


def _parts() -> tuple[Pages, ...]:
    from tollbridge.backoffice.parts import PARTS as OFFICE  # noqa: PLC0415 -- as a gateway does, late
    from tollbridge.console.parts import PARTS as CONSOLE  # noqa: PLC0415

    return (*CONSOLE, *OFFICE)


async def _site(engine: AsyncEngine, parts: Sequence[Pages], folder: Path) -> ASGIApp:
    from tollbridge.web.site import make_site  # noqa: PLC0415

    snapshot = await load_snapshot(engine, SECRETS)
    services = WebServices(
        engine=engine,
        secrets=SECRETS,
        settings=load_settings(public_url=_SITE, mail_folder=str(folder)),
        snapshot=lambda: snapshot,
        site_url=lambda: _SITE,
        doors=Doors(engine, _Patient(), SECRETS),
        test_account=_no_test,
    )
    return Traced(make_site(services, parts))


async def _no_test(_account_id: int, _model: str | None) -> Finding | None:
    return None


def first_visits(found: Sequence[Visited]) -> str:
    """Return what the first visits took, as text."""
    slowest = max(found, key=lambda page: page.first)
    middle = median(page.first for page in found)
    return f"first visits, ms: median {middle:.1f}, most {slowest.first:.1f} ({slowest.name})"


def main(words: list[str]) -> int:
    """Measure a database that stands; return 1 when a page is over or broken."""
    parser = argparse.ArgumentParser(prog="python -m bench.web", description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--only", default="", help="pages whose addresses begin so")
    asked = parser.parse_args(words)
    found = asyncio.run(
        measure(asked.url, asked.runs, lambda page: print(row(page), flush=True), asked.only)
    )
    if found:
        print(first_visits(found))
    return 0 if all(page.ok for page in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
