"""The chaos run in the suite: one fault of each kind, four at once; and the judge, judged.

`make chaos` is the long one (docs/chaos.md).
"""

import os
import random

import pytest

from tests.faults.chaos import Chaos
from tests.faults.customers import Sold, ask, catalogue, stream, visit
from tests.faults.fleet import fleet
from tests.faults.judge import Judge

RICH = Sold("rich", "5000.00")


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("faults", [16, pytest.param(200, marks=pytest.mark.long)])
async def test_whatever_breaks_nothing_is_lost_doubled_or_oversold(
    tmp_path, postgres_server, redis_server, faults
):
    seed = int(os.environ.get("CHAOS_SEED", "0")) or random.randrange(1 << 32)
    print(f"seed {seed}")
    async with fleet(tmp_path, catalogue) as town:
        chaos = Chaos(town, seed, customers=10, at_once=0 if faults > 16 else 4)
        try:
            await chaos.run(faults)
        finally:
            print(chaos.table())
        assert chaos.judge.wrong == []
        assert chaos.judge.finished > faults


TAMPERED = {
    "a call without its row": "DELETE FROM usage WHERE tid = '{tid}'",
    "a charge too high": "UPDATE usage SET charge = charge + 1 WHERE tid = '{tid}'",
    "a charge too low": "UPDATE usage SET charge = charge - 1 WHERE tid = '{tid}'",
    "a line too few": "DELETE FROM journal WHERE ref = '{tid}'",
    "money from nowhere": "UPDATE purse SET available = available + 1 WHERE kind = 'wallet'",
    "money held for nobody": "UPDATE purse SET held = held + 1 WHERE kind = 'wallet'",
}


async def test_the_judge_finds_what_is_wrong(tmp_path, postgres_server, redis_server):
    def text(vendor):
        return catalogue(vendor, (RICH,))

    async with fleet(tmp_path, text, 1) as town:
        for what, statement in TAMPERED.items():
            for kind in (ask(tokens=30), stream(tokens=40, events=10)):
                judge = Judge(town, (RICH,), random.Random(1))
                # Deleted and not truncated: the worker reads these tables meanwhile.
                await town.rows("DELETE FROM usage")
                await town.rows("DELETE FROM usage_feed")
                await town.rows("DELETE FROM journal WHERE kind <> 'grant'")
                await town.rows("UPDATE purse SET available = 5000000000000, held = 0")
                await judge.begin()
                made = await visit(town.members[0], RICH, kind)
                assert made.seen.finished
                await town.settled()
                await judge.round([made], "honest")
                assert judge.wrong == [], what
                await judge.begin()
                made = await visit(town.members[0], RICH, kind)
                await town.settled()
                await town.rows(statement.format(tid=made.seen.tid))
                await judge.round([made], "tampered")
                assert judge.wrong, what
