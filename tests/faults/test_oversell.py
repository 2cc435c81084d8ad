"""Sixty-four customers at once on one wallet: nobody gets more than was paid for.

Real gateway, real vendor. Whatever the answers' length, the wallet never goes below zero, the
operator bears nothing, and what left the wallet is the sum of the receipts (money.md, "One call").
"""

import asyncio
import itertools

import pytest

from tests.faults.load import (
    MAX_OUTPUT,
    NANO_IN,
    NANO_OUT,
    Ask,
    Watch,
    charges,
    crowd,
    many,
    price,
    received,
    serving,
    until,
)
from tests.services.gateway import catalogue, running
from tollbridge.billing.grants import grant
from tollbridge.core.clock import now_ms
from tollbridge.core.money import parse_usd
from tollbridge.storage.engine import open_engine
from tollbridge.storage.unit_of_work import writing

AT_ONCE = 64
FLOOR_TOKENS = 4_096
SLICE_TOKENS = 2_048
LIMITED = "sk-limited-0123456789-0123456789-0123456789"
BIG = "word " * 12_000

KINDS = (
    Ask(script={"tokens": 20_000}),
    Ask(fields={"stream": True}, script={"tokens": 20_000, "events": 200}),
    Ask(script={"tokens": 100, "reasoning": 10_000}),
    Ask(
        fields={"stream": True, "reasoning_effort": "high"},
        script={"tokens": 90, "reasoning": 10_000, "events": 9},
    ),
    Ask(fields={"n": 4}, script={"tokens": 12_000}),
    Ask(fields={"n": 4, "stream": True}, script={"tokens": 12_000, "events": 120}),
    Ask(BIG, {"max_tokens": 300}, {"tokens": 20_000}),
    Ask(BIG, {"stream": True}, {"tokens": 9_000, "events": 90}),
    Ask(fields={"max_tokens": 64}, script={"tokens": 20_000}),
    Ask(fields={"max_completion_tokens": 700, "stream": True}, script={"tokens": 20_000, "events": 7}),
    Ask(fields={"max_tokens": 6_000, "n": 4}, script={"tokens": 5_000, "delay_ms": 20}),
    Ask(fields={"stream": True}, script={"tokens": 3_000, "events": 30, "event_delay_ms": 1}),
)  # fmt: skip


