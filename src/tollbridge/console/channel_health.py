"""Owns how a channel is doing in one word, from its accounts and the calls of the last hour or two.

One aggregate query for all channels. Must not know who is shown it.
"""

from collections.abc import Mapping
from typing import Final, Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.catalog.snapshot import Snapshot
from tollbridge.storage.rollup_cover import read_kept
from tollbridge.storage.rollup_marks import HOUR
from tollbridge.storage.rollup_reads import read_sums

Health = Literal["good", "shaky", "failing", "quiet", "unstaffed"]

_HOUR_MS = HOUR * 1000
_PERCENT = 100
GOOD_FROM: Final = 98
"""Percent answered of the calls that clients did not spoil; from here on a channel is well."""
SHAKY_FROM: Final = 80


async def read_health(
    connection: AsyncConnection, snapshot: Snapshot, at_ms: int
) -> Mapping[int, Health]:
    """Return the health of each channel by its id, from this hour's calls and the last one's."""
    kept = await read_kept(connection, at_ms)
    this_hour = at_ms // _HOUR_MS * _HOUR_MS
    pieces = [(0, one) for one in kept.pieces(this_hour - _HOUR_MS, this_hour + _HOUR_MS)]
    found = await read_sums(connection, pieces, ("channel_id",), {}, len(snapshot.channels) + 1000)
    counts = {
        sums.group[0]: (
            sums.numbers["answered"],
            sums.numbers["calls"] - sums.numbers["client_faults"],
        )
        for sums in found
    }
    return {
        channel.id: health_of(*counts.get(channel.id, (0, 0))) if channel.accounts else "unstaffed"
        for channel in snapshot.channels.values()
    }


def health_of(answered: int, counted: int) -> Health:
    """Return the word for so many answered calls of those that count."""
    if counted <= 0:
        return "quiet"
    if answered * _PERCENT >= counted * GOOD_FROM:
        return "good"
    return "shaky" if answered * _PERCENT >= counted * SHAKY_FROM else "failing"
