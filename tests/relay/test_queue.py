"""Proof of waiting for room around whole calls: order, patience, and that slots come back.

Time is the loop's own, which leaps: eight seconds of waiting cost what happens in them.
"""

import asyncio
from dataclasses import replace

import pytest

from tests.faults.ten_clock import leaping
from tests.relay.calls import WALLET, channel, chat, key, snapshot
from tests.relay.floor import open_floor
from tests.relay.visitor import SECRET, Visitor
from tollbridge.identity.keys import KeyStore, digest_of

PATIENCE_S = 8.0
USERS = {f"{SECRET}-{number}": number for number in range(100, 120)}


class Crowd:
    """Keys of many users, who share the wallet of the test."""

    def __init__(self, **limits):
        self.records = {
            secret.encode(): key(id=number, user_id=number, **limits)
            for secret, number in USERS.items()
        }

    def cached(self, secret):
        return self.records.get(secret, KeyStore.MISSING)

    def known(self, digest):
        found = {digest_of(secret): record for secret, record in self.records.items()}
        return found.get(digest)

    async def find(self, _secret):
        return None


def crowded(accounts=1, *, of_account=None, of_channel=None, of_key=None, **settings):
    """Return a runner: gives a test a floor with these limits, in a loop that leaps."""

    def run(main):
        async def whole():
            values = {"queue_wait_s": PATIENCE_S, **settings}
            async with open_floor(**values) as floor:
                floor.keys = Crowd(**(of_key or {}))
                floor.relay._keys = floor.keys
                members = floor.accounts(accounts, **(of_account or {}))
                floor.world.snapshot = snapshot(channel(accounts=members, **(of_channel or {})))
                await main(floor)
                assert floor.queue.waiting.calls == floor.queue.waiting.size == 0
                assert floor.queue.waiting.lines == {}
                assert floor.counters.slots == {}
                assert floor.writer.holds == {} and floor.writer.purses[WALLET].held == 0

        leaping(whole)

    return run


class Timed:
    """One call: when it came, how it ended, and when."""

    def __init__(self, floor, secret, **fake):
        self.loop = asyncio.get_running_loop()
        self.came = self.loop.time()
        self.user = USERS[secret]
        self.ended = None
        self.client = Visitor(chat(**fake), secret=secret)
        self.task = self.client.task = self.loop.create_task(self.run(floor))

    async def run(self, floor):
        await floor.relay.handle(self.client)
        self.ended = self.loop.time()

    @property
    def waited(self):
        return self.ended - self.came

    @property
    def status(self):
        return self.client.status


def retry_after(one):
    lines = dict(line.split(b": ", 1) for line in one.client.sent_headers.splitlines() if line)
    return int(lines[b"retry-after"])


async def come(floor, count, *, gap_s=0.001, **fake):
    """Let so many calls come, the users by turns, and wait until all have ended."""
    calls = []
    for number in range(count):
        calls.append(Timed(floor, list(USERS)[number % len(USERS)], **fake))
        await asyncio.sleep(gap_s)
    await asyncio.gather(*(one.task for one in calls))
    return calls


SLOW = {"fake": {"delay_ms": 900}}


@pytest.mark.parametrize("stream", [False, True])
def test_two_hundred_callers_of_an_account_that_takes_five(stream):
    async def main(floor):
        most, vendor = 0, floor.vendor

        async def watch():
            nonlocal most
            while True:
                most = max(most, floor.counters.slots.get("account:1", 0))
                assert floor.queue.waiting.calls <= 200
                await asyncio.sleep(0.05)

        watcher = asyncio.get_running_loop().create_task(watch())
        calls = await come(floor, 200, stream=stream, **SLOW)
        watcher.cancel()
        served = [one for one in calls if one.status == 200]
        refused = [one for one in calls if one.status == 429]
        assert len(served) + len(refused) == 200 and most == 5
        assert 40 <= len(served) <= 50 and len(vendor.books.calls) == len(served)
        assert all(PATIENCE_S - 0.001 <= one.waited <= PATIENCE_S + 0.001 for one in refused)
        assert all(1 <= retry_after(one) <= 120 for one in refused)
        assert all(one.waited <= PATIENCE_S + 1 for one in served)
        for user in USERS.values():
            mine = [one for one in calls if one.user == user]
            ends = [one.ended for one in mine if one.status == 200]
            assert ends == sorted(ends)
            # Who came later began only after who came before had begun or given up.
            left = [one.ended - (0.9 if one.status == 200 else 0) for one in mine]
            assert left == sorted(left)
            assert 2 <= len(ends) <= 3
        assert (await come(floor, 1))[0].status == 200

    crowded(of_account={"concurrency": 5}, queue_user_calls=100)(main)


def test_room_at_any_account_of_the_channel_will_do():
    async def main(floor):
        calls = await come(floor, 9, **SLOW)
        assert [one.status for one in calls] == [200] * 9
        used = [row["account_id"] for row in floor.writer.rows]
        assert sorted(set(used)) == [1, 2, 3] and max(map(used.count, used)) == 3
        assert all(one.waited < 2.9 for one in calls)

    crowded(3, of_account={"concurrency": 1})(main)


@pytest.mark.parametrize("where", ["of_key", "of_channel"])
def test_calls_wait_for_a_slot_of_their_key_or_channel(where):
    async def main(floor):
        secret = next(iter(USERS))
        calls = []
        for _ in range(6):
            calls.append(Timed(floor, secret, **SLOW))
            await asyncio.sleep(0.01)
        await asyncio.gather(*(one.task for one in calls))
        assert [one.status for one in calls] == [200] * 6
        ends = [one.ended for one in calls]
        assert ends == sorted(ends) and 2.7 <= ends[-1] <= 3.0

    crowded(**{where: {"concurrency": 2}})(main)


