"""The end table, "client left": before content, mid-stream, drained to the end, and just at the end."""

import asyncio
import random
import time

import pytest

from tests.faults.stage import COMPATIBLE, MAIN, PAIR, price, wait
from tollbridge.demo.fake_books import AccountScript

ENVIRON = {
    "HEARTBEAT_S": "0.2",
    "CLIENT_STALL_S": "1",
    "FIRST_BYTE_TIMEOUT_S": "4",
    "DRAIN_CAP_S": "2.5",
    "FINISH_SILENCE_S": "1.5",
}
pytestmark = pytest.mark.asyncio(loop_scope="session")
GONE = "client_disconnected"


async def received(scene, calls=1):
    """Wait until the vendor has so many calls of this scene."""
    await wait(lambda: len(scene.fake.books.calls) >= scene.first_call + calls)


async def held(scene):
    """Wait until the scene's call stands in the books."""
    await wait(lambda: scene.rows("SELECT 1 FROM hold"))


async def test_left_before_content_pays_for_the_input(scene):
    # Drained, it would be complete before the cap.
    wire = await scene.open(stream=True, fake={"delay_ms": 2500})
    await received(scene)
    await held(scene)
    wire.leave()
    [row] = await scene.settled()
    assert 10 < row["input"] < 60
    await scene.bill(
        end_state="client_gone", status=499, flags=[GONE, "estimated"], input=row["input"],
        output=0, charge=price(row["input"]),
    )  # fmt: skip
    await scene.seen(("vendor-main", "aborted"))


async def test_left_while_an_account_fails_tries_no_other(scene):
    scene.fake.books.accounts["vendor-first"] = AccountScript({"status": 500, "delay_ms": 2000})
    wire = await scene.open(PAIR, stream=True, fake={"tokens": 3})
    await received(scene)
    wire.leave()
    [row] = await scene.settled()
    await scene.bill(
        end_state="client_gone", status=499, flags=[GONE, "estimated"], output=0,
        charge=price(row["input"]), key=PAIR,
    )  # fmt: skip
    await scene.seen(("vendor-first", "aborted"))


async def test_left_in_the_middle_pays_for_what_was_streamed(scene):
    wire = await scene.open(stream=True, fake={"tokens": 90, "event_delay_ms": 50})
    await wire.until(b"rather")
    text = wire.data.count(b'"content":"')
    wire.leave()
    [row] = await scene.settled()
    assert row["tid"] == wire.tid
    # At least what the client saw, at most a few events more; estimated at four bytes a token.
    assert text // 2 < row["output"] < 90
    await scene.bill(
        end_state="client_gone", status=499, flags=[GONE, "estimated"],
        charge=price(row["input"], row["output"]),
    )  # fmt: skip
    await scene.seen(("vendor-main", "aborted"))
    assert scene.fake.books.calls[-1].tokens_out < 90


async def test_left_in_the_middle_of_what_bills_on_is_drained_and_exact(scene):
    fake = {"tokens": 20, "event_delay_ms": 80, "prompt_tokens": 30}
    wire = await scene.open(COMPATIBLE, stream=True, fake=fake)
    await wire.until(b"Hello")
    wire.leave()
    await scene.bill(
        end_state="complete", status=499, flags=[GONE], input=30, output=20, charge=price(30, 20),
        key=COMPATIBLE,
    )  # fmt: skip
    await scene.seen(("vendor-comp", "done"))


async def test_left_before_content_of_what_bills_on_is_drained_and_exact(scene):
    fake = {"tokens": 20, "delay_ms": 1200, "prompt_tokens": 30}
    wire = await scene.open(COMPATIBLE, stream=True, fake=fake)
    await received(scene)
    wire.leave()
    await scene.bill(
        end_state="complete", status=499, flags=[GONE], input=30, output=20, charge=price(30, 20),
        key=COMPATIBLE,
    )  # fmt: skip
    await scene.seen(("vendor-comp", "done"))


@pytest.mark.parametrize("key", [MAIN, COMPATIBLE], ids=["main", "compatible"])
async def test_a_whole_answer_is_drained_and_exact_whoever_made_it(scene, key):
    fake = {"tokens": 20, "delay_ms": 1200, "prompt_tokens": 30}
    wire = await scene.open(key, fake=fake)
    await received(scene)
    wire.leave()
    await scene.bill(
        end_state="complete", status=499, flags=[GONE], input=30, output=20, charge=price(30, 20),
        key=key,
    )  # fmt: skip
    account = "vendor-main" if key == MAIN else "vendor-comp"
    await scene.seen((account, "done"))


