"""Owns whether somebody has ever made a call, and which was the first: asked every few seconds.

A call is in the index within seconds of its end and in the feed at once; both are looked at. Reads
only, each by an index. Must not know what is shown of it.
"""

from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.storage.call_search import keep_to_indexes
from tollbridge.storage.ledger_tables import usage, usage_feed
from tollbridge.storage.query_tables import call_index

_FEED_MAX = 1_000


async def first_call(connection: AsyncConnection, user_id: int) -> str | None:
    """Return the tid of a user's first settled call, None when there is none yet.

    Where thousands of calls wait for the index, only the latest of them are looked through.
    """
    await keep_to_indexes(connection)
    for query in (indexed(user_id), waiting(user_id)):
        tid = (await connection.execute(query)).scalar()
        if tid is not None:
            return str(tid)
    return None


def indexed(user_id: int) -> Select[Any]:
    """Return the question for the first call of the index."""
    mine = select(call_index.c.tid).where(call_index.c.user_id == user_id)
    return mine.order_by(call_index.c.tid).limit(1)


def waiting(user_id: int) -> Select[Any]:
    """Return the question for the first call of the feed's end."""
    latest = select(usage_feed.c.tid).order_by(usage_feed.c.id.desc()).limit(_FEED_MAX).subquery()
    found = select(usage.c.tid).join(latest, latest.c.tid == usage.c.tid)
    return found.where(usage.c.user_id == user_id).order_by(usage.c.tid).limit(1)
