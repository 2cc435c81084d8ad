"""Proof that a condition on rows and the table of ends say the same of every call."""

from itertools import product

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.usage_writer import make_calls
from tollbridge.core.clock import new_tid
from tollbridge.core.errors import Kind
from tollbridge.core.outcomes import ANSWERED, LEFT, Ended, ended
from tollbridge.storage.endings import ended_so
from tollbridge.storage.ledger_tables import usage
from tollbridge.storage.unit_of_work import reading, working

STATES = [*sorted(ANSWERED), *sorted(LEFT), "refused", "partial", "reclaimed", "of a later one"]
ERRORS = [None, *(kind.value for kind in Kind), "of a later one"]


async def test_rows_end_as_the_table_says(engine: AsyncEngine):
    ends = {
        new_tid(): {"end_state": state, "error_kind": error}
        for state, error in product(STATES, ERRORS)
    }
    async with working(engine) as connection:
        for tid, end in ends.items():
            await make_calls(connection, [tid], **end)
    found = {}
    async with reading(engine) as connection:
        for how in Ended:
            rows = await connection.execute(select(usage.c.tid).where(ended_so(how)))
            found[how] = set(rows.scalars())
    for how, tids in found.items():
        assert tids == {tid for tid, end in ends.items() if ended(**end) is how}, how
        assert tids
