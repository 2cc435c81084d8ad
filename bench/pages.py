"""Owns how fast pages of a large database are read: usage pages, statistics, statements, searches.

It asks what the server's pages ask, in this process, each question some fifty times in a transaction
of its own; HTTP and JSON are not in it. `python -m bench.pages --url URL` measures a database that
`python -m bench.rows` has made and kept.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bench.crowd import CHANNELS, MODELS, RARE_MODEL, Crowd
from tollbridge.app import calm_collector
from tollbridge.billing.statements import Account, find_account, read_statement
from tollbridge.billing.statistics import Question, read_statistics
from tollbridge.billing.usage_page import Asked, read_page
from tollbridge.core.clock import now_ms
from tollbridge.storage.call_search import Wanted, find_calls
from tollbridge.storage.engine import open_engine
from tollbridge.storage.query_tables import call_index
from tollbridge.storage.unit_of_work import reading

TARGET_MS: Final = 100.0
"""The most that a page may take at the 95th percentile."""

RUNS = 50
_LIMIT = 50
_DAY_MS = 86_400_000
_BERLIN = "Europe/Berlin"
_DEAR = 17_000_000
_WIDTH = 48

Ask = Callable[[AsyncConnection], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Page:
    """What one page takes, in milliseconds: p50 and p95 over the runs, and its median CPU time.

    The CPU time is this process's and the database's; on a busy machine it is what can be compared.
    """

    name: str
    p50: float
    p95: float
    cpu: float

    @property
    def ok(self) -> bool:
        """Whether that is within the target."""
        return self.p95 <= TARGET_MS


async def measure(
    url: str,
    runs: int = RUNS,
    tell: Callable[[Page], None] = lambda _: None,
    only: str = "",
) -> list[Page]:
    """Ask a generated database every question whose name begins with `only`; `tell` hears each figure."""
    engine = open_engine(url)
    # As in a serving process, of whose pages these are.
    calm_collector()
    try:
        found = []
        for name, ask in await _questions(engine):
            if not name.startswith(only):
                continue
            found.append(await _page(engine, name, ask, runs))
            tell(found[-1])
        return found
    finally:
        await engine.dispose()


async def _page(engine: AsyncEngine, name: str, ask: Ask, runs: int) -> Page:
    times, busy = [], []
    server = await _server(engine)
    for _ in range(runs):
        started, worked = time.perf_counter(), _cpu_ms(server)
        async with reading(engine) as connection:
            await ask(connection)
        times.append((time.perf_counter() - started) * 1_000)
        busy.append(_cpu_ms(server) - worked)
    times.sort()
    return Page(name, median(times), times[-(-runs * 95 // 100) - 1], median(busy))


async def _server(engine: AsyncEngine) -> int | None:
    """Return the database's process that answers us: one at a time, always the same one."""
    if engine.dialect.name == "sqlite":
        return None
    async with reading(engine) as connection:
        return int((await connection.execute(select(func.pg_backend_pid()))).scalar_one())


def _cpu_ms(server: int | None) -> float:
    of_server = (
        0 if server is None else int(Path(f"/proc/{server}/schedstat").read_text().split()[0])
    )
    return (time.process_time_ns() + of_server) / 1_000_000


async def _questions(engine: AsyncEngine) -> list[tuple[str, Ask]]:
    crowd = Crowd()
    async with reading(engine) as connection:
        mine = select(func.min(call_index.c.tid)).where(call_index.c.user_id == crowd.heavy_id)
        oldest = (await connection.execute(mine)).scalar_one()
        account = await find_account(connection, crowd.heavy_id)
        assert account is not None
        # The last page: what is newer than the oldest call, the oldest of these.
        deep = await read_page(connection, crowd.heavy_id, Asked(), limit=_LIMIT, before=oldest)
    return [
        *_usage(crowd, str(deep.lines[0].tid), str(oldest)),
        *_statistics(crowd),
        *_statements(account),
        *_searches(crowd, str(oldest)),
    ]


