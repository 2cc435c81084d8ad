"""Owns the figures of the back office's first page: what all calls of some days came to.

One question to the statistics, whose rows by day and channel are added up here; the times, the users
and models that paid most, and money in, are small questions of their own. Amounts are nano-dollars. Must not
know pages. What it costs: docs/decisions/0050.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.billing.statistics import (
    Figures,
    Question,
    Statistics,
    Unanswerable,
    read_statistics,
)
from tollbridge.core.histogram import percentiles_of
from tollbridge.core.zones import day_at, zone_of
from tollbridge.storage.account_states import some_accounts
from tollbridge.storage.alerts import Alert, list_alerts
from tollbridge.storage.journal_kinds import sums_by_kind
from tollbridge.storage.rollup_cover import Piece, read_kept
from tollbridge.storage.rollup_reads import Parts, read_charges, read_names, read_sums
from tollbridge.storage.spending_reads import most_charged
from tollbridge.storage.work_tables import job

TOP: Final = 10
"""How many users and models are shown."""
MONEY_IN: Final = ("grant", "adjustment", "code", "order", "refund", "expiry")
"""Kinds of journal lines by which credit comes and goes, other than by calls."""

_ALERTS: Final = 20
_PERCENTS: Final = (50, 95)
_UTC: Final = "UTC"
_NUMBERS: Final = Parts(
    ("calls", "answered", "client_faults", "charge", "list_cost", "own_cost"), ()
)
_TIMES: Final = Parts((), ("first_token_bins",))


@dataclass(frozen=True, slots=True)
class Sum:
    """What some calls came to. `failed` are those neither answered nor the client's fault."""

    calls: int = 0
    failed: int = 0
    client_faults: int = 0
    charge: int = 0
    list_cost: int = 0
    own_cost: int = 0

    @property
    def margin(self) -> int:
        """What is left of the charges."""
        return self.charge - self.own_cost


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel: what its calls came to, and what they were charged on each day."""

    name: str
    sum: Sum
    charges: Sequence[int]


@dataclass(frozen=True, slots=True)
class Top:
    """A user or model: `id` of a user, what its calls were charged."""

    name: str
    id: int | None
    calls: int
    charge: int


@dataclass(frozen=True, slots=True)
class OfficeFigures:
    """The figures of `days` (dates of `zone`, the last is today).

    `money_in` is by kind of journal line. `first_token` are milliseconds by percentile. `accounts`
    are counts by state. `channels` is None when there are too many to tell apart.
    """

    days: Sequence[str]
    zone: str
    total: Sum
    channels: Sequence[Channel] | None
    money_in: Mapping[str, int]
    first_token: tuple[int | None, int | None]
    users: Sequence[Top]
    models: Sequence[Top]
    accounts: Mapping[str, int]
    alerts: Sequence[Alert]
    dead_jobs: int
    complete_until_ms: int


async def read_figures(
    connection: AsyncConnection, count: int, zone: str, at_ms: int
) -> OfficeFigures:
    """Return the figures of the last `count` days, today included, of one state of the database."""
    found, by_channel = await _found(connection, count, zone, at_ms)
    spans = found.question.spans()
    start_ms, end_ms = spans[0].start_ms, spans[-1].end_ms
    kept = await read_kept(connection, at_ms)
    pieces = [(0, piece) for piece in kept.pieces(start_ms, end_ms)]
    days = [span.day.isoformat() for span in spans]
    return OfficeFigures(
        days=days,
        zone=found.question.zone,
        total=_sum(found.rows),
        channels=_channels(found, days) if by_channel else None,
        money_in=await _money_in(connection, start_ms, end_ms),
        first_token=await _first_token(connection, pieces),
        users=await _top_users(connection, [piece for _, piece in pieces]),
        models=await _top_models(connection, pieces),
        accounts=await _accounts(connection),
        alerts=await list_alerts(connection, most=_ALERTS),
        dead_jobs=await _dead_jobs(connection),
        complete_until_ms=found.complete_until_ms,
    )


async def _found(
    connection: AsyncConnection, count: int, zone: str, at_ms: int
) -> tuple[Statistics, bool]:
    """Ask by channel in the zone; together, or in days of UTC, where that cannot be answered."""
    group: tuple[str, ...] = ("channel",)
    for _ in range(2):
        try:
            question = _question(count, group, zone, at_ms)
            found = await read_statistics(connection, question, at_ms, _NUMBERS)
        except Unanswerable as error:
            if error.field == "group":
                group = ()
            else:
                zone = _UTC
        else:
            return found, bool(group)
    question = _question(count, (), _UTC, at_ms)
    return await read_statistics(connection, question, at_ms, _NUMBERS), False


def _question(count: int, group: tuple[str, ...], zone: str, at_ms: int) -> Question:
    until = day_at(zone_of(zone), at_ms) + timedelta(days=1)
    return Question(until - timedelta(days=count), until, "day", zone, group, {})


def _sum(rows: Iterable[Figures]) -> Sum:
    numbers: Counter[str] = Counter()
    for row in rows:
        numbers.update(row.numbers)
    return Sum(
        calls=numbers["calls"],
        failed=numbers["calls"] - numbers["client_faults"] - numbers["answered"],
        client_faults=numbers["client_faults"],
        charge=numbers["charge"],
        list_cost=numbers["list_cost"],
        own_cost=numbers["own_cost"],
    )


def _channels(found: Statistics, days: Sequence[str]) -> list[Channel]:
    """Return the channels, those that were charged most first."""
    rows: dict[Any, list[Figures]] = defaultdict(list)
    for row in found.rows:
        rows[row.group["channel"]].append(row)
    names = found.names.get("channel", {})
    made = []
    for number, its in rows.items():
        by_day = {row.span.day.isoformat(): row.numbers["charge"] for row in its}
        charges = [by_day.get(day, 0) for day in days]
        made.append(Channel(names.get(number, str(number)), _sum(its), charges))
    return sorted(made, key=lambda one: (-one.sum.charge, -one.sum.calls, one.name))


async def _first_token(
    connection: AsyncConnection, pieces: Sequence[tuple[int, Piece]]
) -> tuple[int | None, int | None]:
    # Of all days at once: most of these are whole days of UTC, with few and short histograms.
    found = await read_sums(connection, pieces, (), {}, 1, _TIMES)
    p50, p95 = percentiles_of(found[0].bins["first_token_bins"] if found else "", _PERCENTS)
    return p50, p95


async def _money_in(connection: AsyncConnection, start_ms: int, end_ms: int) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for one in await sums_by_kind(connection, start_ms, end_ms):
        if one.kind in MONEY_IN:
            sums[one.kind] += one.amount
    return dict(sorted(sums.items()))


async def _top_users(connection: AsyncConnection, pieces: Iterable[Piece]) -> list[Top]:
    top = await most_charged(connection, pieces, TOP)
    names = await read_names(connection, "user_id", [user_id for user_id, _, _ in top])
    return [
        Top(names.get(user_id, str(user_id)), user_id, calls, charge)
        for user_id, calls, charge in top
    ]


async def _top_models(
    connection: AsyncConnection, pieces: Sequence[tuple[int, Piece]]
) -> list[Top]:
    # With the channel there is a view of everybody by model.
    found = await read_charges(connection, pieces, ("channel_id", "model"), {})
    calls: Counter[str] = Counter()
    charges: Counter[str] = Counter()
    for _, (_, model), number, charge in found:
        calls[model] += number
        charges[model] += charge
    models = sorted(calls, key=lambda model: (-charges[model], -calls[model], model))[:TOP]
    return [Top(model, None, calls[model], charges[model]) for model in models]


async def _accounts(connection: AsyncConnection) -> dict[str, int]:
    return dict(Counter(row["state"] for row in await some_accounts(connection)))


async def _dead_jobs(connection: AsyncConnection) -> int:
    query = select(func.count()).select_from(job).where(job.c.state == "dead")
    return int((await connection.execute(query)).scalar_one())