def floor_price(sent_bytes, ask):
    """Return the least that must be free for a call to be sent (money.md, "Bound")."""
    wish = MAX_OUTPUT if ask.limit is None else ask.limit
    tokens = min(wish, max(FLOOR_TOKENS // ask.copies, 1)) * ask.copies
    if ask.fields.get("stream") and "reasoning_effort" not in ask.fields:
        tokens = min(tokens, SLICE_TOKENS)
    return -(-sent_bytes // 2) * NANO_IN + tokens * NANO_OUT


async def storm(client, go_on=lambda: False):
    """Call 64 at once, refused calls again and again, until not one of 64 passes.

    Returns all calls and those of the last, vain round.
    """
    fresh = itertools.cycle(KINDS)
    asks = [next(fresh) for _ in range(AT_ONCE)]
    every = []
    while True:
        calls = await crowd(client, asks)
        every += calls
        assert {seen.status for seen in calls} <= {200, 402}
        refused = [seen for seen in calls if seen.status == 402]
        if len(refused) == AT_ONCE and not go_on():
            return every, refused
        # At most half of the places go to what was refused, or no small call would come again.
        asks = [seen.ask for seen in refused[: AT_ONCE // 2]]
        asks += [next(fresh) for _ in range(AT_ONCE - len(asks))]


def limited_by(gateway):
    """Return by trace id the holds of streams that ended because the money for more was gone."""
    rows = gateway.rows("SELECT tid, held FROM usage WHERE end_state = 'limited'")
    return {row["tid"]: row["held"] for row in rows}


def check_answers(calls, fake, costs, limited):
    """Judge each call by what the vendor received and wrote."""
    vendor = received(fake)
    assert {seen.status for seen in calls} == {200, 402}
    for seen in calls:
        if seen.status == 402:
            # A refused call reached nobody and costs nothing.
            assert seen.tag not in vendor
            assert costs[seen.tid] == 0
            continue
        assert seen.finished
        got = vendor.pop(seen.tag)
        if seen.tid in limited:
            assert seen.streamed and seen.written_limit is None
            assert seen.data.count(b'"finish_reason":"length"') == seen.ask.copies
            assert 0 < costs[seen.tid] <= limited[seen.tid]
            continue
        said = seen.ask.limit
        promised = seen.written_limit
        assert got.ask.limit == (said if promised is None else promised)
        assert promised is None or promised < (MAX_OUTPUT if said is None else said)
        allowed = MAX_OUTPUT if got.ask.limit is None else got.ask.limit
        # Hidden reasoning counts: the answer as a whole obeys the limit that was paid for.
        assert 0 < got.tokens_out <= allowed * seen.ask.copies
        assert costs[seen.tid] == price(got.ask.prompt_tokens(), got.tokens_out)
        if not seen.streamed:
            assert parse_usd(seen.headers["x-tollbridge-cost"]) == costs[seen.tid]
            assert parse_usd(seen.headers["x-tollbridge-balance"]) >= 0
    assert vendor == {}, "the vendor got calls that nobody was answered"


async def check_books(gateway, client, watch):
    """Nobody's wallet was below zero and the operator bore nothing."""
    assert watch.looks > 10
    assert watch.most_held > 0
    assert watch.wrong == []
    assert gateway.rows("SELECT tid FROM usage WHERE loss <> 0") == []
    assert gateway.rows("SELECT ref FROM journal WHERE kind <> 'charge' AND kind <> 'grant'") == []
    metrics = (await client.get("/metrics")).text
    assert "\ntollbridge_operator_loss_nano_total 0.0\n" in metrics
    assert gateway.rows("SELECT id FROM purse WHERE held <> 0") == []
    await asyncio.to_thread(gateway.verify)


@pytest.mark.parametrize("credit", ["0.05", "0.40", "20.00"])
async def test_a_wallet_sells_no_more_than_it_holds(tmp_path, credit):
    async with running(tmp_path, credit=credit) as (gateway, fake), many(gateway) as client:
        with Watch(gateway.database) as watch:
            calls, in_vain = await storm(client)
        gateway.wait_settled()
        left, _ = gateway.wallet()
        costs = await charges(client, calls)
        check_answers(calls, fake, costs, limited_by(gateway))
        # With so little it is by luck that the first call is one whose limit is written.
        assert credit == "0.05" or any(seen.written_limit for seen in calls)
        assert parse_usd(credit) - left == sum(costs.values()) > 0
        for seen in in_vain:
            assert left < floor_price(seen.sent_bytes, seen.ask)
        await check_books(gateway, client, watch)


def limited(vendor):
    """Return the catalogue with a second key that may spend forty cents of the rich wallet."""
    return catalogue(vendor, credit="400.00") + (
        f'\n[[user.key]]\nname = "limited"\nsecret = "{LIMITED}"\nchannel = "main"\nlimit = "0.40"\n'
    )


async def test_a_spending_limit_is_never_overrun(tmp_path):
    async with (
        serving(tmp_path, limited) as (gateway, fake),
        many(gateway, LIMITED) as client,
        many(gateway) as free,
    ):
        with Watch(gateway.database) as watch:
            # The wallet's other key is busy meanwhile and not held up.
            others = asyncio.ensure_future(crowd(free, KINDS))
            calls, in_vain = await storm(client)
            others = await others
        gateway.wait_settled()
        costs = await charges(client, calls)
        other_costs = await charges(free, others)
        assert {seen.status for seen in others} == {200}
        check_answers([*calls, *others], fake, costs | other_costs, limited_by(gateway))
        spent = sum(costs.values())
        assert 0 < spent <= parse_usd("0.40")
        for seen in in_vain:
            assert parse_usd("0.40") - spent < floor_price(seen.sent_bytes, seen.ask)
            assert b'"key_limit_reached"' in seen.data
        left, _ = gateway.wallet()
        assert parse_usd("400.00") - left == spent + sum(other_costs.values())
        await check_books(gateway, client, watch)


async def test_credit_from_outside_is_seen_in_the_storm(tmp_path):
    """Another process credits by relative changes; each cent is spent and none twice."""
    cents, times = parse_usd("0.15"), 6
    async with running(tmp_path, credit="0.05") as (gateway, fake), many(gateway) as client:
        wallet = gateway.rows("SELECT id FROM purse")[0]["id"]
        engine = open_engine(f"sqlite:///{gateway.database}")
        given = 0

        async def top_up():
            nonlocal given
            for number in range(times):
                seen = len(fake.books.calls)
                async with writing(engine) as connection:
                    await grant(connection, wallet, cents, f"top-up:{number}", now_ms())
                given += cents
                # The storm has spent nearly everything before, so this is the new money at work.
                await until(lambda seen=seen: len(fake.books.calls) > seen, "a call on new credit")

        with Watch(gateway.database) as watch:
            tops = asyncio.ensure_future(top_up())
            calls, in_vain = await storm(client, go_on=lambda: not tops.done())
            await tops
        await engine.dispose()
        gateway.wait_settled()
        left, _ = gateway.wallet()
        costs = await charges(client, calls)
        check_answers(calls, fake, costs, limited_by(gateway))
        assert given == cents * times
        assert parse_usd("0.05") + given - left == sum(costs.values()) > given
        for seen in in_vain:
            assert left < floor_price(seen.sent_bytes, seen.ask)
        await check_books(gateway, client, watch)
