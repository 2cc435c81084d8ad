"""The database away, slow or unheard, and gateways that stall, with calls in flight on three gateways.

What a client sees then, and what the books say afterwards (money.md, the end table and "Death and
time").
"""

import asyncio
import random
import signal

import pytest
import pytest_asyncio

from tests.faults.customers import HOT_KINDS, KINDS, Sold, ask, catalogue, stream, visit
from tests.faults.fleet import fleet
from tests.faults.judge import Judge
from tests.faults.load import DONE

pytestmark = pytest.mark.asyncio(loop_scope="module")
RICH = Sold("rich", "5000.00")
POOR = Sold("poor", "0.50")
GUARDED = Sold(
    "guarded", "5000.00", 'limit = "40.00"\nbudget = "30.00"\nbudget_period = "month"'
)  # fmt: skip
SOLD = (RICH, POOR, GUARDED)
BROKEN = b'"finish_reason":"error"'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory, postgres_server, redis_server):
    """Run the fleet; the two servers of the suite know how to skip."""
    folder = tmp_path_factory.mktemp("town")
    async with fleet(folder, lambda vendor: catalogue(vendor, SOLD)) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def judge(town):
    """Judge what a test does; at its end nothing may be wrong."""
    one = Judge(town, SOLD, random.Random(1))
    await town.settled()
    await one.begin()
    yield one
    await town.settled()
    await one.last()
    assert one.wrong == []


def begin(town, sold, one, number=0):
    return asyncio.create_task(visit(town.members[number], sold, one))


async def held(town, count):
    await town.until(lambda: _holds(town, count), f"{count} holds with a checkpoint")


async def _holds(town, count):
    return await town.count("SELECT count(*) FROM hold WHERE covered > 0") == count


async def written(town, count):
    """Wait until the vendor has answered so many calls to the end."""

    async def done():
        return sum(one.state == "done" for one in town.vendor.books.calls) >= count

    await town.until(done, f"{count} answers of the vendor")


async def row_of(town, made):
    (row,) = await town.rows("SELECT * FROM usage WHERE tid = $1", made.seen.tid)
    return row


@pytest.mark.parametrize("immediate", [False, True], ids=["restarted", "crashed"])
async def test_streams_end_and_charge_right_after_a_database_that_was_briefly_away(
    town, judge, immediate
):
    calls = [
        begin(town, sold, stream(tokens=60, events=20, event_delay_ms=120), number)
        for number in range(3)
        for sold in SOLD
    ]
    await held(town, len(calls))
    async with town.database_lock:
        await asyncio.to_thread(lambda: town.database.halt(immediate=immediate))
        await written(town, len(calls))
        await asyncio.sleep(0.5)
        # The vendor has said all; nobody is shown an end that is not in the books.
        assert not any(call.done() for call in calls)
        await asyncio.to_thread(town.database.resume)
    visits = await asyncio.gather(*calls)
    assert all(one.seen.finished for one in visits)
    await town.settled()
    rows = await judge.round(visits, "briefly away")
    assert {row["end_state"] for row in rows} == {"complete"}
    # The time in which nobody could look proves nothing against anybody.
    assert not [row for row in rows if "reclaimed" in row["flags"] or "late" in row["flags"]]


async def test_without_a_database_calls_are_refused_and_what_is_owed_waits_in_memory(town, judge):
    one = stream(tokens=60, events=20, event_delay_ms=120)
    streams = [begin(town, RICH, one, number) for number in range(3)]
    unary = [begin(town, GUARDED, ask(tokens=30, delay_ms=2_500), number) for number in range(3)]
    await held(town, 3)
    await town.until(lambda: _all_held(town, 6), "six holds")
    async with town.database_lock:
        await asyncio.to_thread(lambda: town.database.halt(immediate=True))
        broken = await asyncio.gather(*streams)
        withheld = await asyncio.gather(*unary)
        late = [await visit(member, RICH, ask(tokens=5)) for member in town.members]
        for member in town.members:
            assert (await member.get("/readyz"))[0] == 503
            assert (await member.get("/healthz"))[0] == 200
        await asyncio.to_thread(town.database.resume)
    for made in broken:
        assert BROKEN in made.seen.data and DONE not in made.seen.data and made.seen.whole
    for made in (*withheld, *late):
        assert made.seen.status == 503 and int(made.seen.headers["retry-after"]) >= 1
        assert b" abc" not in made.seen.data
    await town.settled()
    rows = await judge.round([*broken, *withheld, *late], "away")
    for made in broken:
        row = await row_of(town, made)
        assert (row["end_state"], row["charge"]) == ("complete", one.full_price())
    for made in withheld:
        row = await row_of(town, made)
        assert (row["end_state"], row["charge"]) == ("withheld", 0)
    assert not {row["tid"] for row in rows} & {made.seen.tid for made in late}


