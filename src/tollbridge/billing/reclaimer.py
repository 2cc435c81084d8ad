"""Owns ending the calls of dead nodes: each orphan is posted at its own checkpoint, the rest freed.

Every process does it; whoever comes second finds nothing left (money.md, "Death and time").
"""

import asyncpg

from tollbridge.billing.recovery import bill_of, posting
from tollbridge.billing.terms import Terms
from tollbridge.core.telemetry import get_logger
from tollbridge.storage.ledger_batch import OpenHold
from tollbridge.storage.ledger_exact import Written, reap
from tollbridge.storage.ledger_items import SettleResult
from tollbridge.storage.ledger_nodes import orphans
from tollbridge.storage.postgres_errors import Fault, fault_of

_log = get_logger(__name__)


async def reclaim_orphans(connection: asyncpg.Connection) -> int:
    """Post every hold of an epoch that is over; return how many there were.

    Raises asyncpg's errors; what was posted until then stays posted. A hold that no row can be
    written for is left to `ledger verify` and must not stop the others.
    """
    reclaimed = 0
    while standing := await orphans(connection):
        terms = await Terms.of_server(connection, map(bill_of, standing))
        posted = await _post(connection, standing, terms)
        reclaimed += posted
        if not posted:
            break
    return reclaimed


async def _post(connection: asyncpg.Connection, standing: list[OpenHold], terms: Terms) -> int:
    """One bill that the tables refuse must not keep the others' money held: it goes plain."""
    try:
        written = await reap(connection, [posting(hold, terms) for hold in standing])
    except Exception as error:
        if fault_of(error) is not Fault.ITEM:
            raise
        if len(standing) > 1:
            return sum([await _post(connection, [hold], terms) for hold in standing])
        written = await _post_plain(connection, standing[0], terms)
    return sum(isinstance(answer, SettleResult) and answer.open for _, answer in written.answers)


async def _post_plain(connection: asyncpg.Connection, hold: OpenHold, terms: Terms) -> Written:
    try:
        return await reap(connection, [posting(hold, terms).plain()])
    except Exception as error:
        if fault_of(error) is not Fault.ITEM:
            raise
        _log.error("a hold cannot be posted", tid=hold.tid, fault=type(error).__name__)
        return Written()
