"""Owns what is known of the channels' doing at the moment, for all who look: read twice a minute.

Whoever comes while it is read anew gets what was read before, and so does everybody while the
database cannot be reached. Must not know how it is shown.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.people.incidents import Incident, read_incidents
from tollbridge.storage.engine import DATABASE_ERRORS
from tollbridge.storage.unit_of_work import reading
from tollbridge.support.uptime import Uptime, read_uptime
from tollbridge.web.visit import Visit

FRESH_MS: Final = 30_000
"""How long what was read is good for."""
_AGAIN_MS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read, all of it at one moment (`uptime.at_ms`)."""

    uptime: Uptime
    incidents: Sequence[Incident]


class Board:
    """What was seen last. One for a process."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._seen: Seen | None = None
        self._due_ms = 0
        self._turn = asyncio.Lock()

    async def look(self, at_ms: int) -> Seen:
        """Return what is known at a moment; raises as the database does while nothing is."""
        if self._seen is not None and (at_ms < self._due_ms or self._turn.locked()):
            return self._seen
        async with self._turn:
            if self._seen is None or at_ms >= self._due_ms:
                self._seen = await self._read(at_ms)
            return self._seen

    async def _read(self, at_ms: int) -> Seen:
        try:
            async with reading(self._engine) as connection:
                before = None if self._seen is None else self._seen.uptime
                uptime = await read_uptime(connection, at_ms, before)
                seen = Seen(uptime, await read_incidents(connection, at_ms))
        except DATABASE_ERRORS:
            if self._seen is None:
                raise
            self._due_ms = at_ms + _AGAIN_MS
            return self._seen
        self._due_ms = at_ms + FRESH_MS
        return seen


def board_of(visit: Visit) -> Board:
    """Return the board of the site that is visited."""
    state = visit.request.app.state
    if not hasattr(state, "board"):
        state.board = Board(visit.services.engine)
    board: Board = state.board
    return board