async def test_draining_a_stream_has_a_cap(scene):
    fake = {"tokens": 1000, "event_delay_ms": 50, "prompt_tokens": 30}
    wire = await scene.open(COMPATIBLE, stream=True, fake=fake)
    await wire.until(b"Hello")
    wire.leave()
    await received(scene)
    assert scene.rows("SELECT 1 FROM hold"), "it keeps its hold while it is drained"
    [row] = await scene.settled()
    await scene.bill(
        end_state="client_gone", status=499, flags=[GONE, "estimated"],
        charge=price(row["input"], row["output"]), key=COMPATIBLE,
    )  # fmt: skip
    # More than the client saw, less than all of it.
    assert 3 < row["output"] < 900
    await scene.seen(("vendor-comp", "aborted"))


async def test_draining_a_whole_answer_has_a_cap(scene):
    wire = await scene.open(fake={"tokens": 20, "delay_ms": 60_000})
    await received(scene)
    await held(scene)
    wire.leave()
    [row] = await scene.settled()
    await scene.bill(
        end_state="client_gone", status=499, flags=[GONE, "estimated"], input=row["input"],
        output=0, charge=price(row["input"]),
    )  # fmt: skip
    await scene.seen(("vendor-main", "aborted"))


async def test_left_after_the_finish_waits_for_the_usage_and_is_exact(scene):
    fake = {"tokens": 3, "prompt_tokens": 30, "silent_after_finish_ms": 250}
    wire = await scene.open(stream=True, fake=fake)
    await wire.until(b" am")
    await wait(lambda: scene.fake.books.calls[-1].tokens_out == 3)
    wire.leave()
    await scene.bill(
        end_state="complete", status=499, flags=[GONE], input=30, output=3, charge=price(30, 3)
    )
    await scene.seen(("vendor-main", "done"))


async def race(scene, calls, *, stream, key):
    """Leave so many calls at random moments around their ends; all are charged once, by the rules.

    How long a call takes is measured, as the machine may be busy. Some stay to the end and some
    leave at once.
    """
    chance = random.Random(calls)
    fake = {"tokens": 4, "prompt_tokens": 30, "event_delay_ms": 2, "delay_ms": 3}

    async def call(leave_after_s: float) -> float:
        began = time.monotonic()
        wire = await scene.open(key, stream=stream, fake=fake)
        await wire.quiet(leave_after_s)
        wire.leave()
        return time.monotonic() - began

    longest = 0.0
    for _ in range(0, calls, 10):
        moments = [chance.uniform(0, longest) for _ in range(7)]
        took = await asyncio.gather(*map(call, (0, 10, 10, *moments)))
        longest = max(took)
    rows = await scene.settled(calls)
    for row in rows:
        flags = set(filter(None, row["flags"].split(",")))
        if row["end_state"] == "complete":
            assert row["charge"] == price(30, 4)
            assert (row["status"], flags) in ((200, set()), (499, {GONE}))
        else:
            assert stream and key == MAIN and row["end_state"] == "client_gone"
            assert row["status"] == 499 and GONE in flags
            assert row["charge"] == price(row["input"], row["output"])
    tids = {row["tid"] for row in rows}
    lines = scene.rows("SELECT ref, amount FROM journal WHERE kind = 'charge'")
    assert sorted((line["ref"], line["amount"]) for line in lines if line["ref"] in tids) == [
        (row["tid"], row["charge"]) for row in rows
    ]
    [wallet] = scene.rows("SELECT available FROM purse WHERE id = ?", rows[0]["wallet_id"])
    taken = scene.purses[rows[0]["wallet_id"]] - wallet["available"]
    assert taken == sum(row["charge"] for row in rows)
    return rows


@pytest.mark.parametrize("key", [MAIN, COMPATIBLE], ids=["main", "compatible"])
@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
async def test_leaving_around_the_end_makes_exactly_one_charge(scene, stream, key):
    rows = await race(scene, 150, stream=stream, key=key)
    # The moments must straddle the end, or this proves nothing.
    assert {row["status"] for row in rows} == {200, 499}
    stops = stream and key == MAIN
    assert ("client_gone" in {row["end_state"] for row in rows}) == stops


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("key", [MAIN, COMPATIBLE], ids=["main", "compatible"])
@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
async def test_leaving_around_the_end_many_times_makes_exactly_one_charge(scene, stream, key):
    await race(scene, 4000, stream=stream, key=key)