def test_a_user_with_many_calls_does_not_keep_another_waiting():
    async def main(floor):
        greedy, other = list(USERS)[:2]
        many = [Timed(floor, greedy, **SLOW) for _ in range(20)]
        await asyncio.sleep(0.1)
        one = Timed(floor, other, **SLOW)
        await asyncio.gather(one.task, *(each.task for each in many))
        # Both slots are taken until 0.9; by then it is the turn of one of each user.
        assert one.status == 200 and one.waited < 1.9

    crowded(of_channel={"concurrency": 2})(main)


def test_a_limit_that_is_known_to_last_longer_is_refused_at_once():
    async def main(floor):
        calls = await come(floor, 3)
        assert [one.status for one in calls] == [200, 200, 429]
        assert calls[2].waited < 0.1 and retry_after(calls[2]) >= 50

    crowded(of_channel={"rpm": 2})(main)


def test_a_limit_that_ends_soon_is_waited_for():
    async def main(floor):
        loop = asyncio.get_running_loop()
        await come(floor, 2)
        # The window forgets what is older than 66 seconds at the most.
        await asyncio.sleep(62 - loop.time())
        late = (await come(floor, 1))[0]
        assert late.status == 200 and 1 < late.waited <= 6

    crowded(of_channel={"rpm": 2})(main)


def test_a_channels_pace_spreads_what_is_above_a_burst():
    async def main(floor):
        calls = await come(floor, 190, gap_s=0.0)
        served = [one for one in calls if one.status == 200]
        assert [one.waited < 0.01 for one in served[:100]] == [True] * 100
        assert served[-1].waited == pytest.approx(8, abs=0.2)
        assert 178 <= len(served) <= 181
        refused = [one for one in calls if one.status == 429]
        assert refused and all(one.waited < 0.01 and retry_after(one) >= 8 for one in refused)
        await asyncio.sleep(30)
        assert (await come(floor, 1))[0].status == 200

    crowded(of_channel={"rpm": 600}, queue_user_calls=100)(main)


@pytest.mark.parametrize("how", ["leaves", "cut"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_while_it_waits_costs_nothing_and_holds_no_slot(how, stream):
    async def main(floor):
        first = Timed(floor, next(iter(USERS)), fake={"delay_ms": 3_000})
        await asyncio.sleep(0.1)
        waiting = Timed(floor, list(USERS)[1], stream=stream, **SLOW)
        await asyncio.sleep(0.5)
        assert floor.queue.waiting.calls == 1
        if how == "leaves":
            waiting.client.leave()
        else:
            waiting.task.cancel()
        await asyncio.gather(waiting.task, return_exceptions=True)
        assert asyncio.get_running_loop().time() < 0.7
        assert floor.queue.waiting.calls == 0
        await first.task
        assert first.status == 200 and len(floor.vendor.books.calls) == 1
        charged = [row["charge"] for row in floor.writer.rows if row["account_id"] is None]
        assert all(charge == 0 for charge in charged)

    crowded(of_account={"concurrency": 1})(main)


def test_a_call_that_failed_elsewhere_may_still_wait_and_hears_of_the_failure_at_last():
    async def main(floor):
        floor.script(1, status=500)
        floor.script(2, times=1, delay_ms=2_000)
        first, other = list(USERS)[:2]
        busy = Timed(floor, first)
        await asyncio.sleep(0.1)
        assert floor.counters.slots == {"account:2": 1}
        second = Timed(floor, other)
        await asyncio.gather(busy.task, second.task)
        assert (busy.status, second.status) == (200, 200) and 1.8 < second.waited < 2.5
        floor.script(2, times=1, delay_ms=20_000)
        long = Timed(floor, first)
        await asyncio.sleep(0.1)
        third = Timed(floor, other)
        await third.task
        assert third.status == 502 and third.waited == pytest.approx(PATIENCE_S, abs=0.01)
        await long.task

    def with_limits(floor_main):
        async def limited(floor):
            one, two = floor.accounts(2)
            members = (one, replace(two, concurrency=1))
            floor.world.snapshot = snapshot(channel(accounts=members))
            await floor_main(floor)

        crowded(2)(limited)

    with_limits(main)


def test_more_than_may_wait_are_refused_at_once():
    async def main(floor):
        secret = next(iter(USERS))
        calls = [Timed(floor, secret, **SLOW) for _ in range(80)]
        await asyncio.sleep(0.1)
        refused = [one for one in calls if one.ended is not None]
        assert len(refused) == 80 - 1 - 64 and {one.status for one in refused} == {429}
        assert all(retry_after(one) == 2 for one in refused)
        await asyncio.gather(*(one.task for one in calls))

    crowded(of_key={"concurrency": 1})(main)


def test_a_pinned_account_is_waited_for_alone():
    async def main(floor):
        floor.keys.records = {
            secret: replace(record, may_pin=True) for secret, record in floor.keys.records.items()
        }
        named = floor.world.snapshot.channels[1].accounts[0].name
        pin = f"{floor.world.snapshot.channels[1].name}/{named}".encode()
        clients = [Visitor(chat(**SLOW), secret=secret, headers={b"x-tollbridge-channel": pin})
                   for secret in list(USERS)[:3]]  # fmt: skip
        await asyncio.gather(*(floor.relay.handle(client) for client in clients))
        assert [client.status for client in clients] == [200] * 3
        assert {row["account_id"] for row in floor.writer.rows} == {1}
        assert 2.6 < asyncio.get_running_loop().time() < 3.2

    crowded(2, of_account={"concurrency": 1})(main)
