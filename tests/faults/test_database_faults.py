"""Our database gone in the middle of calls, and both gates: what is shown is already in the books.

The database is taken away by a second process that holds its write lock.
"""

import asyncio
import contextlib
import json
import sqlite3

import pytest

from tests.faults.lock import locked
from tests.faults.stage import CHEAP, price, wait

ENVIRON = {"WRITER_DEADLINE_S": "2", "SETTLE_GRACE_S": "2.5", "HEARTBEAT_S": "0.2"}
pytestmark = pytest.mark.asyncio(loop_scope="session")
BEAT = b": keepalive\n\n"
FINISH = b'"finish_reason":"stop"'


async def ready(scene) -> None:
    """Wait until the gateway takes calls again."""
    async with asyncio.timeout(20):
        while (await scene.stage.get("/readyz")).status != 200:
            await asyncio.sleep(0.05)


async def sent_and_held(scene) -> None:
    """Wait until the scene's call has reached the vendor and its hold is durable."""
    await wait(lambda: len(scene.fake.books.calls) > scene.first_call)
    await wait(lambda: scene.rows("SELECT 1 FROM hold"))


async def test_a_database_that_is_gone_for_a_while_at_the_end_only_delays_the_end(scene):
    fake = {"tokens": 3, "prompt_tokens": 8, "event_delay_ms": 500}
    wire = await scene.open(stream=True, fake=fake)
    await wire.until(b"Hello")
    async with locked(scene.database) as lock:
        await scene.seen(("vendor-main", "done"))
        beats = wire.data.count(BEAT)
        await wire.quiet(0.8)
        # The answer is here, all of it; but the finish waits for the books.
        assert b" am" in wire.data and b'finish_reason":"' not in wire.data
        assert wire.data.count(BEAT) > beats and not wire.ended
        await lock.release()
    body = await wire.rest()
    assert body.endswith(b"data: [DONE]\n\n") and FINISH in body
    await scene.bill(end_state="complete", input=8, output=3, charge=price(8, 3))


async def test_a_database_that_stays_away_breaks_the_stream_and_the_settle_is_booked_later(scene):
    fake = {"tokens": 3, "prompt_tokens": 8, "event_delay_ms": 500}
    wire = await scene.open(stream=True, fake=fake)
    await wire.until(b"Hello")
    async with locked(scene.database) as lock:
        body = await wire.rest()
        assert BEAT in body.partition(b" am")[2]
        assert FINISH not in body and b"[DONE]" not in body
        last = json.loads(wire.events[-1])
        assert last["choices"][0]["finish_reason"] == "error" and last["error"]["tid"] == wire.tid
        assert not scene.booked()
        await lock.release()
    row = await scene.bill(end_state="complete", input=8, output=3, charge=price(8, 3))
    assert row["tid"] == wire.tid
    await scene.seen(("vendor-main", "done"))
    await ready(scene)


async def test_a_whole_answer_that_cannot_be_booked_is_withheld_and_costs_nothing(scene):
    call = asyncio.create_task(scene.post(fake={"tokens": 3, "delay_ms": 1500}))
    await sent_and_held(scene)
    async with locked(scene.database) as lock:
        answer = await call
        assert answer.status == 503 and answer.headers["retry-after"]
        assert answer.headers["x-should-retry"] == "true"
        assert b"Hello" not in answer.body and "x-tollbridge-cost" not in answer.headers
        assert json.loads(answer.body)["error"]["code"] == "service_unavailable"
        await lock.release()
    row = await scene.bill(end_state="withheld", status=503, error_kind="database_down", charge=0)
    assert row["tid"] == answer.tid
    await scene.seen(("vendor-main", "done"))
    await ready(scene)


