"""Owns how often somebody may knock at a door: signing in, asking for mail, trying codes.

Two counts: by the minute in the counters that calls use too, and by the day in the database, so that
neither a restart nor another process gives a guesser more tries. Who knocks is kept as a keyed hash.
"""

from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final

from sqlalchemy import case, delete
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.core.secrets import Secrets
from tollbridge.storage.counters import Counters, Refusal, Scope
from tollbridge.storage.people_tables import door_counts
from tollbridge.storage.unit_of_work import working
from tollbridge.storage.upsert import upsert

_DAY_MS: Final = 86_400_000
_MARK_CHARS: Final = 32


@dataclass(frozen=True, slots=True)
class Door:
    """A door, and how often one who knocks may do so. 0 a day: only the minute counts."""

    name: str
    per_minute: int
    per_day: int = 0


class DoorShut(Exception):
    """Somebody knocked too often; worth another try in `wait_s` seconds, at least 1."""

    def __init__(self, wait_s: int) -> None:
        super().__init__("too many tries")
        self.wait_s = max(wait_s, 1)


class Doors:
    """Counts knocks. `who` may be an address, an e-mail address, an id: only its hash is kept.

    One who has an IPv6 address has 2^64 of them: all of its /64 are the same who, also where the
    address comes last after a blank.
    """

    def __init__(self, engine: AsyncEngine, counters: Counters, secrets: Secrets) -> None:
        self._engine = engine
        self._counters = counters
        self._secrets = secrets

    async def knock(self, door: Door, who: str, at_ms: int) -> None:
        """Count a knock; DoorShut when there were too many. Every knock counts, refused ones too."""
        name = self._name(door, who)
        leave = await self._counters.take((Scope(name, door.per_minute, 0, 0),), 0)
        if isinstance(leave, Refusal):
            raise DoorShut(-(-leave.wait_ms // 1000))
        self._counters.give(leave, 0, sent=True)
        if door.per_day:
            await self._count_day(door, name, at_ms)

    async def forgive(self, door: Door, who: str) -> None:
        """Forget the day's knocks of one who has shown to be the right one."""
        async with working(self._engine) as connection:
            this = door_counts.c.name == self._name(door, who)
            await connection.execute(delete(door_counts).where(this))

    async def _count_day(self, door: Door, name: str, at_ms: int) -> None:
        async with working(self._engine) as connection:
            starts_ms, count = await _counted(connection, name, at_ms)
        if count > door.per_day:
            raise DoorShut((starts_ms + _DAY_MS - at_ms) // 1000)

    def _name(self, door: Door, who: str) -> str:
        return f"door:{door.name}:{self._secrets.mark('door', _known_as(who)).hex()[:_MARK_CHARS]}"


def _known_as(who: str) -> str:
    before, blank, address = who.rpartition(" ")
    try:
        found = IPv6Address(address)
    except ValueError:
        return who
    if found.ipv4_mapped is not None:
        return f"{before}{blank}{found.ipv4_mapped}"
    return f"{before}{blank}{found.packed[:8].hex()}/64"


async def forget_days(connection: AsyncConnection, at_ms: int) -> int:
    """Remove counts of days that are over; return how many."""
    over = door_counts.c.starts_ms <= at_ms - _DAY_MS
    return (await connection.execute(delete(door_counts).where(over))).rowcount


async def _counted(connection: AsyncConnection, name: str, at_ms: int) -> tuple[int, int]:
    """Count one more and return since when and how many; a day that is over begins anew."""
    first = upsert(connection, door_counts).values(name=name, starts_ms=at_ms, count=1)
    over = door_counts.c.starts_ms <= at_ms - _DAY_MS
    counted = first.on_conflict_do_update(
        index_elements=["name"],
        set_={
            "starts_ms": case((over, at_ms), else_=door_counts.c.starts_ms),
            "count": case((over, 1), else_=door_counts.c.count + 1),
        },
    ).returning(door_counts.c.starts_ms, door_counts.c.count)
    starts_ms, count = (await connection.execute(counted)).one()
    return starts_ms, count
