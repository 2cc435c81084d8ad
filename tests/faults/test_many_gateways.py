"""Three gateways on one PostgreSQL and one Redis act as one: nothing is sold twice anywhere.

Real processes, real servers. What customers saw is held against the books by the judge of the chaos
runs; nothing here is judged by time but by generous deadlines.
"""

import asyncio
import itertools
import random

import pytest
import pytest_asyncio

from tests.faults.customers import HOT_KINDS, Sold, ask, catalogue, visit
from tests.faults.fleet import fleet
from tests.faults.judge import Judge
from tollbridge.core.money import parse_usd

pytestmark = pytest.mark.asyncio(loop_scope="module")
AT_ONCE = 200
DOLLAR = parse_usd("1.00")
RPM = 40
RICH = Sold("rich", "5000.00")
ONE = Sold("one", "1.00")
CAPPED = Sold("capped", "5000.00", 'limit = "1.00"')
BUDGETED = Sold("budgeted", "5000.00", 'budget = "1.00"\nbudget_period = "month"')
PACED = Sold("paced", "5000.00", f"rpm = {RPM}")
NARROW = Sold("narrow", "5000.00", "concurrency = 3")
SPARE = Sold("spare", "5000.00")
SOLD = (RICH, ONE, CAPPED, BUDGETED, PACED, NARROW, SPARE)
SMALL = ask(tokens=10)


def text(vendor):
    return catalogue(vendor, SOLD)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory, postgres_server, redis_server):
    """Run the fleet; the two servers of the suite know how to skip."""
    async with fleet(tmp_path_factory.mktemp("town"), text) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def judge(town):
    """Judge what a test does; at its end nothing may be wrong."""
    one = Judge(town, SOLD, random.Random(1))
    await one.begin()
    yield one
    await town.settled()
    await one.last()
    assert one.wrong == []


async def storm(town, sold, kinds, count=AT_ONCE):
    """Call so many times at once, at all gateways in turn."""
    asks, members = itertools.cycle(kinds), itertools.cycle(town.members)
    return await asyncio.gather(
        *(visit(next(members), sold, next(asks)) for _ in range(count))
    )  # fmt: skip


def statuses(visits):
    return {one.seen.status for one in visits}


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("sold", "code"),
    [(ONE, b"insufficient"), (CAPPED, b"key_limit_reached"), (BUDGETED, b"budget_reached")],
    ids=lambda value: value.name if isinstance(value, Sold) else "",
)
async def test_two_hundred_callers_at_three_gateways_spend_no_more_than_there_is(
    town, judge, sold, code
):
    every = []
    while True:
        visits = await storm(town, sold, HOT_KINDS)
        every += visits
        assert statuses(visits) <= {200, 402}
        if statuses(visits) == {402}:
            break
    refused = [one for one in every if one.seen.status == 402]
    assert all(code in one.seen.data for one in refused)
    await town.settled()
    rows = await judge.round(every, sold.name)
    spent = sum(row["charge"] for row in rows)
    assert 0 < spent <= DOLLAR
    # The smallest call of all found no room any more.
    assert DOLLAR - spent < parse_usd("0.0025")
    assert sum(row["loss"] for row in rows) == 0
    assert {one.member for one in every if one.seen.finished} == {one.name for one in town.members}
    # Nobody who was refused reached the vendor or paid.
    tids = {one.seen.tid for one in refused}
    assert not [row for row in rows if row["tid"] in tids and row["charge"]]


async def everywhere(town, sold, right):
    """Wait until a call at every gateway is answered as it should be; return all calls."""
    visits = []

    async def at(member):
        async def seen():
            visits.append(await visit(member, sold, SMALL))
            return right(visits[-1].seen)

        await town.until(seen, f"a change to arrive at {member.name}", 30)

    await asyncio.gather(*map(at, town.members))
    return visits


def costs(amount):
    return lambda seen: seen.headers.get("x-tollbridge-cost") == amount