def _usage(crowd: Crowd, deep: str, oldest: str) -> Iterator[tuple[str, Ask]]:
    """The pages of the user with half of all calls, and of another one."""
    now = now_ms()
    asked = {
        "no filter": Asked(),
        "the great key": Asked(key="key 0"),
        "a small key": Asked(key="key 3"),
        "a channel": Asked(channel=CHANNELS[1]),
        "a model": Asked(model=MODELS[0]),
        "a rare model": Asked(model=RARE_MODEL),
        "a rare model and the great key": Asked(model=RARE_MODEL, key="key 0"),
        "a rare model and a small key": Asked(model=RARE_MODEL, key="key 3"),
        "a model and a key": Asked(model=MODELS[0], key="key 3"),
        "a model and a channel": Asked(model=MODELS[0], channel=CHANNELS[1]),
        "failed calls": Asked(status_class=5),
        "a status that no call has": Asked(status_class=3),
        "that status, the great key": Asked(status_class=3, key="key 0"),
        "dear calls": Asked(min_charge=_DEAR),
        "calls dearer than any": Asked(min_charge=10**15),
        "a day of long ago": Asked(from_ms=now - 201 * _DAY_MS, until_ms=now - 200 * _DAY_MS),
        "failed calls of that day, a key": Asked(
            from_ms=now - 201 * _DAY_MS, until_ms=now - 200 * _DAY_MS, key="key 0", status_class=5
        ),
        "all filters, none found": Asked(
            key="key 0", channel=CHANNELS[0], model=MODELS[0], status_class=3, min_charge=1,
            from_ms=now - 300 * _DAY_MS, until_ms=now,
        ),
    }  # fmt: skip
    for name, which in asked.items():
        yield f"usage: {name}", _page_of(crowd.heavy_id, which)
    yield "usage: deepest page", _page_of(crowd.heavy_id, Asked(), after=deep)
    yield "usage: deepest page, from behind", _page_of(crowd.heavy_id, Asked(), before=oldest)
    small = crowd.others[len(crowd.others) // 2].user_id
    yield "usage: another user", _page_of(small, Asked())
    yield "usage: another user, failed calls", _page_of(small, Asked(status_class=5))


def _page_of(
    user_id: int, asked: Asked, after: str | None = None, before: str | None = None
) -> Ask:
    return lambda connection: read_page(
        connection, user_id, asked, limit=_LIMIT, after=after, before=before
    )


def _statistics(crowd: Crowd) -> Iterator[tuple[str, Ask]]:
    mine = {"user_id": crowd.heavy_id}
    small = {"user_id": crowd.others[0].user_id}
    ask = _statistics_of
    yield "statistics: a user's month by day", ask(30, "day", "UTC", (), mine)
    yield "statistics: a user's month by day and model", ask(30, "day", "UTC", ("model",), mine)
    yield "statistics: a user's month by day, Berlin", ask(30, "day", _BERLIN, (), mine)
    yield "statistics: a user's week by hour", ask(7, "hour", "UTC", (), mine)
    yield "statistics: a user's week by hour, key", ask(7, "hour", "UTC", ("key",), mine)
    yield "statistics: a user's 400 days", ask(400, "day", "UTC", (), mine)
    yield "statistics: another user's 400 days", ask(400, "day", "UTC", (), small)
    yield "statistics: everybody's week by day", ask(7, "day", "UTC", (), {})
    yield "statistics: everybody's day by hour", ask(1, "hour", "UTC", (), {})
    yield "statistics: everybody's month by channel", ask(30, "day", "UTC", ("channel",), {})


def _statistics_of(
    days: int, by: str, zone: str, group: tuple[str, ...], only: dict[str, int]
) -> Ask:
    today = datetime.now(UTC).date()
    first: date = today - timedelta(days=days - 1)
    question = Question(first, today + timedelta(days=1), by, zone, group, only)
    return lambda connection: read_statistics(connection, question, now_ms())


def _statements(account: Account) -> Iterator[tuple[str, Ask]]:
    last = datetime.now(UTC).date().replace(day=1) - timedelta(days=1)
    for zone in ("UTC", _BERLIN):
        ask = partial(_statement, account=account, month=f"{last:%Y-%m}", zone=zone)
        yield f"statement: last month, {zone}", ask


async def _statement(
    connection: AsyncConnection, *, account: Account, month: str, zone: str
) -> None:
    await read_statement(connection, account, month, zone, now_ms())


def _searches(crowd: Crowd, oldest: str) -> Iterator[tuple[str, Ask]]:
    great, channel = crowd.great.key_id, crowd.channel_ids[0]
    wanted = {
        "no filter": Wanted(),
        "a user": Wanted(user_id=crowd.heavy_id),
        "a channel": Wanted(channel_id=channel),
        "a model": Wanted(model=MODELS[0]),
        "a rare model": Wanted(model=RARE_MODEL),
        "failed calls of a channel": Wanted(channel_id=channel, status_class=5),
        "a status that no call has": Wanted(status_class=3),
        "all filters, none found": Wanted(
            user_id=crowd.heavy_id, key_id=great, channel_id=channel, model=MODELS[0], status_class=3
        ),
    }  # fmt: skip
    for name, which in wanted.items():
        yield f"search: {name}", _search(which, None)
    behind = f"{int(oldest, 16) + (1 << 86):032x}"
    yield "search: the last page", _search(Wanted(), behind)


def _search(wanted: Wanted, after: str | None) -> Ask:
    return lambda connection: find_calls(connection, wanted, limit=_LIMIT, after=after)


def lines(title: str, found: list[Page]) -> list[str]:
    """Return the figures as text."""
    return (
        ["", f"{title}: pages, ms p50, p95 (<= {TARGET_MS:.0f}), CPU p50", *map(row, found)]
        if found
        else []
    )


def row(page: Page) -> str:
    """Return one figure as text."""
    verdict = "ok" if page.ok else "OVER"
    return f"  {page.name:<{_WIDTH}} {page.p50:8.1f} {page.p95:8.1f} {page.cpu:8.1f}  {verdict}"


def main(words: list[str]) -> int:
    """Measure a database that stands; return 1 when a page is over."""
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--only", default="", help="questions whose names begin so")
    asked = parser.parse_args(words)
    found = asyncio.run(
        measure(asked.url, asked.runs, lambda page: print(row(page), flush=True), asked.only)
    )
    return 0 if all(page.ok for page in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