async def _all_held(town, count):
    return await town.count("SELECT count(*) FROM hold") == count


@pytest.mark.timeout(300)
async def test_a_slow_database_loses_no_money(town, judge):
    """A second for every question: more than enough to overtake, not enough to give up on."""
    for member in town.members:
        member.proxy.delay_s = 0.5
    calls = [
        begin(town, sold, one, number)
        for number in range(3)
        for sold, kinds in ((RICH, KINDS[:8]), (GUARDED, KINDS[:6]), (POOR, HOT_KINDS))
        for one in kinds
    ]
    visits = await asyncio.gather(*calls)
    for member in town.members:
        member.proxy.delay_s = 0.0
    await town.settled()
    rows = await judge.round(visits, "slow")
    assert sum(one.seen.finished for one in visits) > 0
    assert not any(row["loss"] for row in rows)


async def test_answers_of_the_database_that_are_lost_are_read_back(town, judge):
    """What was sent is committed, and nobody hears of it: never held, charged or returned twice."""
    for number in range(6):
        calls = [
            begin(town, sold, one, place)
            for place in range(3)
            for sold, kinds in ((RICH, KINDS[:5]), (GUARDED, KINDS[:5]))
            for one in kinds
        ]
        await asyncio.sleep(0.02 * number)
        for member in town.members:
            member.proxy.mute = True
        await asyncio.sleep(0.2)
        for member in town.members:
            member.proxy.reset()
            member.proxy.mute = False
        visits = await asyncio.gather(*calls)
        assert all(one.seen.finished for one in visits)
        await town.settled()
        await judge.round(visits, f"lost {number}")


async def reclaimed(town, count):
    async def posted():
        query = "SELECT count(*) FROM usage WHERE end_state = 'reclaimed'"
        return await town.count(query) >= count

    await town.until(posted, "the others to post the calls of the stalled one")


async def test_the_silence_of_a_gateway_that_stood_still_is_not_the_vendors(town, judge):
    """The usage came while it was stopped: it is read before anything is settled by estimate."""
    member = town.members[1]
    call = begin(town, RICH, stream(tokens=30, silent_after_finish_ms=1_000), 1)
    await held(town, 1)
    member.send(signal.SIGSTOP)
    try:
        await written(town, 1)
        # Longer than the silence that is waited for.
        await asyncio.sleep(2.5)
    finally:
        member.send(signal.SIGCONT)
    made = await call
    assert made.seen.finished
    await town.settled()
    [row] = await judge.round([made], "stood still")
    assert "estimated" not in row["flags"]


@pytest.mark.parametrize("how", ["stopped", "cut off"])
async def test_a_gateway_that_was_dead_for_the_others_corrects_its_calls(town, judge, how):
    """Long streams run on the stalled gateway; the others post them; then it goes on."""
    member = town.members[0]
    before = await town.count("SELECT count(*) FROM usage WHERE end_state = 'reclaimed'")
    calls = [
        begin(town, sold, stream(tokens=300, events=30, event_delay_ms=100))
        for sold in (RICH, RICH, GUARDED)
    ]
    calls.append(begin(town, GUARDED, ask(tokens=40, delay_ms=3_000)))
    await held(town, 3)
    await town.until(lambda: _all_held(town, 4), "four holds")
    if how == "stopped":
        member.send(signal.SIGSTOP)
    else:
        member.proxy.freeze()
    try:
        await reclaimed(town, before + 4)
    finally:
        member.send(signal.SIGCONT)
        member.proxy.thaw()
    visits = await asyncio.gather(*calls)
    await town.settled()
    rows = await judge.round(visits, how)
    assert len(rows) == 4
    for made in visits:
        row = await row_of(town, made)
        flags = row["flags"].split(",")
        assert "late" in flags
        if made.seen.finished:
            assert (row["end_state"], row["charge"]) == ("complete", made.seen.ask.full_price())
        elif made.seen.streamed:
            assert BROKEN in made.seen.data
        else:
            assert (made.seen.status, row["charge"]) == (503, 0)
    # It goes on under a new epoch, and new calls are like any others.
    again = await visit(member, GUARDED, ask(tokens=40))
    assert again.seen.finished
    await judge.round([again], "again")
