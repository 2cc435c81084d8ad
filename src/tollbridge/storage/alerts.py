"""Owns the rows of alerts: what is raised, since when, how often, and when operators were told.

One row a kind and subject, used again when its cause comes back. Every function works in the
caller's transaction and returns what operators are to be told; times are milliseconds since 1970.
Must not know what a kind means nor how anybody is told.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple, Self

from sqlalchemy import RowMapping, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.clock import new_id
from tollbridge.storage.upsert import upsert
from tollbridge.storage.work_tables import alert

SUBJECT_MAX = 128
"""The longest subject that the table holds, in characters."""

TELL_AGAIN_MS = 3_600_000
"""How long operators hear nothing more of an alert that lasts, in milliseconds."""


class State(StrEnum):
    """What there is to tell of an alert."""

    OPENED = "opened"
    LASTS = "lasts"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Alert:
    """A row: `count` is how often it was raised since `first_ms`, when it last opened."""

    id: int
    kind: str
    subject: str
    detail: str
    first_ms: int
    last_ms: int
    count: int
    notified_ms: int | None
    closed_ms: int | None

    @classmethod
    def of(cls, row: RowMapping) -> Self:
        """Return the alert of a whole row."""
        return cls(**row)


class Telling(NamedTuple):
    """What operators are to be told now; the row says already that they were."""

    state: State
    alert: Alert


async def note_raised(
    connection: AsyncConnection, kind: str, subject: str, detail: str, at_ms: int, count: int = 1
) -> Telling | None:
    """Raise an alert `count` times; return what to tell: that it opened, or once an hour that it lasts.

    Transactions that raise the same alert wait for one another, so that one of them tells.
    """
    # Begins closed: a new alert then opens the way an old one does again.
    fresh = upsert(connection, alert).values(
        id=new_id(), kind=kind, subject=subject, detail=detail, first_ms=at_ms, last_ms=at_ms,
        count=0, closed_ms=at_ms,
    )  # fmt: skip
    await connection.execute(fresh.on_conflict_do_nothing(index_elements=["kind", "subject"]))
    which = (alert.c.kind == kind, alert.c.subject == subject)
    result = await connection.execute(select(alert).where(*which).with_for_update())
    old = Alert.of(result.mappings().one())
    if old.closed_ms is not None:
        opened: dict[str, Any] = {"first_ms": at_ms, "last_ms": at_ms, "count": count,
                                  "notified_ms": at_ms, "closed_ms": None}  # fmt: skip
        return Telling(State.OPENED, await _change(connection, old, detail=detail, **opened))
    due = _is_due(old, at_ms)
    new = await _change(
        connection,
        old,
        detail=detail,
        last_ms=max(old.last_ms, at_ms),
        count=old.count + count,
        notified_ms=at_ms if due else old.notified_ms,
    )
    return Telling(State.LASTS, new) if due else None


async def note_closed(
    connection: AsyncConnection, kind: str, subject: str, at_ms: int
) -> Telling | None:
    """Close an alert; return that it closed when it was open, so that it is told once."""
    which = (alert.c.kind == kind, alert.c.subject == subject, alert.c.closed_ms.is_(None))
    tellings = await _close(connection, at_ms, *which)
    return tellings[0] if tellings else None


async def close_others(
    connection: AsyncConnection, kind: str, subjects: Collection[str], at_ms: int
) -> list[Telling]:
    """Close the open alerts of a kind whose subject is not among `subjects`."""
    which = (alert.c.kind == kind, alert.c.closed_ms.is_(None))
    return await _close(connection, at_ms, *which, alert.c.subject.not_in(list(subjects)))


async def close_quiet(
    connection: AsyncConnection, kind: str, before_ms: int, at_ms: int
) -> list[Telling]:
    """Close the open alerts of a kind that were last raised before `before_ms`."""
    which = (alert.c.kind == kind, alert.c.closed_ms.is_(None))
    return await _close(connection, at_ms, *which, alert.c.last_ms < before_ms)


async def take_due(connection: AsyncConnection, at_ms: int) -> list[Telling]:
    """Return the open alerts that were raised since operators were told of them an hour ago.

    Without this the last of a burst would be told only when the next one comes.
    """
    silent = or_(alert.c.notified_ms.is_(None), alert.c.notified_ms <= at_ms - TELL_AGAIN_MS)
    news = or_(alert.c.notified_ms.is_(None), alert.c.last_ms > alert.c.notified_ms)
    rows = await _locked(connection, alert.c.closed_ms.is_(None), silent, news)
    return [Telling(State.LASTS, await _change(connection, row, notified_ms=at_ms)) for row in rows]


async def list_alerts(
    connection: AsyncConnection, *, open_only: bool = True, most: int = 200
) -> list[Alert]:
    """Return alerts, the last raised first."""
    query = select(alert).order_by(alert.c.last_ms.desc(), alert.c.id.desc()).limit(most)
    if open_only:
        query = query.where(alert.c.closed_ms.is_(None))
    result = await connection.execute(query)
    return [Alert.of(row) for row in result.mappings()]


def _is_due(row: Alert, at_ms: int) -> bool:
    """A node's clock that was set back must not silence an alert: far off either way is due."""
    return row.notified_ms is None or abs(at_ms - row.notified_ms) >= TELL_AGAIN_MS


async def _close(connection: AsyncConnection, at_ms: int, *which: Any) -> list[Telling]:
    rows = await _locked(connection, *which)
    return [
        Telling(State.CLOSED, await _change(connection, row, closed_ms=at_ms, notified_ms=at_ms))
        for row in rows
    ]


async def _locked(connection: AsyncConnection, *which: Any) -> list[Alert]:
    """Lock rows in one order everywhere, or two transactions would wait for each other for ever."""
    query = select(alert).where(*which).order_by(alert.c.kind, alert.c.subject).with_for_update()
    result = await connection.execute(query)
    return [Alert.of(row) for row in result.mappings()]


async def _change(connection: AsyncConnection, old: Alert, **values: Any) -> Alert:
    await connection.execute(update(alert).where(alert.c.id == old.id).values(**values))
    return replace(old, **values)