async def test_a_whole_answer_waits_for_a_database_that_comes_back(scene):
    call = asyncio.create_task(scene.post(fake={"tokens": 3, "prompt_tokens": 8, "delay_ms": 1500}))
    await sent_and_held(scene)
    async with locked(scene.database) as lock:
        await scene.seen(("vendor-main", "done"))
        await asyncio.sleep(0.3)
        assert not call.done()
        await lock.release()
    answer = await call
    assert answer.status == 200 and answer.headers["x-tollbridge-cost"] == "0.00005"
    await scene.bill(end_state="complete", input=8, output=3, charge=price(8, 3))


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
async def test_without_a_database_new_calls_are_refused_until_it_is_back(scene, stream):
    async with locked(scene.database) as lock:
        first = await scene.post(CHEAP, stream=stream, fake={"tokens": 3})
        if stream:
            # It was heard to be alive, so the refusal is in band; content there was none.
            assert first.status in {200, 503} and b"Hello" not in first.body
            assert b"service_unavailable" in first.body
        else:
            assert first.status == 503 and first.headers["retry-after"]
        second = await scene.post(CHEAP, stream=stream, fake={"tokens": 3})
        assert second.status == 503 and int(second.headers["retry-after"]) >= 1
        assert json.loads(second.body)["error"]["code"] == "service_unavailable"
        probe = await scene.stage.get("/readyz")
        assert probe.status == 503 and b"ledger not ready" in probe.body
        assert (await scene.stage.get("/healthz")).status == 200
        # Reading does not need the lock.
        assert (await scene.stage.get("/v1/models", CHEAP)).status == 200
        await lock.release()
    await ready(scene)
    # A whole answer had been made, and was withheld; a stream was ended before its content.
    state = "database_lost" if stream else "withheld"
    row = await scene.bill(
        end_state=state, status=503, error_kind="database_down", charge=0, key=CHEAP
    )
    assert row["tid"] == first.tid
    again = await scene.post(CHEAP, stream=stream, fake={"tokens": 3})
    assert again.status == 200 and b"Hello" in again.body


async def test_no_content_is_shown_before_the_hold_is_durable(scene):
    # The first call makes the wallet known, so that the next one is sent before it is held.
    await scene.post(fake={"tokens": 1})
    async with locked(scene.database) as lock:
        wire = await scene.open(stream=True, fake={"tokens": 3, "prompt_tokens": 8})
        await wait(lambda: len(scene.fake.books.calls) >= scene.first_call + 2)
        await wire.quiet(0.7)
        assert set(bytes(wire.data).split(b"\n\n")) <= {b"", b": keepalive"}
        await lock.release()
    body = await wire.rest()
    assert b"Hello" in body and body.endswith(b"data: [DONE]\n\n")
    row = (await scene.settled(2))[1]
    assert (row["tid"], row["charge"]) == (wire.tid, price(8, 3))


async def test_whenever_content_is_seen_its_hold_is_in_the_books(scene):
    with contextlib.closing(sqlite3.connect(scene.database)) as books:
        for _ in range(30):
            wire = await scene.open(stream=True, fake={"tokens": 2, "event_delay_ms": 20})
            await wire.until(b"Hello")
            query = "SELECT amount > 0 FROM hold WHERE tid = ?"
            assert books.execute(query, (wire.tid,)).fetchall() == [(1,)]
            await wire.rest()


async def test_whenever_the_finish_is_seen_the_charge_is_in_the_books(scene):
    with contextlib.closing(sqlite3.connect(scene.database)) as books:
        for _ in range(60):
            wire = await scene.open(stream=True, fake={"tokens": 2, "prompt_tokens": 8})
            await wire.until(FINISH)
            query = "SELECT charge FROM usage WHERE tid = ?"
            assert books.execute(query, (wire.tid,)).fetchall() == [(price(8, 2),)]
            query = "SELECT amount FROM journal WHERE ref = ? AND kind = 'charge'"
            assert books.execute(query, (wire.tid,)).fetchall() == [(price(8, 2),)]
            assert not books.execute("SELECT 1 FROM hold WHERE tid = ?", (wire.tid,)).fetchall()


async def test_whenever_a_whole_answer_is_seen_the_charge_is_in_the_books(scene):
    with contextlib.closing(sqlite3.connect(scene.database)) as books:
        for _ in range(60):
            answer = await scene.post(fake={"tokens": 2, "prompt_tokens": 8})
            query = "SELECT charge FROM usage WHERE tid = ?"
            assert books.execute(query, (answer.tid,)).fetchall() == [(price(8, 2),)]
            assert not books.execute("SELECT 1 FROM hold WHERE tid = ?", (answer.tid,)).fetchall()