async def test_a_change_of_key_price_or_channel_reaches_every_gateway(town, judge):
    # 100 tokens in and 10 out at $2.50 and $10.00 a million.
    usual = text(town.vendor_url)
    await everywhere(town, SPARE, costs("0.00035"))
    without = usual.replace(SPARE.text(), SPARE.text().partition("[[user.key]]")[0])
    try:
        await town.apply(without, "--prune")
        await everywhere(town, SPARE, lambda seen: seen.status in {401, 403})
        await town.apply(usual)
        await everywhere(town, SPARE, costs("0.00035"))
        await town.apply(usual.replace('output = "10.00"', 'output = "20.00"'))
        await everywhere(town, SPARE, costs("0.00045"))
        await town.apply(usual.replace('multiplier = "1.0"', 'multiplier = "0.5"'))
        await everywhere(town, SPARE, costs("0.000175"))
    finally:
        await town.apply(usual)
    await everywhere(town, SPARE, costs("0.00035"))
    await town.settled()
    await judge.begin()


def alone(town):
    """How often a gateway has gone over to counting limits alone: Redis did not answer in time."""
    return sum(one.log.read_text().count("limits are no longer shared") for one in town.members)


def counters(town, before):
    """How many counters there were since `alone` said `before`: one of all gateways, or each its own."""
    return 1 if alone(town) == before else len(town.members)


async def busy(town, sold, calls, at_once):
    """Call so many times, `at_once` at a time, at all gateways in turn; return calls and seconds."""
    members, places = itertools.cycle(town.members), asyncio.Semaphore(at_once)

    async def one():
        async with places:
            return await visit(next(members), sold, SMALL)

    loop = asyncio.get_running_loop()
    started = loop.time()
    visits = await asyncio.gather(*(one() for _ in range(calls)))
    return visits, loop.time() - started


@pytest.mark.timeout(600)
@pytest.mark.parametrize("calls", [1_500, pytest.param(10_000, marks=pytest.mark.long)])
async def test_no_more_calls_a_minute_pass_than_the_limit_and_refused_ones_consume_nothing(
    town, judge, calls
):
    paced = Sold(f"paced{calls}", "5000.00", f"rpm = {RPM}")
    await town.apply(catalogue(town.vendor_url, (paced,)))
    judge.add(paced)
    await everywhere(town, paced, lambda seen: seen.status != 401)
    await town.settled()
    await judge.begin()
    town.redis.ask("FLUSHALL")
    before = alone(town)
    visits, took_s = await busy(town, paced, calls, 24)
    passed = [one for one in visits if one.seen.status == 200]
    refused = [one for one in visits if one.seen.status == 429]
    assert len(passed) + len(refused) == calls
    assert RPM <= len(passed) <= RPM * (1 + int(took_s / 60)) * counters(town, before)
    assert all(int(one.seen.headers["retry-after"]) >= 1 for one in refused)
    await town.settled()
    assert town.vendor.books.count == len(passed)
    rows = await judge.round(visits, "paced")
    assert {row["tid"] for row in rows} == {one.seen.tid for one in passed}


async def test_calls_at_once_are_limited_over_all_gateways(town, judge):
    most, before = 0, alone(town)
    over = asyncio.Event()

    async def watch():
        nonlocal most
        while not over.is_set():
            running = [one for one in town.vendor.books.calls if one.state == "running"]
            most = max(most, len(running))
            await asyncio.sleep(0.002)

    watching = asyncio.create_task(watch())
    visits = await storm(town, NARROW, [ask(tokens=5, delay_ms=300)], 60)
    over.set()
    await watching
    passed = [one for one in visits if one.seen.finished]
    assert 3 <= len(passed) < 60
    assert 0 < most <= 3 * counters(town, before)
    assert statuses(visits) == {200, 429}
    await town.settled()
    await judge.round(visits, "narrow")


async def test_without_redis_money_is_untouched_and_limits_are_counted_by_each_process(town, judge):
    async def shared(value):
        figures = [await one.figure("tollbridge_limits_shared") for one in town.members]
        return set(figures) == {value}

    await asyncio.to_thread(town.redis.stop)
    visits, took_s = await busy(town, PACED, 300, 12)
    passed = [one for one in visits if one.seen.finished]
    assert RPM < len(passed) <= len(town.members) * RPM * (1 + int(took_s / 60))
    assert statuses(visits) == {200, 429}
    visits += await storm(town, RICH, [SMALL], 30)
    assert all(one.seen.finished for one in visits[-30:])
    await town.until(lambda: shared(0.0), "limits counted alone")
    await asyncio.to_thread(town.redis.start)
    await town.until(lambda: shared(1.0), "limits shared again")
    await town.settled()
    await judge.round(visits, "without Redis")
