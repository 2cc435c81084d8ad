"""A backup is restored under two running gateways: both end, nothing of the old life gets through."""

import asyncio
import random

import pytest

from tests.faults.customers import KINDS, Sold, ask, catalogue, stream, visit
from tests.faults.fleet import fleet
from tests.faults.judge import Judge
from tests.faults.load import DONE

RICH = Sold("rich", "5000.00")
_BROKEN = 70


@pytest.mark.timeout(300)
async def test_running_gateways_end_when_a_backup_is_restored(
    tmp_path, postgres_server, redis_server
):
    def text(vendor):
        return catalogue(vendor, (RICH,))

    async with fleet(tmp_path, text, 2) as town:
        judge = Judge(town, (RICH,), random.Random(1))
        before = [await visit(member, RICH, one) for member in town.members for one in KINDS[:5]]
        # Open while the backup is made: void after the restore.
        open_calls = [
            asyncio.create_task(visit(member, RICH, stream(tokens=400, event_delay_ms=50)))
            for member in town.members
        ]
        await town.until(lambda: _holds(town, 2), "two holds with a checkpoint")
        done = await town.run("backup", str(tmp_path / "books.backup"))
        assert done.returncode == 0, done.stderr
        after = [await visit(member, RICH, ask(tokens=30)) for member in town.members]
        assert all(one.seen.finished for one in (*before, *after))
        processes = [member.process for member in town.members]
        done = await town.run("restore", str(tmp_path / "books.backup"), "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "2 running calls voided" in done.stdout
        statuses = [await asyncio.to_thread(process.wait, 60) for process in processes]
        assert statuses == [_BROKEN, _BROKEN]
        for made in await asyncio.gather(*open_calls):
            assert DONE not in made.seen.data and not made.seen.finished
        # Their last words changed nothing: the books are those of the backup, with two void calls.
        assert await town.findings(full=True) == []
        rows = {row["tid"]: row for row in await town.rows("SELECT tid, charge FROM usage")}
        for made in before:
            assert rows[made.seen.tid]["charge"] == made.seen.ask.full_price()
        assert not rows.keys() & {made.seen.tid for made in after}
        voided = rows.keys() - {made.seen.tid for made in before}
        assert len(voided) == 2 and not any(rows[tid]["charge"] for tid in voided)
        # Started again they serve, and all is charged as ever.
        for member in town.members:
            await asyncio.to_thread(member.end)
            await member.start_ready()
        await judge.begin()
        again = [await visit(member, RICH, one) for member in town.members for one in KINDS[:5]]
        assert all(one.seen.finished for one in again)
        # The dead of the old life are nobody's: only the two that run are looked at.
        await town.until(town.quiet, "no hold, nothing queued")
        await judge.round(again, "restored")
        await judge.last()
        assert judge.wrong == []


async def _holds(town, count):
    return await town.count("SELECT count(*) FROM hold WHERE covered > 0") == count
